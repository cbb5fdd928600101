import Cryptography
import Gateways
import Orders
import TollgateKernel

/// Both sides' keys, and what WeChat Pay would send with them.
struct WeChatPayWorld: Sendable {
    static let now = Timestamp(seconds: 1_767_225_600)
    static let apiV3Key = Array("0123456789abcdef0123456789abcdef".utf8)
    /// Made once: a key takes a tenth of a second.
    private static let shared = Result { try WeChatPayWorld() }

    let merchantKey: RSAPrivateKey
    let platformKey: RSAPrivateKey
    let strangerKey: RSAPrivateKey
    let platformSerial: String

    static func make() throws -> WeChatPayWorld { try shared.get() }

    private init() throws {
        merchantKey = try RSAPrivateKey.generate()
        platformKey = try RSAPrivateKey.generate()
        strangerKey = try RSAPrivateKey.generate()
        platformSerial = try Certificate.selfSigned(
            by: platformKey, commonName: "Platform", serial: [0x5e, 0xab, 0xcd],
            notBefore: Timestamp(seconds: 0), notAfter: Timestamp(seconds: 4_000_000_000)
        ).serialNumber
    }

    func configuration(
        baseURL: String = "http://127.0.0.1:1", timeouts: TransferTimeouts = TransferTimeouts()
    ) -> WeChatPayConfiguration {
        WeChatPayConfiguration(
            baseURL: baseURL, merchantID: "1900000001", appID: "wx0000000000000001",
            merchantCertificateSerial: "7777", merchantKey: merchantKey,
            apiV3Key: Self.apiV3Key, platformKeys: [platformSerial: platformKey.publicKey],
            notifyURL: "https://example.com/callback/wechatpay", timeouts: timeouts)
    }

    /// The five header fields WeChat Pay signs a body with.
    func headers(
        signing body: [UInt8], seconds: Int64 = now.seconds, serial: String? = nil,
        key: RSAPrivateKey? = nil, nonce: String = "c5ac7061fccab6bf3e254dcf98995b8c"
    ) throws -> [(name: String, value: String)] {
        let message = Array("\(seconds)\n\(nonce)\n".utf8) + body + [0x0a]
        let signature = try (key ?? platformKey).sign(message)
        return [
            ("Wechatpay-Timestamp", String(seconds)), ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", serial ?? platformSerial),
            ("Wechatpay-Signature", Base64.encode(signature)),
            ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048"),
        ]
    }

    static let trade = """
        {"appid":"wx0000000000000001","mchid":"1900000001","out_trade_no":"order1",\
        "transaction_id":"4200000000202601010000000001","trade_type":"NATIVE",\
        "trade_state":"SUCCESS","trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"",\
        "success_time":"2026-01-01T08:00:00+08:00","payer":{"openid":"o1"},\
        "amount":{"total":1234,"payer_total":1234,"currency":"CNY","payer_currency":"CNY"}}
        """

    /// A notification's body around a text.
    static func envelope(
        _ plaintext: String, associatedData: String? = "transaction",
        nonce: String = "abcdefghijkl", algorithm: String = "AEAD_AES_256_GCM",
        eventType: String = "TRANSACTION.SUCCESS", key: [UInt8] = apiV3Key
    ) throws -> [UInt8] {
        let sealed = try AES256GCM.seal(
            Array(plaintext.utf8), key: key, nonce: Array("abcdefghijkl".utf8),
            associatedData: Array((associatedData ?? "").utf8))
        let data = associatedData.map { ",\"associated_data\":\"\($0)\"" } ?? ""
        return Array(
            """
            {"id":"EV-1","create_time":"2026-01-01T08:00:01+08:00",\
            "resource_type":"encrypt-resource","event_type":"\(eventType)","summary":"支付成功",\
            "resource":{"original_type":"transaction","algorithm":"\(algorithm)",\
            "ciphertext":"\(Base64.encode(sealed))"\(data),"nonce":"\(nonce)"}}
            """.utf8)
    }

    /// A notification, rightly signed over its body.
    func notification(_ body: [UInt8], seconds: Int64 = now.seconds) throws
        -> RawPaymentNotification
    {
        RawPaymentNotification(headers: try headers(signing: body, seconds: seconds), body: body)
    }
}
