import Cryptography
import Foundation
import Gateways
import Orders
import Synchronization
import Testing
import TollgateKernel

/// The client against a server that signs as WeChat Pay does, or wrongly.
@Suite(.timeLimit(.minutes(1)))
struct WeChatPayGatewayTests {
    private let world: WeChatPayWorld

    init() throws { world = try WeChatPayWorld.make() }

    private static let order = NativeOrderRequest(
        outTradeNumber: "order1", description: "Quota, 100 \"chats\"", total: Money(fen: 1_234),
        expiresAt: WeChatPayWorld.now)

    @Test
    func `an order is signed over the bytes sent and gives its code`() async throws {
        let world = world
        let seen = Mutex<RawRequest?>(nil)
        let url = try await withPay { request in
            seen.withLock { $0 = request }
            return Answer(200, #"{"code_url":"weixin://wxpay/bizpayurl?pr=NwY5Mz9"}"#)
        } _: { gateway in
            try await gateway.createNativeOrder(Self.order)
        }
        #expect(url == "weixin://wxpay/bizpayurl?pr=NwY5Mz9")
        let request = try #require(seen.withLock { $0 })
        #expect(request.line == "POST /v3/pay/transactions/native HTTP/1.1")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == #"{"appid":"wx0000000000000001","mchid":"1900000001","#
                + #""description":"Quota, 100 \"chats\"","out_trade_no":"order1","#
                + #""time_expire":"2026-01-01T08:00:00+08:00","#
                + #""notify_url":"https://example.com/callback/wechatpay","#
                + #""amount":{"total":1234,"currency":"CNY"}}"#)
        #expect(request.header("accept") == "application/json")
        #expect(request.header("content-type") == "application/json")
        #expect(request.header("user-agent")?.isEmpty == false)
        try expectSigned(request, by: world.merchantKey.publicKey)
    }

    @Test
    func `a query is signed with its query and gives the trade`() async throws {
        let seen = Mutex<RawRequest?>(nil)
        let trade = try await withPay { request in
            seen.withLock { $0 = request }
            return Answer(
                200, WeChatPayWorld.trade.replacingOccurrences(of: "order1", with: "or|d*e-r_1"))
        } _: { gateway in
            try await gateway.queryTrade(outTradeNumber: "or|d*e-r_1")
        }
        #expect(trade.state == .success)
        #expect(trade.total == Money(fen: 1_234))
        let request = try #require(seen.withLock { $0 })
        #expect(
            request.path == "/v3/pay/transactions/out-trade-no/or%7Cd%2Ae-r_1?mchid=1900000001")
        try expectSigned(request, by: world.merchantKey.publicKey)
    }

