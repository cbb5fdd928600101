internal import Accounts
package import Auth
package import Operations
internal import Orders
package import TollgateKernel

/// Ends an account, by its person or on their behalf.
///
/// One transaction refuses, or makes the account unusable: sessions, codes, login attempts and keys
/// are gone, the openid is erased, what credits are left are forfeited. What does not fit into it
/// (hundreds of sessions or lots) leaves the account `deleting`, and the sweeper goes on with the
/// same steps (``finish(fence:)``). Rows of money stay, under the account's number alone.
///
/// The person may come back to a new account: their welcome grant's transfer still holds the digest
/// of their openid, so it is not given again, nor are the day's free calls that were used; what
/// they ordered that day and did not pay still counts; and they are in the tier that an operator
/// had put them into.
package struct DeleteAccount: Sendable {
    /// A deleted account.
    package struct Deleted: Hashable, Sendable {
        /// The account.
        package var account: AccountID
        /// When its person left.
        package var at: Timestamp
        /// What this very call forfeited, or began to.
        package var forfeited: Credits
        /// Whether this very call deleted it; false if it was deleted before.
        package var isDoneNow: Bool
    }

    private let ports: Ports
    /// Where the account stands with which the last sweep ended.
    private static let checkpoint = "account-deletion"

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// Deletes the account of the person who is signed in.
    ///
    /// Nothing is deleted that money still waits for, so that no payment, credit or charge is left
    /// without its owner.
    ///
    /// - Throws: `unauthenticated` if the session is over (after a deletion it is), `conflict`
    ///   while an order is not settled or a chat is under way, `account_frozen` for a frozen
    ///   account: who was stopped does not begin anew by leaving.
    package func delete(by token: SessionToken) async throws -> Deleted {
        let now = ports.clock.now()
        let digest = try token.digest
        return try await ports.store.write { [ports] tx in
            // In the transaction that deletes: whoever was signed out meanwhile deletes nothing.
            let caller = try Caller.identify(.session(digest: digest), tx, now)
            guard caller.account.status != .frozen else {
                throw Failure(
                    .accountFrozen,
                    "An operator has frozen this account; ask them to delete it.")
            }
            return try Departure(tx: tx, ports: ports, now: now).begin(caller.account)
        }
    }

    /// Deletes an account on its person's behalf, a frozen one too, and writes the act.
    ///
    /// A second call changes nothing and writes nothing.
    ///
    /// - Throws: `not_found` for an unknown account, `conflict` as ``delete(by:)``.
    package func delete(_ account: AccountID, by operatorOf: ActedBy) async throws -> Deleted {
        let by = try operatorOf.checked()
        let id = AdminActID(rawValue: ports.identifiers.next())
        let now = ports.clock.now()
        return try await ports.store.write { [ports] tx in
            guard let row = try tx.accounts.account(account) else {
                throw Failure(.notFound, "There is no account of this number.")
            }
            if let deletedAt = row.deletedAt {
                return Deleted(
                    account: account, at: deletedAt, forfeited: .zero, isDoneNow: false)
            }
            let deleted = try Departure(tx: tx, ports: ports, now: now).begin(row)
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: id.description, kind: .accountDeleted, by: by,
                    object: account.description,
                    before: "\(row.status.rawValue), \(deleted.forfeited)", after: "deleted",
                    at: now))
            return deleted
        }
    }

    /// Goes on with deletions that did not fit into one transaction, and forgets which free calls
    /// who left had used on days before, and what they had ordered and not paid.
    ///
    /// A run takes `limit` accounts and the next one goes on behind them, so that those which
    /// cannot be finished keep nobody waiting.
    ///
    /// Returns how many accounts and people that were; a run that broke off is gone on with by the
    /// next.
    package func finish(
        limit: Int = Limits.deletionsOfOneSweep, fence: JobFence
    ) async throws -> Int {
        let now = ports.clock.now()
        let (place, unfinished) = try await ports.store.read { tx in
            let place = try tx.jobs.checkpoint(of: Self.checkpoint) ?? 0
            let behind = try tx.departures.unfinished(
                after: AccountID(rawValue: place), limit: limit)
            guard behind.isEmpty, place > 0 else { return (place, behind) }
            return (place, try tx.departures.unfinished(after: nil, limit: limit))
        }
        var trouble: (any Error)?
        for account in unfinished {
            do {
                try await finish(account, now, fence)
            } catch let error as CancellationError {
                throw error
            } catch {
                // One account that cannot be finished is told of, and keeps nobody else waiting.
                trouble = trouble ?? error
            }
        }
        let next = unfinished.count == limit ? unfinished.last?.rawValue ?? 0 : 0
        if next != place {
            try await ports.store.write { tx in
                try fence.check(tx)
                try tx.jobs.saveCheckpoint(next, of: Self.checkpoint)
            }
        }
        let rows = Limits.rowsPerJobTransaction
        let trials = try await forget(rows, fence) { tx in
            try tx.departures.forgetTrials(before: ShanghaiDay(now), limit: rows)
        }
        let dayBefore = now.adding(milliseconds: -Limits.unpaidOrdersSpanMilliseconds)
        let orders = try await forget(rows, fence) { tx in
            try tx.departures.forgetOrders(leftBefore: dayBefore, limit: rows)
        }
        if let trouble { throw trouble }
        return unfinished.count + trials + orders
    }

    private func finish(_ account: AccountID, _ now: Timestamp, _ fence: JobFence) async throws {
        var isDone = false
        while !isDone {
            try Task.checkCancellation()
            isDone = try await ports.store.write { [ports] tx in
                try fence.check(tx)
                return try Departure(tx: tx, ports: ports, now: now).step(account)
            }
        }
    }

    /// Forgets, so many rows a transaction, until a turn had fewer; returns how many in all.
    private func forget(
        _ limit: Int, _ fence: JobFence,
        _ turn: @escaping @Sendable (any Transaction) throws -> Int
    ) async throws -> Int {
        var total = 0
        while true {
            let count = try await ports.store.write { tx in
                try fence.check(tx)
                return try turn(tx)
            }
            total += count
            if count < limit { return total }
            try Task.checkCancellation()
        }
    }
}

