internal import Auth
internal import TollgateKernel

/// Login attempts by QR code.
struct StoredLoginAttempts: LoginAttemptRepository {
    let connection: StoreConnection

    func attempt(scene: LoginScene) throws(StoreError) -> LoginAttempt? {
        try connection.first(Text.byScene, scene.text, decode: Self.attempt)
    }

    func attempt(secretDigest: [UInt8]) throws(StoreError) -> LoginAttempt? {
        try connection.first(Text.bySecret, secretDigest, decode: Self.attempt)
    }

    func openAttempt(openID: String) throws(StoreError) -> LoginAttempt? {
        try connection.first(Text.openOfPerson, openID, decode: Self.attempt)
    }

    func count(under key: [UInt8], at now: Timestamp) throws(StoreError) -> Int64 {
        let count = try connection.first(
            Text.count, key, now.milliseconds,
            now.milliseconds - Limits.loginAttemptMilliseconds
        ) { $0.integer(0) }
        return count ?? 1
    }

    func counted(under key: [UInt8], at now: Timestamp) throws(StoreError) -> Int64 {
        let counted = try connection.first(
            Text.counted, key, now.milliseconds,
            now.milliseconds - Limits.loginAttemptMilliseconds
        ) { $0.integer(0) }
        return counted ?? 0
    }

    func forgetCounts(now: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(
            Text.forgetCounts, now.milliseconds - Limits.loginAttemptMilliseconds, bounded(limit))
    }

    func insert(_ attempt: LoginAttempt) throws(StoreError) {
        let columns = Columns(attempt.state)
        try connection.run(
            Text.insert, attempt.scene.text, attempt.secretDigest, attempt.source, attempt.device,
            attempt.createdAt.milliseconds, attempt.expiresAt.milliseconds, columns.state,
            columns.openID, columns.number, columns.refusal)
    }

    func save(_ attempt: LoginAttempt, was old: LoginAttempt.State) throws(StoreError) {
        let columns = Columns(attempt.state)
        let changed = try connection.run(
            Text.save, columns.state, columns.openID, columns.number, columns.refusal,
            attempt.scene.text, Columns(old).state)
        guard changed == 1 else { throw .conflict("the login attempt has moved on") }
    }

    func removeExpiredAttempts(now: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.removeExpired, now.milliseconds, bounded(limit))
    }

    private static func attempt(_ row: Row) throws(StoreError) -> LoginAttempt {
        guard let scene = LoginScene(text: row.text(0)) else {
            throw .corrupt("no scene: '\(row.text(0))'")
        }
        return LoginAttempt(
            scene: scene, secretDigest: row.bytes(1), source: row.bytes(2), device: row.text(3),
            createdAt: row.moment(4), expiresAt: row.moment(5), state: try state(row))
    }

    private static func state(_ row: Row) throws(StoreError) -> LoginAttempt.State {
        let openID = row.text(7)
        switch try row.word(6, as: Name.self) {
        case .pending: return .pending
        case .scanned: return .scanned(openID: openID, number: row.integer(8))
        case .confirmed: return .confirmed(openID: openID)
        case .redeemed: return .redeemed(openID: openID)
        case .refused: return .refused(try row.word(9))
        }
    }

    private enum Name: String {
        case pending, scanned, confirmed, redeemed, refused
    }

    /// A state as it is stored.
    private struct Columns {
        var state: String
        var openID: String?
        var number: Int64?
        var refusal: String?

        init(_ state: LoginAttempt.State) {
            let name: Name
            switch state {
            case .pending: name = .pending
            case .scanned(let openID, let number):
                name = .scanned
                self.openID = openID
                self.number = number
            case .confirmed(let openID):
                name = .confirmed
                self.openID = openID
            case .redeemed(let openID):
                name = .redeemed
                self.openID = openID
            case .refused(let refusal):
                name = .refused
                self.refusal = refusal.rawValue
            }
            self.state = name.rawValue
        }
    }

    enum Text {
        static let columns = """
            scene, secret_digest, source, device, created_at, expires_at, state, openid, number,
            refusal
            """
        static let byScene = SQL("SELECT \(columns) FROM login_attempts WHERE scene = $1")
        static let bySecret = SQL("SELECT \(columns) FROM login_attempts WHERE secret_digest = $1")
        static let openOfPerson = SQL(
            """
            SELECT \(columns) FROM login_attempts
            WHERE openid = $1 AND state IN ('scanned', 'confirmed')
            """)
        // One statement that finds its row by its key: it reads nothing that others write. What
        // began after now was begun before the clock was set back.
        static let count = SQL(
            """
            INSERT INTO login_attempt_counts (counted, began_at, attempts) VALUES ($1, $2, 1)
            ON CONFLICT (counted) DO UPDATE SET
                attempts = CASE WHEN login_attempt_counts.began_at > $3
                    AND login_attempt_counts.began_at <= excluded.began_at
                    THEN login_attempt_counts.attempts + 1 ELSE 1 END,
                began_at = CASE WHEN login_attempt_counts.began_at > $3
                    AND login_attempt_counts.began_at <= excluded.began_at
                    THEN login_attempt_counts.began_at ELSE excluded.began_at END
            RETURNING attempts
            """)
        static let counted = SQL(
            """
            SELECT attempts FROM login_attempt_counts
            WHERE counted = $1 AND began_at <= $2 AND began_at > $3
            """)
        static let forgetCounts = SQL(
            """
            DELETE FROM login_attempt_counts WHERE counted IN (
                SELECT counted FROM login_attempt_counts WHERE began_at <= $1
                ORDER BY began_at LIMIT $2)
            """)
        static let insert = SQL(
            """
            INSERT INTO login_attempts (\(columns))
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """)
        static let save = SQL(
            """
            UPDATE login_attempts SET state = $1, openid = $2, number = $3, refusal = $4
            WHERE scene = $5 AND state = $6
            """)
        static let removeExpired = SQL(
            """
            DELETE FROM login_attempts WHERE scene IN (
                SELECT scene FROM login_attempts WHERE expires_at < $1
                ORDER BY expires_at LIMIT $2)
            """)
    }
}
