internal import Cryptography
package import TollgateKernel

/// A consistent set of fresh keys and names for a new data folder, both sides' halves.
package struct SandboxKeys: Codable, Hashable, Sendable {
    /// What Tollgate is configured with.
    package struct TollgateHalf: Codable, Hashable, Sendable {
        /// The official account's appid, which orders name too.
        package var appID: String
        /// The official account's AppSecret.
        package var appSecret: String
        /// The official account's own id, `gh_…`: the ToUserName of its pushes.
        package var originalID: String
        /// The token that signs pushes.
        package var token: String
        /// The 43 characters that encrypt pushes.
        package var encodingAESKey: String
        /// The merchant at WeChat Pay.
        package var merchantID: String
        /// The key that signs requests to WeChat Pay, PKCS#8 PEM.
        package var merchantPrivateKeyPEM: String
        /// The serial of its certificate, upper-case hexadecimal.
        package var merchantSerial: String
        /// The 32 characters that encrypt notifications.
        package var apiV3Key: String
        /// The serial that answers and notifications are signed under.
        package var platformSerial: String
        /// The key to check them with, PEM.
        package var platformPublicKeyPEM: String
        /// The model provider's keys by channel name.
        package var modelKeys: [String: String]
    }

    /// What the sandbox is configured with.
    package struct SandboxHalf: Codable, Hashable, Sendable {
        /// The official account's appid.
        package var appID: String
        /// The official account's AppSecret.
        package var appSecret: String
        /// The official account's own id.
        package var originalID: String
        /// The token that signs pushes.
        package var token: String
        /// The 43 characters that encrypt pushes.
        package var encodingAESKey: String
        /// The merchant.
        package var merchantID: String
        /// The certificate that requests are checked with, PEM.
        package var merchantCertificatePEM: String
        /// The 32 characters that encrypt notifications.
        package var apiV3Key: String
        /// The key that signs answers and notifications, PKCS#8 PEM.
        package var platformPrivateKeyPEM: String
        /// Its certificate, PEM.
        package var platformCertificatePEM: String
        /// The model provider's keys by channel name.
        package var modelKeys: [String: String]
    }

    /// Tollgate's half.
    package var tollgate: TollgateHalf
    /// The sandbox's half.
    package var sandbox: SandboxHalf

    /// Makes fresh keys; takes some 200 ms, so never on an event loop.
    ///
    /// - Parameters:
    ///   - channels: the model provider's channels; the empty name is `/openai/v1` itself.
    ///   - random: where keys and names come from; the RSA keys come from OpenSSL's own source.
    ///   - now: the certificates' first moment; they are valid for five years, as WeChat's are.
    package static func generate(
        channels: [String] = ["", "a", "b"], random: any RandomSource = SystemRandom(),
        now: Timestamp = SystemClock().now()
    ) throws -> SandboxKeys {
        let merchantKey = try RSAPrivateKey.generate()
        let platformKey = try RSAPrivateKey.generate()
        let merchantCertificate = try certificate(
            for: merchantKey, named: "Tollgate sandbox merchant", random: random, now: now)
        let platformCertificate = try certificate(
            for: platformKey, named: "Tollgate sandbox platform", random: random, now: now)
        var modelKeys: [String: String] = [:]
        for channel in channels { modelKeys[channel] = "sk-sandbox-" + random.letters(32) }
        let appID = "wx" + Hexadecimal.encode(random.bytes(8))
        let appSecret = Hexadecimal.encode(random.bytes(16))
        let originalID = "gh_" + Hexadecimal.encode(random.bytes(6))
        let token = random.letters(24)
        let encodingAESKey = random.letters(43)
        let merchantID = "19" + random.digits(8)
        let apiV3Key = random.letters(32)
        return SandboxKeys(
            tollgate: TollgateHalf(
                appID: appID, appSecret: appSecret, originalID: originalID, token: token,
                encodingAESKey: encodingAESKey, merchantID: merchantID,
                merchantPrivateKeyPEM: try merchantKey.pem(),
                merchantSerial: merchantCertificate.serialNumber, apiV3Key: apiV3Key,
                platformSerial: platformCertificate.serialNumber,
                platformPublicKeyPEM: try platformKey.publicKey.pem(), modelKeys: modelKeys),
            sandbox: SandboxHalf(
                appID: appID, appSecret: appSecret, originalID: originalID, token: token,
                encodingAESKey: encodingAESKey, merchantID: merchantID,
                merchantCertificatePEM: merchantCertificate.pem, apiV3Key: apiV3Key,
                platformPrivateKeyPEM: try platformKey.pem(),
                platformCertificatePEM: platformCertificate.pem, modelKeys: modelKeys))
    }

    private static func certificate(
        for key: RSAPrivateKey, named name: String, random: any RandomSource, now: Timestamp
    ) throws -> Certificate {
        // 20 bytes make the 40 digits of a WeChat serial; the first keeps the number positive and
        // without a leading zero.
        let serial = [0x40 | random.bytes(1)[0] & 0x3f] + random.bytes(19)
        let fiveYearsMilliseconds: Int64 = 5 * 365 * 86_400_000
        return try Certificate.selfSigned(
            by: key, commonName: name, serial: serial,
            notBefore: Timestamp(seconds: now.seconds),
            notAfter: Timestamp(seconds: now.adding(milliseconds: fiveYearsMilliseconds).seconds))
    }
}

extension RandomSource {
    /// So many random characters of `[0-9A-Za-z]`, each equally likely.
    func letters(_ count: Int) -> String {
        symbols(
            count, of: Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8))
    }

    /// So many random decimal digits.
    func digits(_ count: Int) -> String { symbols(count, of: Array("0123456789".utf8)) }

    private func symbols(_ count: Int, of alphabet: [UInt8]) -> String {
        // Bytes past the last whole multiple are drawn again, so that no symbol is favoured.
        let limit = 256 - 256 % alphabet.count
        var result: [UInt8] = []
        while result.count < count {
            for byte in bytes(count) where Int(byte) < limit && result.count < count {
                result.append(alphabet[Int(byte) % alphabet.count])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
