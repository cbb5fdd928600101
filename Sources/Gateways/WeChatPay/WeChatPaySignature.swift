internal import Cryptography
internal import TollgateKernel

/// WeChat Pay's signatures over requests, answers and notifications (payments reference, 1.1).
enum WeChatPaySignature {
    static let algorithm = "WECHATPAY2-SHA256-RSA2048"

    /// The `Authorization` field of a request.
    ///
    /// - Parameters:
    ///   - target: path and query exactly as they go on the wire.
    ///   - nonce: at most 32 letters and digits.
    static func authorization(
        method: String, target: String, body: [UInt8], nonce: String, now: Timestamp,
        configuration: WeChatPayConfiguration
    ) throws(CryptographyError) -> String {
        let timestamp = String(now.seconds)
        let head = "\(method)\n\(target)\n\(timestamp)\n\(nonce)\n"
        let signature = try configuration.merchantKey.sign(
            Array(head.utf8) + body + [UInt8(ascii: "\n")])
        return "\(algorithm) mchid=\"\(configuration.merchantID)\",nonce_str=\"\(nonce)\","
            + "signature=\"\(Base64.encode(signature))\",timestamp=\"\(timestamp)\","
            + "serial_no=\"\(configuration.merchantCertificateSerial)\""
    }

    /// Why a signed message is not believed.
    enum Refusal: Error, Hashable, Sendable {
        /// A field is missing, or there more than once, or has another form.
        case badField(String)
        /// Signed too long ago, or too far ahead.
        case stale
        /// Signed with a key we do not know.
        case unknownSerial
        /// Signed by another, or changed since.
        case wrongSignature
    }

    /// Checks an answer or a notification over its raw bytes: fields, freshness, serial, signature.
    ///
    /// - Parameter only: the value of a field, in lower case, that is there exactly once.
    static func verify(
        body: [UInt8], keys: [String: RSAPublicKey], now: Timestamp,
        values: (_ name: String) -> [String]
    ) throws(Refusal) {
        func only(_ name: String) throws(Refusal) -> String {
            let found = values(name)
            guard found.count == 1 else { throw .badField(name) }
            return found[0]
        }
        let timestamp = try only("wechatpay-timestamp")
        let nonce = try only("wechatpay-nonce")
        let serial = try only("wechatpay-serial")
        let encoded = try only("wechatpay-signature")
        // Older senders leave the type out; another type than ours is another algorithm.
        let types = values("wechatpay-signature-type")
        guard types.isEmpty || types == [algorithm] else {
            throw .badField("wechatpay-signature-type")
        }
        guard let seconds = seconds(timestamp) else { throw .badField("wechatpay-timestamp") }
        guard (1...64).contains(nonce.utf8.count), nonce.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw .badField("wechatpay-nonce") }
        guard abs(now.seconds - seconds) < Limits.paymentFreshnessSeconds else { throw .stale }
        guard let key = keys[serial] else { throw .unknownSerial }
        guard let signature = Base64.decode(encoded) else { throw .badField("wechatpay-signature") }
        let message = Array("\(timestamp)\n\(nonce)\n".utf8) + body + [UInt8(ascii: "\n")]
        guard (try? key.isValid(signature: signature, for: message)) == true else {
            throw .wrongSignature
        }
    }

    /// Unix seconds of at most 12 digits, so that no arithmetic with them overflows.
    private static func seconds(_ text: String) -> Int64? {
        guard (1...12).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(text)
    }
}
