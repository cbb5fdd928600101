internal import Cryptography
package import Orders
package import TollgateKernel

/// WeChat Pay v3 over libcurl: native order, query, close (payments reference, 1.2 to 1.4).
package struct WeChatPayGateway: PaymentGateway {
    private let configuration: WeChatPayConfiguration
    private let caller: WeChatPayCaller
    private let keys: PlatformKeys
    private let clock: any WallClock

    /// Makes a gateway that believes answers signed with these keys.
    package init(
        configuration: WeChatPayConfiguration, keys: PlatformKeys, transfers: HTTPTransfers,
        clock: any WallClock, random: any RandomSource
    ) {
        self.configuration = configuration
        self.keys = keys
        self.clock = clock
        caller = WeChatPayCaller(
            configuration: configuration, transfers: transfers, clock: clock, random: random)
    }

    package func createNativeOrder(_ request: NativeOrderRequest)
        async throws(PaymentGatewayFailure) -> String
    {
        try check(outTradeNumber: request.outTradeNumber)
        guard (1...127).contains(request.description.utf8.count),
            (1...Limits.paymentTotalFen).contains(request.total.fen)
        else {
            throw PaymentGatewayFailure(
                .refused, message: "A description has 1 to 127 bytes, a price is positive")
        }
        let body: JSONValue = [
            "appid": .string(configuration.appID), "mchid": .string(configuration.merchantID),
            "description": .string(request.description),
            "out_trade_no": .string(request.outTradeNumber),
            "time_expire": .string(Dates.shanghaiRFC3339(request.expiresAt)),
            "notify_url": .string(configuration.notifyURL),
            "amount": ["total": .integer(request.total.fen), "currency": "CNY"],
        ]
        let answer = try await call(.post, "/v3/pay/transactions/native", body: body.encoded())
        guard answer.head.status == 200, let json = try? JSONValue(parsing: answer.body),
            let codeURL = json["code_url"]?.text, (1...512).contains(codeURL.utf8.count)
        else { throw Self.unreadable }
        return codeURL
    }

    package func queryTrade(outTradeNumber: String) async throws(PaymentGatewayFailure)
        -> RemoteTrade
    {
        try check(outTradeNumber: outTradeNumber)
        let answer = try await call(
            .get,
            "/v3/pay/transactions/out-trade-no/\(percentEncoded(outTradeNumber))"
                + "?mchid=\(percentEncoded(configuration.merchantID))")
        guard answer.head.status == 200, let json = try? JSONValue(parsing: answer.body),
            let trade = RemoteTrade(json)
        else { throw Self.unreadable }
        // Rightly signed, but the answer to another question: replayed on the way.
        guard trade.outTradeNumber == outTradeNumber else {
            throw PaymentGatewayFailure(.forgedAnswer, message: "The answer is about another trade")
        }
        guard trade.appID == configuration.appID, trade.merchantID == configuration.merchantID
        else {
            throw PaymentGatewayFailure(
                .misconfigured, message: "The trade belongs to another appid or merchant")
        }
        return trade
    }

    package func closeTrade(outTradeNumber: String) async throws(PaymentGatewayFailure) {
        try check(outTradeNumber: outTradeNumber)
        let body: JSONValue = ["mchid": .string(configuration.merchantID)]
        do throws(PaymentGatewayFailure) {
            let answer = try await call(
                .post,
                "/v3/pay/transactions/out-trade-no/\(percentEncoded(outTradeNumber))/close",
                body: body.encoded())
            guard answer.head.status == 204 || answer.head.status == 200 else {
                throw Self.unreadable
            }
        } catch {
            // Closing twice is closing.
            guard error.kind == .alreadyClosed else { throw error }
        }
    }

    /// Signs, sends and verifies one call; the answer is 2xx.
    private func call(_ method: OutgoingRequest.Method, _ path: String, body: [UInt8] = [])
        async throws(PaymentGatewayFailure) -> OutgoingResponse
    {
        let answer = try await caller.send(method, path, body: body)
        guard (200..<300).contains(answer.head.status) else {
            throw WeChatPayErrors.failure(status: answer.head.status, body: answer.body)
        }
        do {
            let now = clock.now()
            let keys = try await keys.keys(for: answer.head.only("wechatpay-serial"), at: now)
            try WeChatPaySignature.verify(
                body: answer.body, keys: keys, now: now, values: answer.head.values)
        } catch is CancellationError {
            throw PaymentGatewayFailure(.unknownOutcome, message: "Cancelled by the caller")
        } catch let failure as PaymentGatewayFailure {
            throw failure
        } catch {
            throw PaymentGatewayFailure(
                .forgedAnswer, message: "An answer's signature was refused: \(error)")
        }
        return answer
    }

    private static let unreadable = PaymentGatewayFailure(
        .unknownOutcome, message: "A signed answer is not what was asked for")

    /// 6 to 32 of `[0-9A-Za-z_|*-]`, as section 1.2 has it.
    private func check(outTradeNumber: String) throws(PaymentGatewayFailure) {
        guard (6...32).contains(outTradeNumber.utf8.count),
            outTradeNumber.utf8.allSatisfy({ Self.isUnreserved($0) || $0 == 0x7c || $0 == 0x2a })
        else { throw PaymentGatewayFailure(.refused, message: "No order has such a number") }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
        default: false
        }
    }
}
