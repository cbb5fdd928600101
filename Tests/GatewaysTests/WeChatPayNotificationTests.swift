import Cryptography
import Gateways
import Orders
import Testing
import TollgateKernel

struct WeChatPayNotificationTests {
    private let world: WeChatPayWorld
    private let verifier: WeChatPayNotificationVerifier

    init() throws {
        world = try WeChatPayWorld.make()
        let configuration = world.configuration()
        verifier = WeChatPayNotificationVerifier(
            configuration: configuration, keys: PlatformKeys(fixed: configuration.platformKeys))
    }

    private func verify(_ raw: RawPaymentNotification) throws(Failure)
        -> VerifiedPaymentNotification
    {
        try verifier.verify(raw, now: WeChatPayWorld.now)
    }

    private func code(_ raw: RawPaymentNotification) -> Failure.Code? {
        do throws(Failure) {
            _ = try verify(raw)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: ["transaction", "", nil] as [String?])
    func `a right notification gives its trade`(associatedData: String?) throws {
        let body = try WeChatPayWorld.envelope(
            WeChatPayWorld.trade, associatedData: associatedData)
        let verified = try verify(try world.notification(body))
        #expect(verified.notificationID == "EV-1")
        #expect(verified.eventType == "TRANSACTION.SUCCESS")
        #expect(
            verified.trade
                == RemoteTrade(
                    appID: "wx0000000000000001", merchantID: "1900000001",
                    outTradeNumber: "order1", transactionID: "4200000000202601010000000001",
                    state: .success, total: Money(fen: 1_234), currency: "CNY",
                    paidAt: Timestamp(seconds: 1_767_225_600)))
    }

    @Test
    func `header names are read in any letter case`() throws {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let raw = try world.notification(body)
        let headers = raw.headers.map { (name: $0.name.uppercased(), value: $0.value) }
        #expect(code(RawPaymentNotification(headers: headers, body: body)) == nil)
    }

    @Test
    func `every changed bit of the body is refused as unauthenticated`() throws {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let headers = try world.notification(body).headers
        for bit in 0..<(body.count * 8) {
            var changed = body
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(
                code(RawPaymentNotification(headers: headers, body: changed)) == .unauthenticated)
        }
    }