    @Test(arguments: [
        ("NOTPAY", RemoteTrade.State.notPaid), ("CLOSED", .closed), ("USERPAYING", .other),
        ("PAYERROR", .other), ("SOMETHING_NEW", .other),
    ])
    func `an unpaid trade has no transaction`(name: String, state: RemoteTrade.State) async throws {
        let trade = try await withPay { _ in
            Answer(
                200,
                #"{"appid":"wx0000000000000001","mchid":"1900000001","out_trade_no":"order1","#
                    + #""trade_state":"\#(name)","amount":{"total":5,"currency":"CNY"}}"#)
        } _: { gateway in
            try await gateway.queryTrade(outTradeNumber: "order1")
        }
        #expect(trade.state == state)
        #expect(trade.transactionID == nil)
        #expect(trade.paidAt == nil)
    }

    @Test
    func `closing is a 204 signed over an empty body`() async throws {
        let seen = Mutex<RawRequest?>(nil)
        try await withPay { request in
            seen.withLock { $0 = request }
            return Answer(204, "")
        } _: { gateway in
            try await gateway.closeTrade(outTradeNumber: "order1")
        }
        let request = try #require(seen.withLock { $0 })
        #expect(request.path == "/v3/pay/transactions/out-trade-no/order1/close")
        #expect(String(decoding: request.body, as: UTF8.self) == #"{"mchid":"1900000001"}"#)
        try expectSigned(request, by: world.merchantKey.publicKey)
    }

    @Test(arguments: ["ORDER_CLOSED", "ORDERCLOSED"])
    func `closing what is closed succeeds`(code: String) async throws {
        try await withPay { _ in
            Answer(400, #"{"code":"\#(code)"}"#)
        } _: { gateway in
            try await gateway.closeTrade(outTradeNumber: "order1")
        }
    }

    @Test(arguments: [
        (400, "PARAM_ERROR", PaymentGatewayFailure.Kind.refused),
        (400, "INVALID_REQUEST", .refused),
        (400, "APPID_MCHID_NOT_MATCH", .misconfigured), (400, "MCH_NOT_EXISTS", .misconfigured),
        (400, "ORDER_CLOSED", .alreadyClosed), (400, "ORDERCLOSED", .alreadyClosed),
        (400, "ORDER_PAID", .alreadyPaid), (403, "ORDERPAID", .alreadyPaid),
        (500, "ORDER_PAID", .alreadyPaid), (401, "SIGN_ERROR", .misconfigured),
        (403, "NO_AUTH", .misconfigured), (403, "NOAUTH", .misconfigured),
        (403, "OUT_TRADE_NO_USED", .refused), (403, "RULELIMIT", .refused),
        (403, "TRADE_ERROR", .refused), (404, "ORDER_NOT_EXIST", .notFound),
        (404, "ORDERNOTEXIST", .notFound), (404, "RESOURCE_NOT_EXISTS", .notFound),
        (404, "", .misconfigured), (404, "<html>", .misconfigured),
        (429, "FREQUENCY_LIMITED", .rateLimited), (429, "RATELIMIT_EXCEED", .rateLimited),
        (429, "RATELIMIT_EXCEEDED", .rateLimited), (429, "", .rateLimited),
        (500, "SYSTEM_ERROR", .unknownOutcome), (500, "SYSTEMERROR", .unknownOutcome),
        (502, "BANK_ERROR", .unknownOutcome), (503, "", .unknownOutcome),
        (500, "ORDER_NOT_EXIST", .unknownOutcome), (418, "TEAPOT", .refused),
        (302, "", .misconfigured),
    ])
    func `refusals mean what the table says`(
        status: Int, code: String, kind: PaymentGatewayFailure.Kind
    ) async throws {
        let failure = await #expect(throws: PaymentGatewayFailure.self) {
            try await withPay { _ in
                Answer(status, code.hasPrefix("<") ? code : #"{"code":"\#(code)","message":"x"}"#)
            } _: { gateway in
                try await gateway.queryTrade(outTradeNumber: "order1")
            }
        }
        #expect(failure?.kind == kind)
        if code.hasPrefix("O") { #expect(failure?.remoteCode == code) }
    }

    @Test(arguments: Answer.Fault.allCases)
    func `an answer with a wrong signature is treated as forged`(fault: Answer.Fault) async throws {
        for (status, body) in [(200, WeChatPayWorld.trade), (204, "")] {
            let failure = await #expect(throws: PaymentGatewayFailure.self) {
                try await withPay { _ in
                    Answer(status, body, fault: fault)
                } _: { gateway in
                    if status == 204 {
                        try await gateway.closeTrade(outTradeNumber: "order1")
                    } else {
                        _ = try await gateway.queryTrade(outTradeNumber: "order1")
                    }
                }
            }
            #expect(failure?.kind == .forgedAnswer)
        }
    }

    @Test
    func `a rightly signed answer about another trade or merchant is refused`() async throws {
        for (from, to, kind) in [
            ("order1", "order2", PaymentGatewayFailure.Kind.forgedAnswer),
            ("1900000001", "1900000002", .misconfigured),
            ("wx0000000000000001", "wx0000000000000002", .misconfigured),
        ] {
            let failure = await #expect(throws: PaymentGatewayFailure.self) {
                try await withPay { _ in
                    Answer(200, WeChatPayWorld.trade.replacingOccurrences(of: from, with: to))
                } _: { gateway in
                    try await gateway.queryTrade(outTradeNumber: "order1")
                }
            }
            #expect(failure?.kind == kind)
        }
    }

    @Test(arguments: ["", "{}", "[]", #"{"code_url":1}"#, #"{"code_url":""}"#, "{\"code_url\":\"a"])
    func `a signed answer that cannot be read leaves the outcome unknown`(body: String)
        async throws
    {
        let failure = await #expect(throws: PaymentGatewayFailure.self) {
            try await withPay { _ in
                Answer(200, body)
            } _: { gateway in
                try await gateway.createNativeOrder(Self.order)
            }
        }
        #expect(failure?.kind == .unknownOutcome)
    }

    @Test
    func `silence, loss and refusal of the connection leave the outcome unknown`() async throws {
        let silent = try RawServer { connection in
            _ = connection.readRequest()
            _ = connection.waitForClose(milliseconds: 5_000)
        }
        let cutting = try RawServer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }
        let gone = try RawServer { _ in }
        gone.stop()
        defer {
            silent.stop()
            cutting.stop()
        }
        for server in [silent, cutting, gone] {
            let failure = await #expect(throws: PaymentGatewayFailure.self) {
                try await withTransfers { transfers in
                    try await gateway(server.url, transfers).createNativeOrder(Self.order)
                }
            }
            #expect(failure?.kind == .unknownOutcome)
        }
    }

