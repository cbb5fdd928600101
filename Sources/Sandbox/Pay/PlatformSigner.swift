internal import Cryptography
internal import TollgateKernel

/// The platform's side of WeChat Pay's signatures and encryption.
struct PlatformSigner: Sendable {
    let privateKey: RSAPrivateKey
    let certificate: Certificate
    let apiV3Key: [UInt8]
    let random: any RandomSource

    /// The signature headers over a body, as answers and notifications carry them.
    func headers(for body: [UInt8], at moment: Timestamp) throws(CryptographyError)
        -> [(name: String, value: String)]
    {
        let nonce = random.letters(32)
        let message = Array("\(moment.seconds)\n\(nonce)\n".utf8) + body + [0x0a]
        return [
            ("Wechatpay-Timestamp", String(moment.seconds)),
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", certificate.serialNumber),
            ("Wechatpay-Signature", Base64.encode(try privateKey.sign(message))),
            ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048"),
        ]
    }

    /// `algorithm`, `nonce`, `associated_data` and `ciphertext` of a text under the APIv3 key.
    func seal(_ text: String, associatedData: String) throws(CryptographyError)
        -> [JSONValue.Member]
    {
        let nonce = random.letters(AES256GCM.nonceBytes)
        let sealed = try AES256GCM.seal(
            Array(text.utf8), key: apiV3Key, nonce: Array(nonce.utf8),
            associatedData: Array(associatedData.utf8))
        return [
            .init(name: "algorithm", value: "AEAD_AES_256_GCM"),
            .init(name: "ciphertext", value: .string(Base64.encode(sealed))),
            .init(name: "associated_data", value: .string(associatedData)),
            .init(name: "nonce", value: .string(nonce)),
        ]
    }
}