    @Test
    func `every changed bit of every header is refused as unauthenticated`() throws {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let headers = try world.notification(body).headers
        for index in headers.indices {
            let value = Array(headers[index].value.utf8)
            for bit in 0..<(value.count * 8) {
                var changed = value
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                var all = headers
                all[index].value = String(decoding: changed, as: UTF8.self)
                #expect(
                    code(RawPaymentNotification(headers: all, body: body)) == .unauthenticated)
            }
        }
    }

    @Test
    func `each signed header must be there exactly once`() throws {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let headers = try world.notification(body).headers
        for index in headers.indices {
            var twice = headers
            twice.append(headers[index])
            #expect(code(RawPaymentNotification(headers: twice, body: body)) == .unauthenticated)
            var missing = headers
            missing.remove(at: index)
            // The type alone may be left out: some senders do, and it says nothing new.
            let expected: Failure.Code? =
                headers[index].name == "Wechatpay-Signature-Type" ? nil : .unauthenticated
            #expect(code(RawPaymentNotification(headers: missing, body: body)) == expected)
        }
        #expect(code(RawPaymentNotification(headers: [], body: body)) == .unauthenticated)
    }

    @Test(
        arguments: [
            (-299, true), (299, true), (-300, false), (300, false), (-301, false), (301, false),
            (-1_767_225_600, false), (900_000_000_000, false),
        ] as [(Int64, Bool)])
    func `it is believed for less than 300 seconds, before and after`(offset: Int64, fresh: Bool)
        throws
    {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let raw = try world.notification(body, seconds: WeChatPayWorld.now.seconds + offset)
        #expect(code(raw) == (fresh ? nil : .unauthenticated))
    }

    @Test(arguments: ["", "-1", "+1767225600", " 1767225600", "1767225600.0", "9999999999999"])
    func `a time of another form is refused, even under a right signature`(text: String) throws {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        var headers = try world.notification(body).headers
        let message = Array("\(text)\n\(headers[1].value)\n".utf8) + body + [0x0a]
        headers[0].value = text
        headers[3].value = Base64.encode(try world.platformKey.sign(message))
        #expect(code(RawPaymentNotification(headers: headers, body: body)) == .unauthenticated)
    }

    @Test
    func `another signer, serial or probe is refused`() throws {
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let byStranger = try world.headers(signing: body, key: world.strangerKey)
        #expect(code(RawPaymentNotification(headers: byStranger, body: body)) == .unauthenticated)
        let otherSerial = try world.headers(signing: body, serial: "5EABCE")
        #expect(code(RawPaymentNotification(headers: otherSerial, body: body)) == .unauthenticated)
        var probe = try world.headers(signing: body)
        probe[3].value = "WECHATPAY/SIGNTEST/" + probe[3].value
        #expect(code(RawPaymentNotification(headers: probe, body: body)) == .unauthenticated)
    }

    @Test
    func `empty and oversized bodies are refused before anything else`() throws {
        #expect(code(RawPaymentNotification(headers: [], body: [])) == .invalidRequest)
        let large = [UInt8](repeating: 0x20, count: Limits.paymentNotificationBytes + 1)
        #expect(code(try world.notification(large)) == .invalidRequest)
    }

    @Test(arguments: [
        #""total":"1234""#, #""total":1234.0"#, #""total":1.234e3"#, #""total":-1234"#,
        #""total":0"#, #""total":9223372036854775808"#, #""total":9223372036854775807"#,
        #""total":null"#, #""total":[1234]"#, #""x":1234"#, #""total":1234,"total":1"#,
        #""total":01234"#,
    ])
    func `amounts that are no whole positive fen are refused under a right signature`(
        amount: String
    ) throws {
        let text = WeChatPayWorld.trade.replacing(
            #""total":1234"#, with: amount, maxReplacements: 1)
        #expect(text != WeChatPayWorld.trade)
        #expect(
            code(try world.notification(try WeChatPayWorld.envelope(text))) == .invalidRequest)
    }

    @Test(arguments: [
        ("wx0000000000000001", "wx0000000000000002", Failure.Code.forbidden),
        ("1900000001", "1900000002", .forbidden),
        (#""trade_state":"SUCCESS","#, "", .invalidRequest),
        (#""transaction_id":"4200000000202601010000000001","#, "", .invalidRequest),
        (#""currency":"CNY","#, "", .invalidRequest),
        ("2026-01-01T08", "2026-13-01T08", .invalidRequest),
        (#""attach":"","#, #""attach":"","attach":"","#, .invalidRequest),
        ("}}", "}", .invalidRequest),
    ])
    func `other trades under a right signature are refused`(
        text: String, replacement: String, expected: Failure.Code
    ) throws {
        let changed = WeChatPayWorld.trade.replacing(text, with: replacement)
        #expect(changed != WeChatPayWorld.trade)
        #expect(code(try world.notification(try WeChatPayWorld.envelope(changed))) == expected)
    }

    @Test
    func `wrong encryption under a right signature is refused`() throws {
        let trade = WeChatPayWorld.trade
        let otherKey = [UInt8](repeating: 1, count: 32)
        let cases: [([UInt8], Failure.Code)] = [
            (try WeChatPayWorld.envelope(trade, key: otherKey), .unauthenticated),
            (try WeChatPayWorld.envelope(trade, nonce: "abcdefghijk"), .unauthenticated),
            (try WeChatPayWorld.envelope(trade, nonce: "abcdefghijklm"), .unauthenticated),
            (try WeChatPayWorld.envelope(trade, nonce: "abcdefghijkm"), .unauthenticated),
            (try WeChatPayWorld.envelope(trade, algorithm: "AES_256_CBC"), .invalidRequest),
            (try WeChatPayWorld.envelope(trade, eventType: "REFUND.SUCCESS"), .invalidRequest),
        ]
        for (body, expected) in cases { #expect(code(try world.notification(body)) == expected) }
    }

    @Test(arguments: [
        "", "null", "[]", "{}", "{", #"{"id":"EV-1"}"#,
        String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000),
        #"{"id":"a","id":"b"}"#,
    ])
    func `signed texts that are no notification are refused`(text: String) throws {
        #expect(code(try world.notification(Array(text.utf8))) == .invalidRequest)
    }
}
