package import Accounts
internal import Auth
package import Operations
package import TollgateKernel

/// What operators decide about accounts: each act is written to their log in the transaction that
/// does it.
package struct Administration: Sendable {
    /// How an account stands.
    package struct Standing: Sendable {
        /// The account, with its tier.
        package var account: Account
        /// Its balance, with what it does now.
        package var ledger: CustomerLedger
    }

    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// Every tier.
    package func tiers() async throws -> [Tier] {
        try await ports.store.read { tx in try tx.tiers.tiers(limit: .max) }
    }

    /// Makes a tier, or changes one for all of its accounts.
    ///
    /// - Throws: `invalid_request` for a name nobody can type or a limit that is none.
    package func set(_ tier: Tier, by operatorOf: ActedBy) async throws -> Tier {
        let by = try operatorOf.checked()
        guard tier.name.isWellFormed else {
            throw Failure(
                .invalidRequest,
                "A tier's name has 1 to 32 lower-case letters, digits and hyphens.")
        }
        let limits = [
            tier.limits.requestsPerMinute, tier.limits.tokensPerMinute,
            tier.limits.concurrentChats,
        ]
        guard limits.allSatisfy({ ($0.map { (1...Limits.callLimit).contains($0) }) ?? true })
        else {
            throw Failure(.invalidRequest, "A limit is 1 to \(Limits.callLimit), or none.")
        }
        let id = AdminActID(rawValue: ports.identifiers.next())
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            let old = try tx.tiers.tier(tier.name)
            try tx.tiers.save(tier)
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: id.description, kind: .tierSet, by: by,
                    object: tier.name.rawValue, before: old?.summary ?? "none",
                    after: tier.summary, at: now))
            return tier
        }
    }

    /// How an account stands.
    ///
    /// - Throws: `not_found` for an unknown account.
    package func standing(of account: AccountID) async throws -> Standing {
        try await ports.store.read { tx in try Self.standing(of: account, tx) }
    }

    private static func standing(
        of account: AccountID, _ tx: any Transaction
    ) throws -> Standing {
        guard let row = try tx.accounts.account(account),
            let ledger = try tx.ledger.customerLedger(account)
        else { throw Failure(.notFound, "There is no account of this number.") }
        return Standing(account: row, ledger: ledger)
    }

    /// - Throws: `conflict` for a deleted account, which nothing is done to any more.
    private static func checkInUse(_ standing: Standing) throws(Failure) {
        guard standing.account.deletedAt == nil else {
            throw Failure(.conflict, "This account was deleted; nothing can be done to it.")
        }
    }

    /// Puts an account into a tier.
    ///
    /// - Throws: `not_found` for an unknown account or tier, `conflict` for a deleted account.
    package func setTier(
        of account: AccountID, to name: TierName, by operatorOf: ActedBy
    ) async throws -> Standing {
        try await change(account, .accountTierSet, by: operatorOf) { tx, old in
            guard try tx.tiers.tier(name) != nil else {
                throw Failure(.notFound, "There is no tier of this name; list the tiers.")
            }
            try tx.tiers.setTier(name, of: account)
            return (before: old.account.tier.name.rawValue, after: name.rawValue)
        }
    }

    /// Freezes an account, or lets it spend again; calls under way are settled all the same.
    ///
    /// - Throws: `not_found` for an unknown account, `conflict` for a deleted one,
    ///   `invalid_request` for another status: accounts are deleted by ``DeleteAccount``.
    package func setStatus(
        of account: AccountID, to status: Account.Status, by operatorOf: ActedBy
    ) async throws -> Standing {
        guard status == .active || status == .frozen else {
            throw Failure(.invalidRequest, "A status is active or frozen.")
        }
        let kind: AdminAct.Kind = status == .frozen ? .accountFrozen : .accountUnfrozen
        return try await change(account, kind, by: operatorOf) { tx, old in
            var changed = old.account
            changed.status = status
            try tx.accounts.update(changed)
            return (before: old.account.status.rawValue, after: status.rawValue)
        }
    }

    /// Ends every login session of an account.
    ///
    /// Its API keys go on: they are no sign-in.
    /// - Returns: How many sessions there were.
    /// - Throws: `not_found` for an unknown account.
    package func signOut(_ account: AccountID, by operatorOf: ActedBy) async throws -> Int {
        let by = try operatorOf.checked()
        let id = AdminActID(rawValue: ports.identifiers.next())
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            _ = try Self.standing(of: account, tx)
            let ended = try tx.auth.removeLoginSessions(
                of: account, except: nil, now: now)
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: id.description, kind: .accountSignedOut, by: by,
                    object: account.description,
                    before: ended == 1 ? "1 login session" : "\(ended) login sessions",
                    after: "none", at: now))
            return ended
        }
    }

    /// Does something to an account and writes the act, in one transaction.
    private func change(
        _ account: AccountID, _ kind: AdminAct.Kind, by operatorOf: ActedBy,
        _ body:
            @escaping @Sendable (any Transaction, Standing) throws -> (
                before: String, after: String
            )
    ) async throws -> Standing {
        let by = try operatorOf.checked()
        let id = AdminActID(rawValue: ports.identifiers.next())
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            let old = try Self.standing(of: account, tx)
            try Self.checkInUse(old)
            let change = try body(tx, old)
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: id.description, kind: kind, by: by, object: account.description,
                    before: change.before, after: change.after, at: now))
            return try Self.standing(of: account, tx)
        }
    }

    /// Gives credits to an account (issued → customer, a lot of its own) or, negative, takes some
    /// off it (customer → issued), once for a request id.
    ///
    /// - Parameters:
    ///   - amount: Not zero.
    ///   - expiresAt: When given credits expire; nil is never.
    /// - Returns: How the account stands, and whether this very call did it.
    /// - Throws: `conflict` if there is less to take or the account was deleted, `mismatch` if the
    ///   request id was used for another amount, expiry or reason, `not_found` for an unknown
    ///   account.
    package func adjust(
        _ account: AccountID, by amount: Credits, requestID: IdempotencyKey,
        expiresAt: Timestamp?, _ operatorOf: ActedBy
    ) async throws -> (standing: Standing, isDoneNow: Bool) {
        let by = try operatorOf.checked()
        let now = ports.clock.now()
        guard amount != .zero, expiresAt.map({ $0 > now && amount > .zero }) ?? true else {
            throw Failure(
                .invalidRequest,
                "An adjustment is not zero; what is given may expire, in the future.")
        }
        let id = AdminActID(rawValue: ports.identifiers.next())
        return try await ports.store.write { [ports] tx in
            let key = "adjustment:\(account):\(requestID)"
            let old = try Self.standing(of: account, tx)
            // What was asked for, by which a repetition is known beside its reason.
            let expiry = expiresAt.map { ", expires \($0)" } ?? ""
            let terms = "\(amount > .zero ? "+" : "")\(amount)\(expiry) →"
            if let earlier = try tx.adminLog.adminAct(key: key) {
                guard earlier.after.hasPrefix(terms), earlier.by.reason == by.reason else {
                    throw Failure(
                        .mismatch, "This key was used for another adjustment of the account.")
                }
                return (standing: old, isDoneNow: false)
            }
            try Self.checkInUse(old)
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            let reference = "admin:\(id)"
            let isMoved =
                amount > .zero
                ? try ledger.grant(
                    amount, to: account, kind: .adjustment, from: .issued, key: key,
                    origin: .adjustment, order: nil, reference: reference, expiresAt: expiresAt,
                    at: now)
                : try ledger.takeBack(
                    .zero - amount, from: account, key: key, reference: reference, at: now)
            guard isMoved else {
                throw StoreError.corrupt("adjustment \(key) moved credits without an act")
            }
            let new = try Self.standing(of: account, tx)
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: key, kind: .creditsAdjusted, by: by,
                    object: account.description, before: "\(Credits(micro: old.ledger.posted))",
                    after: "\(terms) \(Credits(micro: new.ledger.posted))", at: now))
            return (standing: new, isDoneNow: true)
        }
    }

    /// What operators did, below an act, newest first.
    package func acts(before id: AdminActID?, limit: Int) async throws -> [AdminAct] {
        try await ports.store.read { tx in try tx.adminLog.adminActs(before: id, limit: limit) }
    }
}

extension Tier {
    /// The tier in a line of the operators' log.
    var summary: String {
        func limit(_ number: Int64?) -> String { number.map(String.init) ?? "any" }
        return "price × \(priceFactor), \(limit(limits.requestsPerMinute)) requests, "
            + "\(limit(limits.tokensPerMinute)) tokens a minute, "
            + "\(limit(limits.concurrentChats)) at once"
    }
}
