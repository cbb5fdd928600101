internal import Accounts
internal import TollgateKernel

/// Accounts, permissions and free trials.
struct StoredAccounts: AccountRepository {
    let connection: StoreConnection

    func account(_ id: AccountID) throws(StoreError) -> Account? {
        try connection.first(Text.byID, id.rawValue, decode: decoded)
    }

    func account(openIDDigest: [UInt8]) throws(StoreError) -> Account? {
        try connection.first(Text.byDigest, openIDDigest, decode: decoded)
    }

    func insert(_ account: Account, openID: String) throws(StoreError) {
        try connection.run(
            Text.insert, account.id.rawValue, account.openIDDigest, openID,
            account.status.rawValue, account.isWhiteListed, account.openedAt.milliseconds)
        try connection.run(
            Text.insertLedger, account.id.rawValue, [UInt8](repeating: 0, count: 32))
    }

    func openID(of account: AccountID) throws(StoreError) -> String? {
        try connection.first(Text.openID, account.rawValue) { $0.text(0) }
    }

    func update(_ account: Account) throws(StoreError) {
        let changed = try connection.run(
            Text.update, account.status.rawValue, account.isWhiteListed, account.id.rawValue)
        guard changed == 1 else { throw .conflict("no account \(account.id)") }
    }

    func isPermitted(_ model: ModelName, for account: AccountID) throws(StoreError) -> Bool {
        try connection.first(Text.isPermitted, account.rawValue, model.rawValue) { _ in true }
            ?? false
    }

    func permit(_ models: [ModelName], for account: AccountID) throws(StoreError) {
        for model in models {
            try connection.run(Text.permit, account.rawValue, model.rawValue)
        }
    }

    func trialDay(of account: AccountID, on day: ShanghaiDay) throws(StoreError) -> TrialDay {
        let used = try connection.first(Text.trialDay, account.rawValue, day.number) {
            $0.integer(0)
        }
        return TrialDay(account: account, day: day, used: used ?? 0)
    }

    func trialCalls(
        of account: AccountID, from first: ShanghaiDay, until end: ShanghaiDay
    ) throws(StoreError) -> Int64 {
        try connection.first(
            Text.trialCalls, account.rawValue, first.number, end.number
        ) { $0.integer(0) } ?? 0
    }

    func save(_ trialDay: TrialDay) throws(StoreError) {
        try connection.run(
            Text.saveTrialDay, trialDay.account.rawValue, trialDay.day.number, trialDay.used)
    }

    private func decoded(_ row: Row) throws(StoreError) -> Account {
        Account(
            id: AccountID(rawValue: row.integer(0)), openIDDigest: row.bytes(1),
            status: try row.word(2), isWhiteListed: row.truth(3), openedAt: row.moment(4),
            tier: StoredTiers.tier(row, from: 7), hasOwnKeys: row.integer(5) > 0,
            deletedAt: row.optionalMoment(6))
    }

    private enum Text {
        static let select = """
            SELECT id, openid_digest, status, is_white_listed, opened_at, own_keys, deleted_at,
                \(StoredTiers.columns)
            FROM accounts JOIN tiers ON tiers.name = COALESCE(accounts.tier, 'standard')
            """
        static let byID = SQL("\(select) WHERE id = $1")
        static let byDigest = SQL("\(select) WHERE openid_digest = $1")
        static let insert = SQL(
            """
            INSERT INTO accounts (id, openid_digest, openid, status, is_white_listed, opened_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """)
        static let insertLedger = SQL(
            """
            INSERT INTO customer_ledgers (account, posted, held, sequence, chain_hash)
            VALUES ($1, 0, 0, 0, $2)
            """)
        static let openID = SQL(
            "SELECT openid FROM accounts WHERE id = $1 AND deleted_at IS NULL")
        static let update = SQL(
            "UPDATE accounts SET status = $1, is_white_listed = $2 WHERE id = $3")
        static let isPermitted = SQL(
            "SELECT 1 FROM model_permissions WHERE account = $1 AND model = $2")
        static let permit = SQL(
            """
            INSERT INTO model_permissions (account, model) VALUES ($1, $2)
            ON CONFLICT (account, model) DO NOTHING
            """)
        static let trialDay = SQL("SELECT used FROM trial_days WHERE account = $1 AND day = $2")
        static let trialCalls = SQL(
            """
            SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM trial_days
            WHERE account = $1 AND day >= $2 AND day < $3
            """)
        static let saveTrialDay = SQL(
            """
            INSERT INTO trial_days (account, day, used) VALUES ($1, $2, $3)
            ON CONFLICT (account, day) DO UPDATE SET used = excluded.used
            """)
    }
}
