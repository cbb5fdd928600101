package import Accounts
package import Auth
internal import Cryptography
internal import TollgateKernel

/// On whose behalf a call is made: the one place where a credential becomes an account.
package struct Caller: Sendable {
    /// The account.
    package var account: Account
    /// The login session; nil for a program.
    package var session: LoginSession?
    /// The API key; nil for a person.
    package var apiKey: APIKey?

    /// A credential as the store finds it: hashed before the transaction begins.
    enum Proof: Sendable {
        case session(digest: [UInt8])
        case apiKey(APIKeyID, digest: [UInt8])

        init(_ credential: CallerCredential) throws(CryptographyError) {
            switch credential {
            case .session(let token): self = .session(digest: try token.digest)
            case .apiKey(let secret): self = .apiKey(secret.id, digest: try secret.digest)
            }
        }
    }

    /// Finds a live session or key and its account inside a transaction.
    ///
    /// - Throws: `unauthenticated` if it is unknown or over.
    static func identify(
        _ proof: Proof, _ tx: any Transaction, _ now: Timestamp
    ) throws -> Caller {
        let asker = try find(proof, tx, now)
        guard let account = try tx.accounts.account(asker.account), account.deletedAt == nil
        else { throw SignIn.notSignedIn }
        return Caller(account: account, session: asker.session, apiKey: asker.apiKey)
    }

    /// Finds a live session or key alone, for who reads the account in another way.
    ///
    /// - Throws: `unauthenticated` if it is unknown or over.
    static func find(
        _ proof: Proof, _ tx: any Transaction, _ now: Timestamp
    ) throws -> (account: AccountID, session: LoginSession?, apiKey: APIKey?) {
        switch proof {
        case .session(let digest):
            let session = try SignIn.session(digest: digest, tx, now)
            return (session.account, session, nil)
        case .apiKey(let id, let digest):
            guard let key = try tx.apiKeys.apiKey(id), key.matches(digest: digest),
                key.isLive(at: now)
            else { throw APIKey.unknown }
            return (key.account, nil, key)
        }
    }
}

/// Finds out on whose behalf a call is made.
package struct Callers: Sendable {
    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// The account behind a credential.
    ///
    /// - Throws: `unauthenticated` if it is unknown or over.
    package func whoIs(_ credential: CallerCredential) async throws -> Caller {
        let now = ports.clock.now()
        let proof = try Caller.Proof(credential)
        return try await ports.store.read { tx in try Caller.identify(proof, tx, now) }
    }
}
