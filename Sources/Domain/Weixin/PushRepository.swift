package import TollgateKernel

/// A push that was answered, so that a repetition is answered alike and works once.
package struct ReceivedPush: Hashable, Sendable {
    /// What identifies a push: a digest of its MsgId, or of sender, time and event (`reference`
    /// section 1.9), so that no sender can be read from it.
    package var key: String
    /// What was answered, by the name that the use case gave it.
    package var answer: String
    /// How often a login code had to be drawn again because another person's live code was equal.
    package var codeAttempt: Int64
    /// When it came first.
    package var receivedAt: Timestamp

    /// Makes a value.
    package init(key: String, answer: String, codeAttempt: Int64, receivedAt: Timestamp) {
        self.key = key
        self.answer = answer
        self.codeAttempt = codeAttempt
        self.receivedAt = receivedAt
    }
}

/// Stores received pushes and who follows.
///
/// Every method runs inside one transaction.
package protocol PushRepository {
    /// The push with this key, if it was answered before.
    func receivedPush(key: String) throws(StoreError) -> ReceivedPush?

    /// Adds a push; the key is unique.
    func insert(_ push: ReceivedPush) throws(StoreError)

    /// Removes pushes received before a moment; at most `limit`. Returns how many.
    func removePushes(before moment: Timestamp, limit: Int) throws(StoreError) -> Int

    /// Stores whether a person follows the official account.
    func setFollowing(openID: String, _ isFollowing: Bool, at now: Timestamp) throws(StoreError)

    /// Forgets that a person ever followed; whoever did not is no error.
    func forgetFollower(openID: String) throws(StoreError)
}