    @Test(arguments: [
        "", "short", String(repeating: "a", count: 33), "a b c d", "order/1", "订单号码1",
    ])
    func `numbers WeChat Pay would refuse are not sent`(number: String) async throws {
        let failure = await #expect(throws: PaymentGatewayFailure.self) {
            try await withPay { _ in
                Answer(500, "")
            } _: { gateway in
                try await gateway.queryTrade(outTradeNumber: number)
            }
        }
        #expect(failure?.kind == .refused)
    }

    @Test
    func `the configuration prints no secrets`() {
        let configuration = world.configuration()
        let secret = String(decoding: WeChatPayWorld.apiV3Key, as: UTF8.self)
        #expect("\(configuration)" == "WeChatPayConfiguration(1900000001 at http://127.0.0.1:1)")
        #expect(!String(reflecting: configuration).contains(secret))
        #expect(!String(reflecting: configuration).contains("48, 49, 50"))
    }

    // MARK: Helpers

    private func gateway(_ url: String, _ transfers: HTTPTransfers) -> WeChatPayGateway {
        WeChatPayGateway(
            configuration: world.configuration(
                baseURL: url,
                timeouts: TransferTimeouts(firstByteMilliseconds: 500, idleMilliseconds: 500)),
            keys: PlatformKeys(fixed: [world.platformSerial: world.platformKey.publicKey]),
            transfers: transfers, clock: FixedClock(moment: WeChatPayWorld.now),
            random: SystemRandom())
    }

    /// Serves one gateway with signed answers.
    @discardableResult
    private func withPay<Value>(
        _ answer: @escaping @Sendable (RawRequest) -> Answer,
        _ body: (WeChatPayGateway) async throws -> Value
    ) async throws -> Value {
        let world = world
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                guard let bytes = try? answer(request).bytes(world) else { return }
                connection.send(bytes)
            }
        }
        defer { server.stop() }
        return try await withTransfers { transfers in
            try await body(gateway(server.url, transfers))
        }
    }

    /// Checks the `Authorization` field over what arrived, as WeChat Pay does.
    private func expectSigned(_ request: RawRequest, by key: RSAPublicKey) throws {
        let field = try #require(request.header("authorization"))
        let scheme = "WECHATPAY2-SHA256-RSA2048 "
        #expect(field.hasPrefix(scheme))
        var parts: [String: String] = [:]
        for part in field.dropFirst(scheme.count).split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            parts[String(pair[0])] = String(pair[1].dropFirst().dropLast())
        }
        #expect(parts["mchid"] == "1900000001")
        #expect(parts["serial_no"] == "7777")
        #expect(parts["timestamp"] == String(WeChatPayWorld.now.seconds))
        let nonce = try #require(parts["nonce_str"])
        #expect(nonce.utf8.count == 32)
        let message =
            "\(request.method)\n\(request.path)\n\(WeChatPayWorld.now.seconds)\n\(nonce)\n"
            + String(decoding: request.body, as: UTF8.self) + "\n"
        let signature = try #require(parts["signature"].flatMap { Base64.decode($0) })
        #expect(try key.isValid(signature: signature, for: Array(message.utf8)))
    }
}

/// What the test's WeChat Pay answers.
struct Answer: Sendable {
    /// Ways to get a signature wrong.
    enum Fault: CaseIterable, Sendable {
        case changedBody
        case stale
        case ahead
        case unknownSerial
        case otherSigner
        case noSignature
        case noTimestamp
        case twice
        case otherAlgorithm
    }

    var status: Int
    var body: String
    var fault: Fault?

    init(_ status: Int, _ body: String, fault: Fault? = nil) {
        self.status = status
        self.body = body
        self.fault = fault
    }

    func bytes(_ world: WeChatPayWorld) throws -> [UInt8] {
        let signed = fault == .changedBody ? body + " " : body
        let offset: Int64 = fault == .stale ? -300 : fault == .ahead ? 300 : 0
        var headers = try world.headers(
            signing: Array(signed.utf8), seconds: WeChatPayWorld.now.seconds + offset,
            serial: fault == .unknownSerial ? "5EABCE" : nil,
            key: fault == .otherSigner ? world.strangerKey : nil)
        if fault == .noSignature { headers.remove(at: 3) }
        if fault == .noTimestamp { headers.remove(at: 0) }
        if fault == .twice { headers.append(headers[3]) }
        if fault == .otherAlgorithm { headers[4].value = "WECHATPAY2-SM2-WITH-SM3" }
        let lines = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        let length = status == 204 ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return Array("HTTP/1.1 \(status) X\r\n\(length)\(lines)\r\n\(body)".utf8)
    }
}
