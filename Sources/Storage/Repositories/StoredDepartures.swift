internal import Accounts
internal import TollgateKernel

/// What is erased when a person leaves, over every table that holds something of theirs.
struct StoredDepartures: DepartureRepository {
    let connection: StoreConnection

    func begin(
        _ account: AccountID, placeholder: [UInt8], at now: Timestamp
    ) throws(StoreError) {
        let changed = try connection.run(
            Text.begin, placeholder, now.milliseconds, account.rawValue)
        guard changed == 1 else { throw .conflict("no account \(account) to delete") }
    }

    func erase(openID: String) throws(StoreError) {
        for text in [Text.eraseCodes, Text.eraseAttempts, Text.eraseFollower] {
            try connection.run(text, openID)
        }
    }

    func erase(
        _ account: AccountID, at now: Timestamp, limit: Int
    ) throws(StoreError) -> Bool {
        let limit = bounded(limit)
        var most = 0
        for text in [Text.eraseSessions, Text.eraseOwnKeys, Text.eraseMessages] {
            most = max(most, try connection.run(text, account.rawValue, limit))
        }
        try connection.run(Text.countOwnKeys, account.rawValue)
        let keys = try connection.run(
            Text.eraseAPIKeys, now.milliseconds, account.rawValue, limit)
        return max(most, keys) < limit
    }

    func unfinished(after account: AccountID?, limit: Int) throws(StoreError) -> [AccountID] {
        // Identifiers are positive.
        try connection.all(Text.unfinished, account?.rawValue ?? 0, bounded(limit)) {
            AccountID(rawValue: $0.integer(0))
        }
    }

    func unfinished(
        begunBefore moment: Timestamp, limit: Int
    ) throws(StoreError) -> [AccountID] {
        try connection.all(Text.begunBefore, moment.milliseconds, bounded(limit)) {
            AccountID(rawValue: $0.integer(0))
        }
    }

    func countUnfinished() throws(StoreError) -> Int64 {
        try connection.first(Text.countUnfinished) { $0.integer(0) } ?? 0
    }

    func countUnfinished(begunBefore moment: Timestamp) throws(StoreError) -> Int64 {
        try connection.first(Text.countBegunBefore, moment.milliseconds) { $0.integer(0) } ?? 0
    }

    func keepTrial(
        _ used: Int64, on day: ShanghaiDay, ofPerson digest: [UInt8]
    ) throws(StoreError) {
        try connection.run(Text.keepTrial, digest, day.number, used)
    }

    func trialUsed(on day: ShanghaiDay, ofPerson digest: [UInt8]) throws(StoreError) -> Int64? {
        try connection.first(Text.trialUsed, digest, day.number) { $0.integer(0) }
    }

    func keepTier(_ name: TierName, ofPerson digest: [UInt8]) throws(StoreError) {
        try connection.run(Text.keepTier, digest, name.rawValue)
    }

    func takeTier(ofPerson digest: [UInt8]) throws(StoreError) -> TierName? {
        let kept = try connection.first(Text.tierKept, digest) { TierName(rawValue: $0.text(0)) }
        guard let kept else { return nil }
        try connection.run(Text.forgetTier, digest)
        return kept
    }

    func keepOrders(
        _ orders: DepartedOrders, ofPerson digest: [UInt8]
    ) throws(StoreError) {
        try connection.run(Text.keepOrders, digest, orders.made, orders.leftAt.milliseconds)
    }

    func orders(ofPerson digest: [UInt8]) throws(StoreError) -> DepartedOrders? {
        try connection.first(Text.orders, digest) {
            DepartedOrders(made: $0.integer(0), leftAt: $0.moment(1))
        }
    }

    func forgetOrders(leftBefore moment: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.forgetOrders, moment.milliseconds, bounded(limit))
    }

    func forgetTrials(before day: ShanghaiDay, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.forgetTrials, day.number, bounded(limit))
    }

    private enum Text {
        static let begin = SQL(
            """
            UPDATE accounts SET openid = '', openid_digest = $1, status = 'deleting',
                deleted_at = $2
            WHERE id = $3 AND deleted_at IS NULL
            """)
        static let eraseCodes = SQL("DELETE FROM login_codes WHERE openid = $1")
        static let eraseAttempts = SQL("DELETE FROM login_attempts WHERE openid = $1")
        static let eraseFollower = SQL("DELETE FROM followers WHERE openid = $1")
        static let eraseSessions = SQL(
            """
            DELETE FROM login_sessions WHERE id IN (
                SELECT id FROM login_sessions WHERE account = $1 ORDER BY id LIMIT $2)
            """)
        static let eraseOwnKeys = SQL(
            """
            DELETE FROM own_keys WHERE account = $1 AND channel IN (
                SELECT channel FROM own_keys WHERE account = $1 ORDER BY channel LIMIT $2)
            """)
        static let eraseMessages = SQL(
            """
            DELETE FROM outbox_messages WHERE id IN (
                SELECT id FROM outbox_messages WHERE account = $1 ORDER BY id LIMIT $2)
            """)
        static let countOwnKeys = SQL(
            """
            UPDATE accounts SET own_keys =
                (SELECT COUNT(*) FROM own_keys WHERE own_keys.account = accounts.id)
            WHERE id = $1
            """)
        // A living key has a name, so an empty one tells which are done.
        static let eraseAPIKeys = SQL(
            """
            UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $1), name = ''
            WHERE id IN (
                SELECT id FROM api_keys WHERE account = $2 AND name <> '' ORDER BY id LIMIT $3)
            """)
        static let unfinished = SQL(
            "SELECT id FROM accounts WHERE status = 'deleting' AND id > $1 ORDER BY id LIMIT $2")
        static let countUnfinished = SQL(
            "SELECT COUNT(*) FROM accounts WHERE status = 'deleting'")
        static let countBegunBefore = SQL(
            "SELECT COUNT(*) FROM accounts WHERE status = 'deleting' AND deleted_at < $1")
        static let begunBefore = SQL(
            """
            SELECT id FROM accounts WHERE status = 'deleting' AND deleted_at < $1
            ORDER BY id LIMIT $2
            """)
        static let keepTrial = SQL(
            """
            INSERT INTO departed_trials (person, day, used) VALUES ($1, $2, $3)
            ON CONFLICT (person) DO UPDATE SET day = excluded.day, used = excluded.used
            """)
        static let trialUsed = SQL(
            "SELECT used FROM departed_trials WHERE person = $1 AND day = $2")
        static let keepTier = SQL(
            """
            INSERT INTO departed_tiers (person, tier) VALUES ($1, $2)
            ON CONFLICT (person) DO UPDATE SET tier = excluded.tier
            """)
        static let tierKept = SQL("SELECT tier FROM departed_tiers WHERE person = $1")
        static let forgetTier = SQL("DELETE FROM departed_tiers WHERE person = $1")
        static let keepOrders = SQL(
            """
            INSERT INTO departed_orders (person, made, left_at) VALUES ($1, $2, $3)
            ON CONFLICT (person) DO UPDATE SET made = excluded.made, left_at = excluded.left_at
            """)
        static let orders = SQL("SELECT made, left_at FROM departed_orders WHERE person = $1")
        static let forgetOrders = SQL(
            """
            DELETE FROM departed_orders WHERE person IN (
                SELECT person FROM departed_orders WHERE left_at < $1 ORDER BY left_at LIMIT $2)
            """)
        static let forgetTrials = SQL(
            """
            DELETE FROM departed_trials WHERE person IN (
                SELECT person FROM departed_trials WHERE day < $1 ORDER BY day LIMIT $2)
            """)
    }
}
