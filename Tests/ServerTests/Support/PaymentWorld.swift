import Cryptography
import Gateways
import TollgateClient
import TollgateKernel

/// WeChat Pay's side of a notification: its key, and what it would send with it.
struct PaymentWorld: Sendable {
    static let appID = "wx0000000000000001"
    static let merchantID = "1900000001"
    static let serial = "PUB_KEY_ID_0001"
    private static let apiV3Key = Array("0123456789abcdef0123456789abcdef".utf8)
    /// Made once: a key takes a tenth of a second.
    private static let shared = Result { try PaymentWorld() }

    private let merchantKey: RSAPrivateKey
    private let platformKey: RSAPrivateKey

    static func make() throws -> PaymentWorld { try shared.get() }

    private init() throws {
        merchantKey = try RSAPrivateKey.generate()
        platformKey = try RSAPrivateKey.generate()
    }

    var configuration: WeChatPayConfiguration {
        WeChatPayConfiguration(
            baseURL: "http://127.0.0.1:1", merchantID: Self.merchantID, appID: Self.appID,
            merchantCertificateSerial: "7777", merchantKey: merchantKey, apiV3Key: Self.apiV3Key,
            platformKeys: [Self.serial: platformKey.publicKey],
            notifyURL: "https://example.com/callback/wechatpay")
    }

    /// What a notification says.
    struct Payment {
        var outTradeNumber: String
        var id = "EV-1"
        var transactionID = "4200000000202609210000000001"
        /// As it stands in the JSON.
        var total = "100"
        var appID = PaymentWorld.appID
        var merchantID = PaymentWorld.merchantID
        var eventType = "TRANSACTION.SUCCESS"

        fileprivate var trade: String {
            """
            {"appid":"\(appID)","mchid":"\(merchantID)","out_trade_no":"\(outTradeNumber)",\
            "transaction_id":"\(transactionID)","trade_type":"NATIVE","trade_state":"SUCCESS",\
            "trade_state_desc":"支付成功","success_time":"2026-09-21T21:33:20+08:00",\
            "payer":{"openid":"o1"},"amount":{"total":\(total),"payer_total":\(total),\
            "currency":"CNY","payer_currency":"CNY"}}
            """
        }
    }

    /// The body: the trade, sealed.
    func body(of payment: Payment) throws -> [UInt8] {
        let nonce = "abcdefghijkl"
        let sealed = try AES256GCM.seal(
            Array(payment.trade.utf8), key: Self.apiV3Key, nonce: Array(nonce.utf8),
            associatedData: Array("transaction".utf8))
        return Array(
            """
            {"id":"\(payment.id)","create_time":"2026-09-21T21:33:21+08:00",\
            "resource_type":"encrypt-resource","event_type":"\(payment.eventType)",\
            "summary":"支付成功","resource":{"original_type":"transaction",\
            "algorithm":"AEAD_AES_256_GCM","ciphertext":"\(Base64.encode(sealed))",\
            "associated_data":"transaction","nonce":"\(nonce)"}}
            """.utf8)
    }

    /// A notification, rightly signed over its body.
    func notification(
        _ body: [UInt8], at now: Timestamp, serial: String = serial
    ) throws -> V1.NotifyPaymentRequest {
        let nonce = "c5ac7061fccab6bf3e254dcf98995b8c"
        let signature = try platformKey.sign(
            Array("\(now.seconds)\n\(nonce)\n".utf8) + body + [0x0a])
        return V1.NotifyPaymentRequest(
            headers: [
                V1.CallbackHeader(name: "Wechatpay-Timestamp", value: String(now.seconds)),
                V1.CallbackHeader(name: "Wechatpay-Nonce", value: nonce),
                V1.CallbackHeader(name: "Wechatpay-Serial", value: serial),
                V1.CallbackHeader(
                    name: "Wechatpay-Signature", value: Base64.encode(signature)),
                V1.CallbackHeader(
                    name: "Wechatpay-Signature-Type", value: "WECHATPAY2-SHA256-RSA2048"),
            ], body: body)
    }
}
