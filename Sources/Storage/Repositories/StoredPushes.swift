internal import TollgateKernel
internal import Weixin

/// Received pushes and who follows.
struct StoredPushes: PushRepository {
    let connection: StoreConnection

    func receivedPush(key: String) throws(StoreError) -> ReceivedPush? {
        try connection.first(Text.push, key) { row in
            ReceivedPush(
                key: key, answer: row.text(0), codeAttempt: row.integer(1),
                receivedAt: row.moment(2))
        }
    }

    func insert(_ push: ReceivedPush) throws(StoreError) {
        try connection.run(
            Text.insert, push.key, push.answer, push.codeAttempt, push.receivedAt.milliseconds)
    }

    func removePushes(before moment: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.remove, moment.milliseconds, bounded(limit))
    }

    func setFollowing(
        openID: String, _ isFollowing: Bool, at now: Timestamp
    ) throws(StoreError) {
        try connection.run(Text.setFollowing, openID, isFollowing, now.milliseconds)
    }

    func forgetFollower(openID: String) throws(StoreError) {
        try connection.run(Text.forgetFollower, openID)
    }

    private enum Text {
        static let push = SQL(
            "SELECT answer, code_attempt, received_at FROM received_pushes WHERE push_key = $1")
        static let insert = SQL(
            """
            INSERT INTO received_pushes (push_key, answer, code_attempt, received_at)
            VALUES ($1, $2, $3, $4)
            """)
        static let remove = SQL(
            """
            DELETE FROM received_pushes WHERE push_key IN (
                SELECT push_key FROM received_pushes WHERE received_at < $1
                ORDER BY received_at LIMIT $2)
            """)
        static let setFollowing = SQL(
            """
            INSERT INTO followers (openid, is_following, changed_at) VALUES ($1, $2, $3)
            ON CONFLICT (openid) DO UPDATE
            SET is_following = excluded.is_following, changed_at = excluded.changed_at
            """)
        static let forgetFollower = SQL("DELETE FROM followers WHERE openid = $1")
    }
}
