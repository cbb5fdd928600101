package import Auth
internal import Chat
package import TollgateKernel

/// Keys for programs: made, listed and revoked by the person whose credits they spend.
package struct APIKeys: Sendable {
    /// What a new key shall be.
    package struct Wish: Sendable {
        /// What it is called.
        package var name: String
        /// The models it may use; empty is every model the account may use.
        package var models: [ModelName]
        /// The most it may spend in all; nil is no cap.
        package var spendCap: Credits?
        /// Chats it may begin in a minute; nil is no limit of its own.
        package var requestsPerMinute: Int64?
        /// When it stops working; nil is never.
        package var expiresAt: Timestamp?

        /// Makes a wish.
        package init(
            name: String, models: [ModelName] = [], spendCap: Credits? = nil,
            requestsPerMinute: Int64? = nil, expiresAt: Timestamp? = nil
        ) {
            self.name = name
            self.models = models
            self.spendCap = spendCap
            self.requestsPerMinute = requestsPerMinute
            self.expiresAt = expiresAt
        }
    }

    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// Makes a key; the secret is shown this once.
    ///
    /// - Throws: `invalid_request` for a wish nobody can have, `not_found` for an unknown model,
    ///   `conflict` with ``Limits/apiKeysOfAccount`` keys, or with
    ///   ``Limits/apiKeysMadeOfAccount`` made of late.
    package func create(_ wish: Wish, for account: AccountID) async throws -> (
        secret: APIKeySecret, key: APIKey
    ) {
        let now = ports.clock.now()
        try Self.check(wish, at: now)
        let id = APIKeyID(rawValue: ports.identifiers.next())
        let random = ports.random.bytes(SessionToken.secretBytes)
        guard let secret = APIKeySecret(id: id, randomBytes: random) else {
            throw Failure(.internalError, "No secret could be made.")
        }
        let key = APIKey(
            id: id, digest: try secret.digest, account: account, name: wish.name,
            models: wish.models, spendCap: wish.spendCap,
            requestsPerMinute: wish.requestsPerMinute, createdAt: now, expiresAt: wish.expiresAt)
        try await ports.store.write { tx in
            try tx.checkInUse(account)
            guard try tx.apiKeys.unrevokedKeys(of: account) < Limits.apiKeysOfAccount else {
                throw Failure(
                    .conflict,
                    "An account has at most \(Limits.apiKeysOfAccount) API keys; revoke one first.")
            }
            let since = now.adding(milliseconds: -Limits.endedKeyMemoryMilliseconds)
            guard try tx.apiKeys.keysMade(by: account, since: since) < Limits.apiKeysMadeOfAccount
            else {
                throw Failure(
                    .conflict,
                    "An account makes at most \(Limits.apiKeysMadeOfAccount) API keys in "
                        + "\(Limits.endedKeyMemoryMilliseconds / 86_400_000) days; use one you "
                        + "have, or make one later.")
            }
            for model in key.models where try tx.chat.model(model) == nil {
                throw Failure(.notFound, "There is no model \(model); list the models.")
            }
            try tx.apiKeys.insert(key)
        }
        return (secret, key)
    }

    private static func check(_ wish: Wish, at now: Timestamp) throws(Failure) {
        guard (1...Limits.apiKeyNameBytes).contains(wish.name.utf8.count),
            !wish.name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw Failure(
                .invalidRequest,
                "An API key's name has 1 to \(Limits.apiKeyNameBytes) bytes on one line.")
        }
        guard wish.models.count <= Limits.apiKeyModels,
            Set(wish.models).count == wish.models.count
        else {
            throw Failure(
                .invalidRequest,
                "An API key names at most \(Limits.apiKeyModels) models, each once.")
        }
        if let cap = wish.spendCap, !(1...Limits.creditsInOneTransfer).contains(cap.micro) {
            throw Failure(.invalidRequest, "A spend cap is positive and at most 10^15.")
        }
        if let rate = wish.requestsPerMinute, !(1...Limits.requestsPerMinute).contains(rate) {
            throw Failure(
                .invalidRequest, "A rate is 1 to \(Limits.requestsPerMinute) chats a minute.")
        }
        if let end = wish.expiresAt, end <= now {
            throw Failure(.invalidRequest, "An API key's end lies in the future.")
        }
    }

    /// The account's keys: those not revoked first, then newest first.
    package func list(of account: AccountID) async throws -> [APIKey] {
        try await ports.store.read { tx in
            try tx.apiKeys.apiKeys(of: account, limit: Limits.apiKeysPerAnswer)
        }
    }

    /// Ends a key for ever; no new call begins with it, and those under way are settled.
    ///
    /// - Throws: `not_found` also for somebody else's key.
    package func revoke(_ id: APIKeyID, of account: AccountID) async throws -> APIKey {
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            guard let key = try tx.apiKeys.apiKey(id), key.account == account else {
                throw Failure(.notFound, "You have no API key of this name; list your keys.")
            }
            try tx.apiKeys.revoke(id, at: now)
            return try tx.apiKeys.apiKey(id) ?? key
        }
    }
}
