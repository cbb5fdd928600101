internal import Chat
internal import TollgateKernel

/// People's own keys at providers.
struct StoredOwnKeys: OwnKeyRepository {
    let connection: StoreConnection

    func ownKeys(of account: AccountID) throws(StoreError) -> [OwnKey] {
        try connection.all(Text.ofAccount, account.rawValue, Limits.ownKeysOfAccount) { row in
            OwnKey(
                account: account, channel: row.text(0), sealed: row.bytes(1), hint: row.text(2),
                createdAt: row.moment(3))
        }
    }

    func save(_ key: OwnKey) throws(StoreError) {
        try connection.run(
            Text.save, key.account.rawValue, key.channel, key.sealed, key.hint,
            key.createdAt.milliseconds)
        try connection.run(Text.count, key.account.rawValue)
    }

    func ownKeys(after key: OwnKey?, limit: Int) throws(StoreError) -> [OwnKey] {
        // No account has the number 0 or less.
        try connection.all(
            Text.after, key?.account.rawValue ?? 0, key?.channel ?? "", bounded(limit)
        ) { row in
            OwnKey(
                account: AccountID(rawValue: row.integer(4)), channel: row.text(0),
                sealed: row.bytes(1), hint: row.text(2), createdAt: row.moment(3))
        }
    }

    func hasOwnKeys(channel: String) throws(StoreError) -> Bool {
        try connection.first(Text.ofChannel, channel) { $0.integer(0) } != nil
    }

    func replace(_ old: OwnKey, with sealed: [UInt8]) throws(StoreError) -> Bool {
        try connection.run(
            Text.replace, sealed, old.account.rawValue, old.channel, old.sealed) == 1
    }

    func removeOwnKey(channel: String, of account: AccountID) throws(StoreError) -> Bool {
        guard try connection.run(Text.remove, account.rawValue, channel) == 1 else { return false }
        try connection.run(Text.count, account.rawValue)
        return true
    }

    private enum Text {
        static let ofAccount = SQL(
            """
            SELECT channel, sealed_api_key, hint, created_at FROM own_keys
            WHERE account = $1 ORDER BY channel LIMIT $2
            """)
        static let after = SQL(
            """
            SELECT channel, sealed_api_key, hint, created_at, account FROM own_keys
            WHERE (account, channel) > ($1, $2) ORDER BY account, channel LIMIT $3
            """)
        static let ofChannel = SQL("SELECT account FROM own_keys WHERE channel = $1 LIMIT 1")
        static let replace = SQL(
            """
            UPDATE own_keys SET sealed_api_key = $1
            WHERE account = $2 AND channel = $3 AND sealed_api_key = $4
            """)
        static let save = SQL(
            """
            INSERT INTO own_keys (account, channel, sealed_api_key, hint, created_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (account, channel) DO UPDATE SET sealed_api_key = excluded.sealed_api_key,
                hint = excluded.hint, created_at = excluded.created_at
            """)
        static let remove = SQL("DELETE FROM own_keys WHERE account = $1 AND channel = $2")
        static let count = SQL(
            """
            UPDATE accounts SET own_keys =
                (SELECT COUNT(*) FROM own_keys WHERE own_keys.account = accounts.id)
            WHERE id = $1
            """)
    }
}
