internal import Accounts
internal import TollgateKernel

/// Tiers, and which account is in which.
struct StoredTiers: TierRepository {
    let connection: StoreConnection

    func tiers(limit: Int) throws(StoreError) -> [Tier] {
        try connection.all(Text.all, bounded(limit)) { row throws(StoreError) in
            Self.tier(row, from: 0)
        }
    }

    func tier(_ name: TierName) throws(StoreError) -> Tier? {
        try connection.first(Text.named, name.rawValue) { row throws(StoreError) in
            Self.tier(row, from: 0)
        }
    }

    func save(_ tier: Tier) throws(StoreError) {
        try connection.run(
            Text.save, tier.name.rawValue, tier.priceFactor.numerator,
            tier.priceFactor.denominator, tier.limits.requestsPerMinute,
            tier.limits.tokensPerMinute, tier.limits.concurrentChats)
    }

    func setTier(_ name: TierName, of account: AccountID) throws(StoreError) {
        let changed = try connection.run(Text.assign, name.rawValue, account.rawValue)
        guard changed == 1 else { throw .conflict("no account \(account)") }
    }

    /// Reads the columns of a tier that begin at a place.
    static func tier(_ row: Row, from first: Int32) -> Tier {
        Tier(
            name: TierName(rawValue: row.text(first)),
            priceFactor: PriceFactor(stored: row.integer(first + 1), row.integer(first + 2)),
            limits: CallLimits(
                requestsPerMinute: row.optionalInteger(first + 3),
                tokensPerMinute: row.optionalInteger(first + 4),
                concurrentChats: row.optionalInteger(first + 5)))
    }

    /// The columns that ``tier(_:from:)`` reads.
    static let columns = """
        tiers.name, tiers.price_numerator, tiers.price_denominator, tiers.requests_per_minute,
        tiers.tokens_per_minute, tiers.concurrent_chats
        """

    private enum Text {
        static let all = SQL("SELECT \(columns) FROM tiers ORDER BY name LIMIT $1")
        static let named = SQL("SELECT \(columns) FROM tiers WHERE name = $1")
        static let save = SQL(
            """
            INSERT INTO tiers (name, price_numerator, price_denominator, requests_per_minute,
                tokens_per_minute, concurrent_chats)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (name) DO UPDATE SET price_numerator = excluded.price_numerator,
                price_denominator = excluded.price_denominator,
                requests_per_minute = excluded.requests_per_minute,
                tokens_per_minute = excluded.tokens_per_minute,
                concurrent_chats = excluded.concurrent_chats
            """)
        static let assign = SQL("UPDATE accounts SET tier = $1 WHERE id = $2")
    }
}
