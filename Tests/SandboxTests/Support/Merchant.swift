import Cryptography
import Testing
import TollgateKernel

@testable import Sandbox

/// Tollgate's side of WeChat Pay, for tests: signs requests, checks answers and notifications.
struct Merchant: Sendable {
    let sandbox: RunningSandbox
    var keys: SandboxKeys.TollgateHalf { sandbox.keys.tollgate }

    /// What a request says otherwise than a right one.
    struct Changes: Sendable {
        var ageSeconds: Int64 = 0
        var serial: String?
        var merchantID: String?
        var signedBody: String?
        var privateKey: RSAPrivateKey?
    }

    /// Sends a signed request; fails the test if the answer is not rightly signed.
    func send(
        _ method: String, _ target: String, body: String = "", changes: Changes = Changes()
    ) async throws -> (status: Int, json: JSONValue?, code: String?) {
        let random = SystemRandom()
        let timestamp = SystemClock().now().seconds - changes.ageSeconds
        let nonce = random.letters(32)
        let signed = changes.signedBody ?? body
        let message = "\(method)\n\(target)\n\(timestamp)\n\(nonce)\n\(signed)\n"
        let key = try changes.privateKey ?? RSAPrivateKey(pem: keys.merchantPrivateKeyPEM)
        let signature = Base64.encode(try key.sign(Array(message.utf8)))
        let response = try await sandbox.send(
            method, target,
            headers: [
                ("Accept", "application/json"), ("User-Agent", "tollgate-test"),
                ("Content-Type", "application/json"),
                (
                    "Authorization",
                    "WECHATPAY2-SHA256-RSA2048 mchid=\"\(changes.merchantID ?? keys.merchantID)\","
                        + "nonce_str=\"\(nonce)\",signature=\"\(signature)\","
                        + "timestamp=\"\(timestamp)\","
                        + "serial_no=\"\(changes.serial ?? keys.merchantSerial)\""
                ),
            ], body: body)
        try check(headers: { response.header($0) ?? "" }, body: response.body)
        #expect(response.header("Request-ID")?.contains("-") == true)
        let json = JSONValue(parsing: response.body)
        return (response.status, json, json?["code"]?.stringValue)
    }

    /// Checks the platform's signature.
    func check(headers: (String) -> String, body: [UInt8]) throws {
        #expect(headers("Wechatpay-Serial") == keys.platformSerial)
        let timestamp = headers("Wechatpay-Timestamp")
        let nonce = headers("Wechatpay-Nonce")
        #expect(nonce.utf8.count == 32)
        #expect(Int64(timestamp) != nil)
        let signature = try #require(Base64.decode(headers("Wechatpay-Signature")))
        let message = Array("\(timestamp)\n\(nonce)\n".utf8) + body + [0x0a]
        let key = try RSAPublicKey(pem: keys.platformPublicKeyPEM)
        #expect(try key.isValid(signature: signature, for: message))
    }

    /// Decrypts a `resource` or `encrypt_certificate`.
    func open(_ resource: JSONValue?) throws -> String {
        let sealed = try #require(
            resource?["ciphertext"]?.stringValue.flatMap { Base64.decode($0) })
        let nonce = try #require(resource?["nonce"]?.stringValue)
        let associated = try #require(resource?["associated_data"]?.stringValue)
        let plain = try AES256GCM.open(
            sealed, key: Array(keys.apiV3Key.utf8), nonce: Array(nonce.utf8),
            associatedData: Array(associated.utf8))
        return String(decoding: plain, as: UTF8.self)
    }

    /// The body of a native order.
    func orderBody(
        _ number: String, fen: Int = 990, notifyURL: String = "http://127.0.0.1:1/notify",
        expire: Timestamp? = nil
    ) -> String {
        let expiry = expire.map { #","time_expire":"\#(RFC3339.text($0))""# } ?? ""
        return #"""
            {"appid":"\#(keys.appID)","mchid":"\#(keys.merchantID)","description":"100 credits",
             "out_trade_no":"\#(number)","notify_url":"\#(notifyURL)"\#(expiry),
             "amount":{"total":\#(fen),"currency":"CNY"}}
            """#
    }

    /// Places an order that must succeed; the answer is its `code_url`.
    func place(
        _ number: String, fen: Int = 990, notifyURL: String = "http://127.0.0.1:1/notify",
        expire: Timestamp? = nil
    ) async throws -> String {
        let answer = try await send(
            "POST", "/v3/pay/transactions/native",
            body: orderBody(number, fen: fen, notifyURL: notifyURL, expire: expire))
        #expect(answer.status == 200)
        return try #require(answer.json?["code_url"]?.stringValue)
    }

    /// Queries a trade.
    func query(_ number: String) async throws -> (status: Int, json: JSONValue?, code: String?) {
        try await send(
            "GET", "/v3/pay/transactions/out-trade-no/\(number)?mchid=\(keys.merchantID)")
    }

    /// Closes a trade.
    func close(_ number: String) async throws -> (status: Int, json: JSONValue?, code: String?) {
        try await send(
            "POST", "/v3/pay/transactions/out-trade-no/\(number)/close",
            body: #"{"mchid":"\#(keys.merchantID)"}"#)
    }
}
