package import TollgateKernel

/// A person's own key at a provider: with it they pay the provider and nobody else.
///
/// It is bound to a channel of the operator's, whose address it is sent to: an address of the
/// person's choice would let them reach into the operator's network.
package struct OwnKey: Hashable, Sendable {
    /// Whose.
    package var account: AccountID
    /// The channel it is for.
    package var channel: String
    /// The key, sealed under the master key for this account and channel (AES-256-GCM).
    package var sealed: [UInt8]
    /// What lists show of it: its last characters.
    package var hint: String
    /// When it was bound.
    package var createdAt: Timestamp

    /// Makes a value.
    package init(
        account: AccountID, channel: String, sealed: [UInt8], hint: String, createdAt: Timestamp
    ) {
        self.account = account
        self.channel = channel
        self.sealed = sealed
        self.hint = hint
        self.createdAt = createdAt
    }

    /// What the sealing of a key is bound to, so that it opens in its own row alone.
    package static func label(account: AccountID, channel: String) -> String {
        "account:\(account):channel:\(channel)"
    }

    /// What lists show of a key: its last four characters if those are a small part of it.
    package static func hint(of key: String) -> String {
        key.utf8.count >= 20 ? "…\(key.suffix(4))" : "…"
    }

    /// Whether a text can be a provider's key: visible ASCII, as it goes into a header.
    package static func isWellFormed(_ key: String) -> Bool {
        Limits.ownKeyBytes.contains(key.utf8.count)
            && key.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}

/// Stores people's own keys.
///
/// Every method runs inside one transaction.
package protocol OwnKeyRepository {
    /// An account's keys, by channel; at most ``Limits/ownKeysOfAccount``.
    func ownKeys(of account: AccountID) throws(StoreError) -> [OwnKey]

    /// Adds a key, or puts it in the place of the one for the same channel.
    func save(_ key: OwnKey) throws(StoreError)

    /// Every account's keys after one (nil starts at the first), by account and channel; at most
    /// `limit`.
    func ownKeys(after key: OwnKey?, limit: Int) throws(StoreError) -> [OwnKey]

    /// Whether anybody has a key for a channel.
    func hasOwnKeys(channel: String) throws(StoreError) -> Bool

    /// Puts other sealed bytes in the place of a key's; false if those are not there any more.
    func replace(_ old: OwnKey, with sealed: [UInt8]) throws(StoreError) -> Bool

    /// Removes a key; false if there was none.
    func removeOwnKey(channel: String, of account: AccountID) throws(StoreError) -> Bool
}
