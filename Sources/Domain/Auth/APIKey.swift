internal import Cryptography
package import TollgateKernel

/// A key with which programs call on an account's behalf, and what it may do.
package struct APIKey: Hashable, Sendable {
    /// The key.
    package var id: APIKeyID
    /// SHA-256 of the 256-bit secret, 32 bytes.
    package var digest: [UInt8]
    /// Whose credits it spends.
    package var account: AccountID
    /// What it is called, at most ``Limits/apiKeyNameBytes``.
    package var name: String
    /// The models it may use; empty is every model the account may use.
    package var models: [ModelName]
    /// The most it may spend in all; nil is no cap.
    package var spendCap: Credits?
    /// Chats it may begin in a minute; nil is no limit of its own.
    package var requestsPerMinute: Int64?
    /// When it was made.
    package var createdAt: Timestamp
    /// When it stops working; nil is never.
    package var expiresAt: Timestamp?
    /// When it was revoked.
    package var revokedAt: Timestamp?
    /// What its ended calls were charged.
    package var spent: Credits = .zero
    /// What its calls under way have reserved.
    package var held: Credits = .zero
    /// When it last began a chat.
    package var lastUsedAt: Timestamp?
    /// The chats it began this minute.
    package var requests: MinuteCount = .none

    /// Makes a key that was never used.
    package init(
        id: APIKeyID, digest: [UInt8], account: AccountID, name: String, models: [ModelName],
        spendCap: Credits?, requestsPerMinute: Int64?, createdAt: Timestamp,
        expiresAt: Timestamp?
    ) {
        self.id = id
        self.digest = digest
        self.account = account
        self.name = name
        self.models = models
        self.spendCap = spendCap
        self.requestsPerMinute = requestsPerMinute
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    /// Whether it was neither revoked nor has run out; the moment of expiry itself is out.
    package func isLive(at now: Timestamp) -> Bool {
        guard revokedAt == nil else { return false }
        return expiresAt.map { now < $0 } ?? true
    }

    /// Whether a secret with this digest is the key's, told in constant time.
    package func matches(digest: [UInt8]) -> Bool {
        ConstantTime.areEqual(digest, self.digest)
    }

    /// Why the key may not use a model; nil if it may.
    package func refusal(of model: ModelName) -> Failure? {
        guard !models.isEmpty, !models.contains(model) else { return nil }
        return Failure(
            .modelNotPermitted, "This API key is not for this model; choose another or another key."
        )
    }

    /// What it may still reserve; nil is no cap.
    package var left: Credits? { spendCap.map { $0 - spent - held } }

    /// Why no chat may begin with the key at `now`, the credits aside; nil if one may.
    package func refusal(at now: Timestamp) -> Failure? {
        guard isLive(at: now) else { return Self.unknown }
        guard let requestsPerMinute, requests.count(at: now) >= requestsPerMinute else {
            return nil
        }
        return Failure(
            .rateLimited, "This API key may begin \(requestsPerMinute) chats a minute; wait.",
            retryAfterMilliseconds: requests.rest(at: now))
    }

    /// The key with one more chat begun.
    package func used(at now: Timestamp) -> APIKey {
        var used = self
        used.requests.add(at: now)
        used.lastUsedAt = max(lastUsedAt ?? now, now)
        return used
    }

    /// What a wrong, revoked or outdated key is told, all alike.
    package static let unknown = Failure(
        .unauthenticated, "This API key is not valid; it is wrong, revoked or has expired.")
}

/// Stores API keys; what they have reserved and spent changes with the ledger's holds alone.
///
/// Every method runs inside one transaction.
package protocol APIKeyRepository {
    /// The key with this id, live or not.
    func apiKey(_ id: APIKeyID) throws(StoreError) -> APIKey?

    /// An account's keys: those not revoked first, then newest first; at most `limit`.
    func apiKeys(of account: AccountID, limit: Int) throws(StoreError) -> [APIKey]

    /// An account's keys by number, revoked or not, from the one after this (nil starts at the
    /// first); at most `limit`.
    func apiKeys(of account: AccountID, after id: APIKeyID?, limit: Int) throws(StoreError)
        -> [APIKey]

    /// How many keys of an account are not revoked.
    func unrevokedKeys(of account: AccountID) throws(StoreError) -> Int

    /// How many keys an account has made since `moment`, revoked or not.
    func keysMade(by account: AccountID, since moment: Timestamp) throws(StoreError) -> Int

    /// Adds a key that was never used.
    func insert(_ key: APIKey) throws(StoreError)

    /// Stores when the key was used last and how often this minute.
    func saveUse(of key: APIKey) throws(StoreError)

    /// Revokes a key; one that is revoked already keeps its moment.
    func revoke(_ id: APIKeyID, at now: Timestamp) throws(StoreError)
}
