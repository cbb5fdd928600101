package import Accounts
package import Orders
package import TollgateKernel

/// What a person may ask about their own account.
package struct AccountQueries: Sendable {
    /// What may still be spent.
    package struct Quota: Sendable {
        /// The balance row.
        package var ledger: CustomerLedger
        /// Free calls a day.
        package var trialGranted: Int64
        /// Free calls of today used or under way.
        package var trialUsed: Int64
        /// Lots with something left, earliest expiry first.
        package var lots: [Lot]
    }

    private let ports: Ports

    /// Makes the queries.
    package init(_ ports: Ports) { self.ports = ports }

    /// What the account may still spend.
    package func quota(of account: AccountID) async throws -> Quota {
        let day = ShanghaiDay(ports.clock.now())
        let granted = ports.policy.trialCallsPerDay
        return try await ports.store.read { tx in
            guard let ledger = try tx.ledger.customerLedger(account) else {
                throw Failure(.notFound, "There is no such account.")
            }
            return Quota(
                ledger: ledger, trialGranted: granted,
                trialUsed: try tx.accounts.trialDay(of: account, on: day).used,
                lots: try tx.ledger.openLots(of: account, limit: 100))
        }
    }

    /// Movements on the account above a sequence number and below another, newest first.
    package func ledger(
        of account: AccountID, after low: Int64 = 0, before high: Int64?, limit: Int
    ) async throws -> [LedgerEntry] {
        try await ports.store.read { tx in
            try tx.ledger.entries(of: account, after: low, before: high, limit: limit)
        }
    }

    /// Products on sale.
    package func products() async throws -> [Product] {
        try await ports.store.read { tx in try tx.orders.enabledProducts() }
    }

    /// One order of the account.
    ///
    /// - Throws: `not_found` also for somebody else's order.
    package func order(_ id: OrderID, of account: AccountID) async throws -> Order {
        let order = try await ports.store.read { tx in try tx.orders.order(id) }
        guard let order, order.account == account else {
            throw Self.noSuchOrder
        }
        return order
    }

    static let noSuchOrder = Failure(.notFound, "You have no order with this number.")

    /// The account's orders below an id, newest first.
    package func orders(of account: AccountID, before id: OrderID?, limit: Int) async throws
        -> [Order]
    {
        try await ports.store.read { tx in
            try tx.orders.orders(of: account, before: id, limit: limit)
        }
    }

    /// Models the account was permitted by purchases, among those given.
    package func permitted(_ models: [ModelName], for account: AccountID) async throws
        -> Set<ModelName>
    {
        try await ports.store.read { tx in
            var permitted: Set<ModelName> = []
            for model in models where try tx.accounts.isPermitted(model, for: account) {
                permitted.insert(model)
            }
            return permitted
        }
    }
}
