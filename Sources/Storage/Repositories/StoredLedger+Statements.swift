internal import Accounts
internal import TollgateKernel

extension StoredLedger {
    func place(_ sequence: Int64, of account: AccountID) throws(StoreError) -> HistoryPlace? {
        try connection.first(StatementText.place, account.rawValue, sequence) { row in
            // What a step back noted is a lower bound at each place behind it: the greater is it.
            HistoryPlace(
                reachedAt: max(row.moment(0), row.optionalMoment(2) ?? row.moment(0)),
                postedAfter: row.integer(1))
        }
    }

    func totals(
        of account: AccountID, in places: Range<Int64>
    ) throws(StoreError) -> [MovementTotal] {
        precondition(
            places.count <= Limits.statementSliceRows, "A month is added up in slices.")
        return try connection.all(
            StatementText.totals, account.rawValue, places.lowerBound, places.upperBound
        ) { row throws(StoreError) in
            MovementTotal(
                kind: try row.word(0), count: row.integer(1), credited: row.integer(2),
                debited: row.integer(3))
        }
    }

    /// The statements; tests look at their query plans.
    enum StatementText {
        static let place = SQL(
            """
            SELECT occurred_at, posted_after,
                (SELECT reached_at FROM clock_steps WHERE customer = $1 AND sequence <= $2
                ORDER BY sequence DESC LIMIT 1)
            FROM transfers WHERE customer = $1 AND sequence = $2
            """)
        static let totals = SQL(
            """
            SELECT kind, COUNT(*),
                CAST(SUM(CASE WHEN to_account = 'customer' THEN amount ELSE 0 END) AS BIGINT),
                CAST(SUM(CASE WHEN from_account = 'customer' THEN amount ELSE 0 END) AS BIGINT)
            FROM transfers WHERE customer = $1 AND sequence >= $2 AND sequence < $3
            GROUP BY kind
            """)
    }
}