/// The steps of a deletion inside one transaction.
private struct Departure {
    let tx: any Transaction
    let ports: Ports
    let now: Timestamp

    /// Refuses, or makes the account nobody's and takes the first step.
    func begin(_ account: Account) throws -> DeleteAccount.Deleted {
        guard let ledger = try tx.ledger.customerLedger(account.id) else {
            throw StoreError.corrupt("account \(account.id) has no ledger")
        }
        if let order = try tx.orders.unsettledOrder(of: account.id) {
            throw Self.refusal(order)
        }
        guard ledger.activity.openCalls == 0, ledger.held == 0 else {
            throw Failure(
                .conflict, "A chat of yours is under way; wait for it to end, then delete.",
                retryAfterMilliseconds: Limits.concurrentChatRetryMilliseconds)
        }
        let today = ShanghaiDay(now)
        let trial = try tx.accounts.trialDay(of: account.id, on: today)
        if trial.used > 0 {
            try tx.departures.keepTrial(trial.used, on: today, ofPerson: account.openIDDigest)
        }
        try OrderPace(tx: tx, now: now).remember(account)
        if account.tier.name != .standard {
            try tx.departures.keepTier(account.tier.name, ofPerson: account.openIDDigest)
        }
        if let openID = try tx.accounts.openID(of: account.id) {
            try tx.departures.erase(openID: openID)
        }
        try tx.departures.begin(
            account.id,
            placeholder: ports.identityKey.placeholderDigest(account: account.id.description),
            at: now)
        _ = try step(account.id)
        return DeleteAccount.Deleted(
            account: account.id, at: now, forfeited: Credits(micro: ledger.posted),
            isDoneNow: true)
    }

    /// Does as much as fits into a transaction; true, and the account is deleted, if nothing is
    /// left.
    func step(_ id: AccountID) throws -> Bool {
        guard var account = try tx.accounts.account(id), account.status == .deleting else {
            return true
        }
        let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
        let lots = try ledger.forfeit(from: id, limit: Limits.lotsOfOneForfeit, at: now)
        let isErased = try tx.departures.erase(id, at: now, limit: Limits.rowsOfOneErasure)
        guard isErased, lots < Limits.lotsOfOneForfeit else { return false }
        account.status = .deleted
        try tx.accounts.update(account)
        return true
    }

    private static func refusal(_ order: Order) -> Failure {
        switch order.state {
        case .refunding:
            Failure(.conflict, "Order \(order.id) is being refunded; delete when that is done.")
        case .paid, .paidAfterClose:
            Failure(
                .conflict,
                "Order \(order.id) is paid and was not delivered; have it settled, then delete.")
        case .closing:
            Failure(
                .conflict,
                "Order \(order.id) is being closed; delete when it is, in a minute or two.")
        default:
            Failure(
                .conflict,
                "Order \(order.id) can still be paid; cancel it (tollgate orders cancel "
                    + "\(order.id)), then delete.")
        }
    }
}

extension Transaction {
    /// Checks that an account is still somebody's, in the transaction that gives it something.
    ///
    /// - Throws: `unauthenticated` for a deleted one: it was deleted after its caller was known.
    @discardableResult
    func checkInUse(_ account: AccountID) throws -> Account {
        guard let account = try accounts.account(account), account.deletedAt == nil else {
            throw SignIn.notSignedIn
        }
        return account
    }
}
