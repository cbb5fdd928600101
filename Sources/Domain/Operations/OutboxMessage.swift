package import TollgateKernel

/// A message to a person that waits to be sent: made in the transaction that caused it, sent after.
package struct OutboxMessage: Hashable, Sendable {
    /// What is told.
    package enum Kind: String, Hashable, Sendable {
        /// Bought credits arrived.
        case creditsArrived = "credits_arrived"
    }

    /// How it stands.
    package enum State: String, Hashable, Sendable {
        case waiting
        case sent
        /// Given up; an incident tells why.
        case dead
    }

    /// The message.
    package var id: OutboxID
    /// What is told.
    package var kind: Kind
    /// To whom.
    package var account: AccountID
    /// The values told, by name.
    package var values: [String: String]
    /// How it stands.
    package var state: State
    /// Failed attempts so far.
    package var attempts: Int64
    /// When it is tried next.
    package var nextAttemptAt: Timestamp
    /// When it was made.
    package var createdAt: Timestamp

    /// Makes a value.
    package init(
        id: OutboxID, kind: Kind, account: AccountID, values: [String: String], state: State,
        attempts: Int64, nextAttemptAt: Timestamp, createdAt: Timestamp
    ) {
        self.id = id
        self.kind = kind
        self.account = account
        self.values = values
        self.state = state
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.createdAt = createdAt
    }
}

/// Stores messages to people.
///
/// Every method runs inside one transaction.
package protocol OutboxRepository {
    /// Adds a message.
    func insert(_ message: OutboxMessage) throws(StoreError)

    /// Waiting messages whose time has come, oldest first; at most `limit`.
    func dueMessages(at now: Timestamp, limit: Int) throws(StoreError) -> [OutboxMessage]

    /// An account's messages by number, from the one after this (nil starts at the first), sent or
    /// not; at most `limit`.
    func messages(of account: AccountID, after id: OutboxID?, limit: Int) throws(StoreError)
        -> [OutboxMessage]

    /// Stores state, attempts and next attempt, guarded by state `waiting`.
    func update(_ message: OutboxMessage) throws(StoreError)
}
