internal import Analytics
internal import TollgateKernel

/// Counts and rollups.
struct StoredAnalytics: AnalyticsRepository {
    let connection: StoreConnection

    func oldestMoment() throws(StoreError) -> Timestamp? {
        try connection.first(Text.oldest) { $0.optionalMoment(0) } ?? nil
    }

    func count(from: Timestamp, until: Timestamp) throws(StoreError) -> [RollupPoint] {
        var points: [RollupPoint] = []
        points += try counted(Text.usage, [.chats, .promptTokens, .completionTokens], from, until)
        points += try counted(Text.refusals, [.refusals], from, until)
        points += try counted(Text.orders, [.orders], from, until)
        points += try counted(Text.payments, [.paidOrders, .revenueFen], from, until)
        return points.sorted {
            ($0.metric.rawValue, $0.dimension) < ($1.metric.rawValue, $1.dimension)
        }
    }

    func replace(
        _ points: [RollupPoint], resolution: RollupResolution, periodStart: Timestamp
    ) throws(StoreError) {
        try connection.run(Text.remove, resolution.rawValue, periodStart.milliseconds)
        for point in points {
            try connection.run(
                Text.insert, resolution.rawValue, periodStart.milliseconds,
                point.metric.rawValue, point.dimension, point.value)
        }
    }

    func points(
        resolution: RollupResolution, from: Timestamp, until: Timestamp, limit: Int
    ) throws(StoreError) -> [RollupPoint] {
        try connection.all(
            Text.points, resolution.rawValue, from.milliseconds, until.milliseconds,
            bounded(limit)
        ) { row throws(StoreError) in
            RollupPoint(
                periodStart: row.moment(0), metric: try row.word(1), dimension: row.text(2),
                value: row.integer(3))
        }
    }

    /// The figures of a text whose first column is the dimension and whose others are `metrics`.
    private func counted(
        _ text: SQL, _ metrics: [BusinessMetric], _ from: Timestamp, _ until: Timestamp
    ) throws(StoreError) -> [RollupPoint] {
        let rows = try connection.all(text, from.milliseconds, until.milliseconds) { row in
            metrics.enumerated().map { place, metric in
                RollupPoint(
                    periodStart: from, metric: metric, dimension: row.text(0),
                    value: row.integer(Int32(place + 1)))
            }
        }
        return rows.flatMap(\.self)
    }

    private enum Text {
        // Each minimum is the first entry of an index. SQLite's MIN of several values is NULL if
        // one of them is, so they are rows here.
        static let oldest = SQL(
            """
            SELECT MIN(moment) FROM (
                SELECT MIN(ended_at) AS moment FROM usage_records
                UNION ALL SELECT MIN(occurred_at) FROM refusals
                UNION ALL SELECT MIN(created_at) FROM orders
                UNION ALL SELECT MIN(booked_at) FROM payments) AS moments
            """)
        // Each answer has a row for each model, code or product: few by nature.
        static let usage = SQL(
            """
            SELECT model, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens)
            FROM usage_records WHERE ended_at >= $1 AND ended_at < $2 GROUP BY model
            """)
        static let refusals = SQL(
            """
            SELECT code, CAST(SUM(times) AS BIGINT) FROM refusals
            WHERE occurred_at >= $1 AND occurred_at < $2 GROUP BY code
            """)
        static let orders = SQL(
            """
            SELECT product, COUNT(*) FROM orders
            WHERE created_at >= $1 AND created_at < $2 GROUP BY product
            """)
        static let payments = SQL(
            """
            SELECT product, COUNT(*), SUM(payments.total_fen)
            FROM payments JOIN orders ON orders.id = payments.order_id
                AND orders.transaction_id = payments.transaction_id
            WHERE booked_at >= $1 AND booked_at < $2 GROUP BY product
            """)
        static let remove = SQL("DELETE FROM rollups WHERE resolution = $1 AND period_start = $2")
        static let insert = SQL(
            """
            INSERT INTO rollups (resolution, period_start, metric, dimension, figure)
            VALUES ($1, $2, $3, $4, $5)
            """)
        static let points = SQL(
            """
            SELECT period_start, metric, dimension, figure FROM rollups
            WHERE resolution = $1 AND period_start >= $2 AND period_start < $3
            ORDER BY period_start, metric, dimension LIMIT $4
            """)
    }
}
