package import Orders
import Synchronization
import TollgateKernel

/// WeChat Pay as a test says: a table of trades, and failures to come.
package final class ScriptedPayments: PaymentGateway {
    private struct State {
        var trades: [String: RemoteTrade] = [:]
        var failures: [PaymentGatewayFailure.Kind] = []
        var calls: [String] = []
        var onClose: (@Sendable () async -> Void)?
        var onCreate: (@Sendable () async -> Void)?
    }

    private let state = Mutex(State())

    /// Makes a WeChat Pay without trades.
    package init() {}

    /// Calls so far, such as `create TG…`.
    package var calls: [String] { state.withLock { $0.calls } }

    /// The next calls fail like this, one each.
    package func failNext(_ kinds: PaymentGatewayFailure.Kind...) {
        state.withLock { $0.failures += kinds }
    }

    /// Runs before the next close is done: where a payment lands in the gap.
    package func beforeClose(_ step: @escaping @Sendable () async -> Void) {
        state.withLock { $0.onClose = step }
    }

    /// Runs before the next order reaches WeChat: a call that is still on its way.
    package func beforeCreate(_ step: @escaping @Sendable () async -> Void) {
        state.withLock { $0.onCreate = step }
    }

    /// Pays a trade; nil if WeChat does not know it.
    @discardableResult
    package func pay(_ number: String, transaction: String = "4200") -> RemoteTrade? {
        state.withLock { state in
            guard var trade = state.trades[number], trade.state == .notPaid else { return nil }
            trade.state = .success
            trade.transactionID = transaction + number
            trade.paidAt = Timestamp(seconds: 1_790_000_100)
            state.trades[number] = trade
            return trade
        }
    }

    /// Changes what WeChat says about a trade.
    package func alter(_ number: String, _ change: (inout RemoteTrade) -> Void) {
        state.withLock { state in
            guard var trade = state.trades[number] else { return }
            change(&trade)
            state.trades[number] = trade
        }
    }

    /// A trade as WeChat has it.
    package func trade(_ number: String) -> RemoteTrade? { state.withLock { $0.trades[number] } }

    private func begin(_ call: String) throws(PaymentGatewayFailure) {
        let failure = state.withLock { state -> PaymentGatewayFailure.Kind? in
            state.calls.append(call)
            return state.failures.isEmpty ? nil : state.failures.removeFirst()
        }
        if let failure { throw PaymentGatewayFailure(failure, message: "scripted") }
    }

    package func createNativeOrder(_ request: NativeOrderRequest)
        async throws(PaymentGatewayFailure)
        -> String
    {
        let step = state.withLock { $0.onCreate }
        await step?()
        state.withLock { state in
            guard state.trades[request.outTradeNumber] == nil else { return }
            state.trades[request.outTradeNumber] = RemoteTrade(
                appID: "wx", merchantID: "mch", outTradeNumber: request.outTradeNumber,
                transactionID: nil, state: .notPaid, total: request.total, currency: "CNY",
                paidAt: nil)
        }
        try begin("create \(request.outTradeNumber)")
        return "weixin://pay/\(request.outTradeNumber)"
    }

    package func queryTrade(outTradeNumber: String) async throws(PaymentGatewayFailure)
        -> RemoteTrade
    {
        try begin("query \(outTradeNumber)")
        guard let trade = trade(outTradeNumber) else {
            throw PaymentGatewayFailure(.notFound, message: "unknown")
        }
        return trade
    }

    package func closeTrade(outTradeNumber: String) async throws(PaymentGatewayFailure) {
        let step = state.withLock { $0.onClose }
        await step?()
        try begin("close \(outTradeNumber)")
        let isPaid = state.withLock { state -> Bool in
            guard state.trades[outTradeNumber]?.state == .notPaid else { return true }
            state.trades[outTradeNumber]?.state = .closed
            return false
        }
        if isPaid { throw PaymentGatewayFailure(.alreadyPaid, message: "ORDER_PAID") }
    }
}
