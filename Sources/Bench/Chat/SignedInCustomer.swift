import Accounts
package import Application
import Auth
package import TollgateKernel

/// A customer that a benchmark made: signed in, with more credits than it can use up.
package struct SignedInCustomer: Sendable {
    /// Whose balance is charged.
    package let account: AccountID
    /// What calls show: `Bearer` and the session's secret.
    package let authorization: String

    /// Opens accounts with credits and login sessions in a store, beside its server, as jobs do;
    /// lifts the standard tier's limits.
    /// - Throws: A ``Failure`` if the store does not keep them.
    package static func make(
        _ count: Int, in store: any Store
    ) async throws -> [SignedInCustomer] {
        let identifiers = TimeSortedIdentifiers()
        let random = SystemRandom()
        let now = SystemClock().now()
        let people = try (0..<count).map { _ in
            guard let token = SessionToken.make(from: random.bytes(SessionToken.secretBytes))
            else { throw Failure(.internalError, "No session secret could be made.") }
            let session = LoginSession(
                id: LoginSessionID(rawValue: identifiers.next()), digest: try token.digest,
                account: AccountID(rawValue: identifiers.next()), device: "bench",
                createdAt: now, expiresAt: now.adding(milliseconds: 86_400_000))
            return (token: token, session: session, openIDDigest: random.bytes(32))
        }
        try await store.write { tx in
            // What a person may do in a minute, a benchmark does in a second: the limits are
            // asked, and never reached.
            try tx.tiers.save(
                Tier(
                    name: .standard, priceFactor: .one,
                    limits: CallLimits(
                        requestsPerMinute: Limits.callLimit, tokensPerMinute: Limits.callLimit,
                        concurrentChats: Limits.callLimit)))
        }
        for start in stride(from: 0, to: count, by: Limits.benchCustomersPerWrite) {
            let some = people[start..<min(count, start + Limits.benchCustomersPerWrite)]
            try await store.write { tx in
                let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                for person in some {
                    let account = person.session.account
                    try tx.accounts.insert(
                        Account(
                            id: account, openIDDigest: person.openIDDigest, status: .active,
                            isWhiteListed: false, openedAt: now), openID: "bench-\(account)")
                    _ = try ledger.grant(
                        Credits(whole: Limits.benchCredits), to: account, kind: .welcome,
                        from: .promotion, key: "bench:\(account)", origin: .welcome,
                        order: nil, reference: "bench", expiresAt: nil, at: now)
                    try tx.auth.insert(person.session)
                }
            }
        }
        return people.map {
            SignedInCustomer(
                account: $0.session.account, authorization: "Bearer \($0.token.text)")
        }
    }
}
