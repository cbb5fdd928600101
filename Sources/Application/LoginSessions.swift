package import Auth
package import TollgateKernel

/// Login sessions as the person sees them who began them.
///
/// A session that was ended is refused from the next call on: sessions are read anew for each, a
/// chat's in the transaction of its hold. What it had begun goes on and is settled.
package struct LoginSessions: Sendable {
    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// The account's live sessions, the one that began last first; at most
    /// ``Limits/loginSessionsOfAccount``.
    package func list(of account: AccountID) async throws -> [LoginSession] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.auth.loginSessions(
                of: account, now: now, limit: Limits.loginSessionsOfAccount)
        }
    }

    /// Ends one session of the account; false if it has none of this number, also for somebody
    /// else's.
    package func end(_ id: LoginSessionID, of account: AccountID) async throws -> Bool {
        try await ports.store.write { tx in try tx.auth.removeLoginSession(id, of: account) }
    }

    /// Ends every session of the account but one (nil spares none).
    ///
    /// Returns how many.
    package func endAll(
        of account: AccountID, except spared: LoginSessionID?
    ) async throws -> Int {
        try await ports.store.write { tx in
            try tx.auth.removeLoginSessions(of: account, except: spared)
        }
    }
}
