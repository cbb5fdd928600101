internal import Accounts
package import Auth
internal import Cryptography
internal import TollgateKernel

/// Login codes in, login sessions out.
package struct SignIn: Sendable {
    /// A new login session, shown once.
    package struct SignedIn: Sendable {
        /// The secret the caller keeps.
        package var token: SessionToken
        /// The session.
        package var session: LoginSession
        /// Whether the account was opened by this login.
        package var accountOpened: Bool
    }

    private enum Verdict: Sendable {
        case signedIn(LoginSession, accountOpened: Bool)
        case refused(Failure)
    }

    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// Exchanges a typed code for a login session; opens the account, with its welcome grant, at a
    /// person's first login.
    ///
    /// - Parameters:
    ///   - typed: What the person typed.
    ///   - source: Where the guess comes from: limits wrong guesses.
    ///   - device: What the session is called in a list; cut to 64 bytes.
    /// - Throws: `unauthenticated` for a wrong or expired code, `rate_limited` after too many.
    package func signIn(typed: String, source: String, device: String) async throws -> SignedIn {
        let now = ports.clock.now()
        let code = LoginCodeText.parse(typed: typed)
        let digest = try code.map { try ports.identityKey.loginCodeDigest($0) }
        let sourceDigest = try ports.identityKey.sourceDigest(source)
        let (token, session) = try Self.prepare(device: device, ports, now)

        // Refusals are values, not errors: the count of wrong guesses must be kept.
        let verdict = try await ports.store.write { [ports] tx throws -> Verdict in
            let minute = GuessLimit.minute(of: now)
            if let tooMany = GuessLimit.judge(
                ofSource: try tx.auth.wrongGuesses(source: sourceDigest, minute: minute),
                inAll: try tx.auth.wrongGuesses(source: [], minute: minute), at: now)
            {
                return .refused(tooMany)
            }
            guard let digest, let code = try tx.auth.takeLoginCode(digest: digest, now: now) else {
                try tx.auth.recordWrongGuess(
                    source: sourceDigest, minute: minute, countsInAll: true)
                return .refused(
                    Failure(
                        .unauthenticated,
                        "This code is wrong or no longer valid; ask the official account for a "
                            + "new one."))
            }
            let opened = try Self.open(session, for: code.openID, tx, ports, now)
            return .signedIn(opened.session, accountOpened: opened.accountOpened)
        }
        switch verdict {
        case .refused(let failure): throw failure
        case .signedIn(let session, let accountOpened):
            return SignedIn(token: token, session: session, accountOpened: accountOpened)
        }
    }

    /// A fresh secret and its session, whose account stands only for one still to be opened.
    static func prepare(
        device: String, _ ports: Ports, _ now: Timestamp
    ) throws -> (token: SessionToken, session: LoginSession) {
        guard let token = SessionToken.make(from: ports.random.bytes(SessionToken.secretBytes))
        else { throw Failure(.internalError, "No session secret could be made.") }
        let session = LoginSession(
            id: LoginSessionID(rawValue: ports.identifiers.next()), digest: try token.digest,
            account: AccountID(rawValue: ports.identifiers.next()), device: device.cut(toBytes: 64),
            createdAt: now, expiresAt: now.adding(milliseconds: Limits.loginSessionMilliseconds))
        return (token, session)
    }

    /// Stores a session for a person; at their first login opens the account, with its welcome
    /// grant.
    static func open(
        _ session: LoginSession, for openID: String, _ tx: any Transaction, _ ports: Ports,
        _ now: Timestamp
    ) throws -> (session: LoginSession, accountOpened: Bool) {
        let digest = try ports.identityKey.openIDDigest(openID)
        var session = session
        let known = try tx.accounts.account(openIDDigest: digest)
        if let known {
            session.account = known.id
        } else {
            let account = Account(
                id: session.account, openIDDigest: digest, status: .active, isWhiteListed: false,
                openedAt: now)
            try tx.accounts.insert(account, openID: openID)
            if ports.policy.welcomeGrant > .zero {
                let ledger = Ledger(
                    tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
                // Once per person for ever: the key holds the person, not the account, and stays
                // when that is deleted.
                _ = try ledger.grant(
                    ports.policy.welcomeGrant, to: account.id, kind: .welcome, from: .promotion,
                    key: "welcome:\(Hexadecimal.encode(digest))", origin: .welcome, order: nil,
                    reference: "welcome",
                    expiresAt: ports.policy.welcomeGrantLifetimeMilliseconds.map {
                        now.adding(milliseconds: $0)
                    }, at: now)
            }
            // Leaving is no way out of a tier, nor does it cost a better one.
            if let tier = try tx.departures.takeTier(ofPerson: digest) {
                try tx.tiers.setTier(tier, of: account.id)
            }
            // Nor are a day's free calls there twice for who has left and come back.
            let today = ShanghaiDay(now)
            if let used = try tx.departures.trialUsed(on: today, ofPerson: digest) {
                try tx.accounts.save(TrialDay(account: account.id, day: today, used: used))
            }
        }
        try tx.auth.insert(session)
        try tx.auth.trimLoginSessions(
            of: session.account, to: Limits.loginSessionsOfAccount, sparing: session.id)
        return (session, known == nil)
    }

    /// Finds a live session inside a transaction.
    static func session(
        digest: [UInt8], _ tx: any Transaction, _ now: Timestamp
    ) throws -> LoginSession {
        guard let session = try tx.auth.loginSession(digest: digest), session.expiresAt > now else {
            throw notSignedIn
        }
        return session
    }

    static let notSignedIn = Failure(
        .unauthenticated, "You are not signed in, or the login session is over; sign in again.")

    /// Ends a session; ending one that is over already is no error.
    package func signOut(_ token: SessionToken) async throws {
        let digest = try token.digest
        _ = try await ports.store.write { tx in
            try tx.auth.removeLoginSession(digest: digest)
        }
    }
}
