package import Auth
package import TollgateKernel

/// Login sessions as the person sees them who began them.
///
/// A session that was ended is refused from the next call on: sessions are read anew for each, a
/// chat's in the transaction of its hold. What it had begun goes on and is settled. Who asks is
/// looked up in the transaction that answers, so that a session which was ended meanwhile ends no
/// other.
package struct LoginSessions: Sendable {
    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// The live sessions of the caller's account, the one that began last first, at most
    /// ``Limits/loginSessionsOfAccount``; and which of them is the caller's own.
    ///
    /// - Throws: `unauthenticated` if the caller's session is over.
    package func list(
        for token: SessionToken
    ) async throws -> (sessions: [LoginSession], own: LoginSessionID) {
        let now = ports.clock.now()
        let digest = try token.digest
        return try await ports.store.read { tx in
            let own = try Self.own(digest, tx, now)
            let sessions = try tx.auth.loginSessions(
                of: own.account, now: now, limit: Limits.loginSessionsOfAccount)
            return (sessions, own.id)
        }
    }

    /// Ends one session of the caller's account: whether there was one, also false for somebody
    /// else's, and whether it was the caller's own.
    ///
    /// - Parameter id: nil for what is no session's number.
    /// - Throws: `unauthenticated` if the caller's session is over, then `invalid_request` for nil.
    package func end(
        _ id: LoginSessionID?, by token: SessionToken
    ) async throws -> (isEnded: Bool, isOwn: Bool) {
        let now = ports.clock.now()
        let digest = try token.digest
        return try await ports.store.write { tx in
            let own = try Self.own(digest, tx, now)
            guard let id else {
                throw Failure(
                    .invalidRequest, "A login session's number has 13 letters and digits.")
            }
            let isEnded = try tx.auth.removeLoginSession(id, of: own.account, now: now)
            return (isEnded, isEnded && id == own.id)
        }
    }

    /// Ends every session of the caller's account, or all but the caller's own.
    ///
    /// - Returns: How many.
    /// - Throws: `unauthenticated` if the caller's session is over.
    package func endAll(by token: SessionToken, keepsOwn: Bool) async throws -> Int {
        let now = ports.clock.now()
        let digest = try token.digest
        return try await ports.store.write { tx in
            let own = try Self.own(digest, tx, now)
            return try tx.auth.removeLoginSessions(
                of: own.account, except: keepsOwn ? own.id : nil, now: now)
        }
    }

    private static func own(
        _ digest: [UInt8], _ tx: any Transaction, _ now: Timestamp
    ) throws -> LoginSession {
        guard let own = try Caller.identify(.session(digest: digest), tx, now).session else {
            throw SignIn.notSignedIn
        }
        return own
    }
}
