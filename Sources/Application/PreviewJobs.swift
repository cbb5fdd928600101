package import Accounts
package import Analytics
package import Operations
package import Orders
internal import TollgateKernel

/// Finds out what jobs would do now, by reading alone: no write, no POST to WeChat Pay, no message.
///
/// What it tells is true for the moment of the reading; the run itself judges again.
package struct PreviewJobs: Sendable {
    /// What a run would make of one order.
    package enum OrderVerdict: String, Hashable, Sendable {
        /// WeChat Pay has a payment that is not booked here.
        case wouldBook = "would_book"
        /// It would be closed, here and at WeChat Pay.
        case wouldClose = "would_close"
        /// Not paid yet: it would be asked about again later.
        case waiting
        /// WeChat Pay does not answer.
        case unanswered
    }

    private let ports: Ports
    private let payments: any PaymentGateway

    /// Makes the use case.
    package init(_ ports: Ports, payments: any PaymentGateway) {
        self.ports = ports
        self.payments = payments
    }

    /// Unpaid orders that payment-reconcile, run by hand, would ask about; at most `limit`.
    package func unpaidOrders(limit: Int) async throws -> [Order] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.orders.unpaidOrders(at: now, limit: limit)
        }
    }

    /// Orders whose time is out, which order-close would close; at most `limit`.
    package func ordersToClose(limit: Int) async throws -> [Order] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.orders.ordersToClose(at: now, limit: limit)
        }
    }

    /// Asks WeChat Pay how an order stands, and tells what a run would make of the answer.
    ///
    /// - Parameter isDue: Whether the order's time is out: unpaid, it would be closed.
    package func judge(_ order: Order, isDue: Bool) async -> OrderVerdict {
        let unpaid: OrderVerdict = isDue ? .wouldClose : .waiting
        do {
            let trade = try await payments.queryTrade(outTradeNumber: order.outTradeNumber)
            return trade.isPaid ? .wouldBook : unpaid
        } catch {
            return error.kind == .notFound ? unpaid : .unanswered
        }
    }

    /// Messages that the outbox would send, oldest first; at most `limit`.
    package func messages(limit: Int) async throws -> [OutboxMessage] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.outbox.dueMessages(at: now, limit: limit)
        }
    }

    /// Open holds and lots whose time is out; at most `limit` of each.
    package func expired(limit: Int) async throws -> (holds: [Hold], lots: [Lot]) {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            (
                try tx.ledger.expiredHolds(at: now, limit: limit),
                try tx.ledger.expiredLots(at: now, limit: limit)
            )
        }
    }

    /// The figures that a rollup of this period would store; perhaps counted on a replica.
    package func figures(of period: RollupPeriod) async throws -> [RollupPoint] {
        try await ports.store.read(.stale) { tx in
            try tx.analytics.count(from: period.start, until: period.end)
        }
    }
}
