internal import Auth
internal import TollgateKernel

/// API keys.
struct StoredAPIKeys: APIKeyRepository {
    let connection: StoreConnection

    func apiKey(_ id: APIKeyID) throws(StoreError) -> APIKey? {
        try connection.first(Text.byID, id.rawValue, decode: Self.key)
    }

    func apiKeys(of account: AccountID, limit: Int) throws(StoreError) -> [APIKey] {
        try connection.all(Text.ofAccount, account.rawValue, bounded(limit), decode: Self.key)
    }

    func apiKeys(
        of account: AccountID, after id: APIKeyID?, limit: Int
    ) throws(StoreError) -> [APIKey] {
        try connection.all(
            Text.page, account.rawValue, id?.rawValue ?? 0, bounded(limit), decode: Self.key)
    }

    func unrevokedKeys(of account: AccountID) throws(StoreError) -> Int {
        Int(try connection.first(Text.unrevoked, account.rawValue) { $0.integer(0) } ?? 0)
    }

    func keysMade(by account: AccountID, since moment: Timestamp) throws(StoreError) -> Int {
        Int(
            try connection.first(Text.made, account.rawValue, moment.milliseconds) {
                $0.integer(0)
            } ?? 0)
    }

    func insert(_ key: APIKey) throws(StoreError) {
        try connection.run(
            Text.insert, key.id.rawValue, key.account.rawValue, key.digest, key.name,
            TextList.encode(key.models.map(\.rawValue)), key.spendCap?.micro,
            key.requestsPerMinute, key.createdAt.milliseconds, key.expiresAt?.milliseconds)
    }

    func saveUse(of key: APIKey) throws(StoreError) {
        let changed = try connection.run(
            Text.saveUse, key.lastUsedAt?.milliseconds, key.requests.minute, key.requests.count,
            key.id.rawValue)
        guard changed == 1 else { throw .conflict("no API key \(key.id)") }
    }

    func revoke(_ id: APIKeyID, at now: Timestamp) throws(StoreError) {
        try connection.run(Text.revoke, now.milliseconds, id.rawValue)
    }

    private static func key(_ row: Row) throws(StoreError) -> APIKey {
        var key = APIKey(
            id: APIKeyID(rawValue: row.integer(0)), digest: row.bytes(2),
            account: AccountID(rawValue: row.integer(1)), name: row.text(3),
            models: TextList.decode(row.text(4)).map(ModelName.init(rawValue:)),
            spendCap: row.optionalInteger(5).map(Credits.init(micro:)),
            requestsPerMinute: row.optionalInteger(6), createdAt: row.moment(7),
            expiresAt: row.optionalMoment(8))
        key.revokedAt = row.optionalMoment(9)
        key.spent = Credits(micro: row.integer(10))
        key.held = Credits(micro: row.integer(11))
        key.lastUsedAt = row.optionalMoment(12)
        key.requests = MinuteCount(minute: row.integer(13), count: row.integer(14))
        return key
    }

    private enum Text {
        static let columns = """
            id, account, digest, name, models, spend_cap, requests_per_minute, created_at,
            expires_at, revoked_at, spent, held, last_used_at, minute, minute_requests
            """
        static let byID = SQL("SELECT \(columns) FROM api_keys WHERE id = $1")
        static let ofAccount = SQL(
            """
            SELECT \(columns) FROM api_keys WHERE account = $1
            ORDER BY CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT $2
            """)
        static let page = SQL(
            "SELECT \(columns) FROM api_keys WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3")
        static let unrevoked = SQL(
            "SELECT COUNT(*) FROM api_keys WHERE account = $1 AND revoked_at IS NULL")
        static let made = SQL(
            "SELECT COUNT(*) FROM api_keys WHERE account = $1 AND created_at >= $2")
        static let insert = SQL(
            """
            INSERT INTO api_keys (\(columns))
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, 0, 0, NULL, 0, 0)
            """)
        static let saveUse = SQL(
            """
            UPDATE api_keys SET last_used_at = $1, minute = $2, minute_requests = $3
            WHERE id = $4
            """)
        static let revoke = SQL(
            "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
    }
}
