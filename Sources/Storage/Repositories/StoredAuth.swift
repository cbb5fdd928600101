internal import Auth
internal import TollgateKernel

/// Login codes, wrong guesses and login sessions.
struct StoredAuth: AuthRepository {
    let connection: StoreConnection

    func insert(_ code: LoginCode, now: Timestamp) throws(StoreError) -> Bool {
        let isTaken = try connection.first(
            Text.codeOfOther, code.digest, code.openID, now.milliseconds
        ) { _ in true }
        if isTaken == true { return false }
        try connection.run(Text.removeCodes, code.openID, code.digest)
        try connection.run(
            Text.insertCode, code.digest, code.openID, code.expiresAt.milliseconds)
        return true
    }

    func takeLoginCode(digest: [UInt8], now: Timestamp) throws(StoreError) -> LoginCode? {
        try connection.first(Text.takeCode, digest, now.milliseconds) { row in
            LoginCode(digest: digest, openID: row.text(0), expiresAt: row.moment(1))
        }
    }

    func removeExpiredLoginCodes(now: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.removeExpiredCodes, now.milliseconds, bounded(limit))
    }

    func wrongGuesses(source: [UInt8], minute: Int64) throws(StoreError) -> Int64 {
        try connection.first(Text.guesses, minute, source) { $0.integer(0) } ?? 0
    }

    func recordWrongGuess(
        source: [UInt8], minute: Int64, countsInAll: Bool
    ) throws(StoreError) {
        try connection.run(Text.forgetGuesses, minute - 10)
        if countsInAll { try connection.run(Text.countGuess, minute, [UInt8]()) }
        if !source.isEmpty { try connection.run(Text.countGuess, minute, source) }
    }

    func insert(_ session: LoginSession) throws(StoreError) {
        try connection.run(
            Text.insertSession, session.id.rawValue, session.digest, session.account.rawValue,
            session.device, session.createdAt.milliseconds, session.expiresAt.milliseconds,
            session.lastUsedAt.milliseconds)
    }

    func loginSession(digest: [UInt8]) throws(StoreError) -> LoginSession? {
        try connection.first(Text.session, digest, decode: Self.session)
    }

    func loginSessions(
        of account: AccountID, now: Timestamp, limit: Int
    ) throws(StoreError) -> [LoginSession] {
        try connection.all(
            Text.sessionsOfAccount, account.rawValue, now.milliseconds, bounded(limit),
            decode: Self.session)
    }

    private static func session(_ row: Row) -> LoginSession {
        LoginSession(
            id: LoginSessionID(rawValue: row.integer(0)), digest: row.bytes(1),
            account: AccountID(rawValue: row.integer(2)), device: row.text(3),
            createdAt: row.moment(4), expiresAt: row.moment(5), lastUsedAt: row.moment(6))
    }

    func removeLoginSession(
        _ id: LoginSessionID, of account: AccountID, now: Timestamp
    ) throws(StoreError) -> Bool {
        try connection.run(
            Text.removeSessionOfAccount, id.rawValue, account.rawValue, now.milliseconds) == 1
    }

    func removeLoginSessions(
        of account: AccountID, except spared: LoginSessionID?, now: Timestamp
    ) throws(StoreError) -> Int {
        // Identifiers are positive: 0 spares none.
        try connection.run(
            Text.removeSessionsOfAccount, account.rawValue, spared?.rawValue ?? 0,
            now.milliseconds)
    }

    func trimLoginSessions(
        of account: AccountID, to limit: Int, sparing session: LoginSessionID
    ) throws(StoreError) {
        try connection.run(
            Text.trimSessions, account.rawValue, bounded(limit), session.rawValue)
    }

    func saveUse(ofLoginSession id: LoginSessionID, at now: Timestamp) throws(StoreError) {
        try connection.run(Text.saveUse, id.rawValue, now.milliseconds)
    }

    func loginSessions(
        of account: AccountID, after id: LoginSessionID?, limit: Int
    ) throws(StoreError) -> [LoginSession] {
        try connection.all(
            Text.pageOfSessions, account.rawValue, id?.rawValue ?? 0, bounded(limit),
            decode: Self.session)
    }

    func removeLoginSession(digest: [UInt8]) throws(StoreError) -> Bool {
        try connection.run(Text.removeSession, digest) == 1
    }

    func removeExpiredLoginSessions(now: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.removeExpiredSessions, now.milliseconds, bounded(limit))
    }

    private enum Text {
        static let codeOfOther = SQL(
            """
            SELECT 1 FROM login_codes WHERE digest = $1 AND openid <> $2 AND expires_at > $3
            """)
        static let removeCodes = SQL("DELETE FROM login_codes WHERE openid = $1 OR digest = $2")
        static let insertCode = SQL(
            "INSERT INTO login_codes (digest, openid, expires_at) VALUES ($1, $2, $3)")
        static let takeCode = SQL(
            """
            DELETE FROM login_codes WHERE digest = $1 AND expires_at > $2
            RETURNING openid, expires_at
            """)
        static let removeExpiredCodes = SQL(
            """
            DELETE FROM login_codes WHERE digest IN (
                SELECT digest FROM login_codes WHERE expires_at < $1
                ORDER BY expires_at LIMIT $2)
            """)
        static let guesses = SQL(
            "SELECT guesses FROM wrong_guesses WHERE minute = $1 AND source = $2")
        static let forgetGuesses = SQL("DELETE FROM wrong_guesses WHERE minute < $1")
        static let countGuess = SQL(
            """
            INSERT INTO wrong_guesses (minute, source, guesses) VALUES ($1, $2, 1)
            ON CONFLICT (minute, source) DO UPDATE SET guesses = wrong_guesses.guesses + 1
            """)
        static let insertSession = SQL(
            """
            INSERT INTO login_sessions
                (id, digest, account, device, created_at, expires_at, last_used_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """)
        static let session = SQL(
            """
            SELECT id, digest, account, device, created_at, expires_at, last_used_at
            FROM login_sessions WHERE digest = $1
            """)
        static let sessionsOfAccount = SQL(
            """
            SELECT id, digest, account, device, created_at, expires_at, last_used_at
            FROM login_sessions WHERE account = $1 AND expires_at > $2 ORDER BY id DESC LIMIT $3
            """)
        static let pageOfSessions = SQL(
            """
            SELECT id, digest, account, device, created_at, expires_at, last_used_at
            FROM login_sessions WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3
            """)
        static let removeSessionOfAccount = SQL(
            "DELETE FROM login_sessions WHERE id = $1 AND account = $2 AND expires_at > $3")
        static let removeSessionsOfAccount = SQL(
            "DELETE FROM login_sessions WHERE account = $1 AND id <> $2 AND expires_at > $3")
        static let trimSessions = SQL(
            """
            DELETE FROM login_sessions WHERE account = $1 AND id NOT IN (
                SELECT id FROM login_sessions WHERE account = $1
                ORDER BY CASE WHEN id = $3 THEN 0 ELSE 1 END, last_used_at DESC, id DESC LIMIT $2)
            """)
        static let saveUse = SQL(
            "UPDATE login_sessions SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2")
        static let removeSession = SQL("DELETE FROM login_sessions WHERE digest = $1")
        static let removeExpiredSessions = SQL(
            """
            DELETE FROM login_sessions WHERE id IN (
                SELECT id FROM login_sessions WHERE expires_at < $1
                ORDER BY expires_at LIMIT $2)
            """)
    }
}
