internal import Operations
internal import TollgateKernel

/// Rows that are kept for a time.
struct StoredRetention: RetentionRepository {
    let connection: StoreConnection

    func count(
        _ rows: PerishableRows, before moment: Timestamp, limit: Int
    ) throws(StoreError) -> Int {
        let count = try connection.first(
            Text.of(rows).count, moment.milliseconds, bounded(limit)
        ) { $0.integer(0) }
        return Int(count ?? 0)
    }

    func remove(
        _ rows: PerishableRows, before moment: Timestamp, limit: Int
    ) throws(StoreError) -> Int {
        try connection.run(Text.of(rows).remove, moment.milliseconds, bounded(limit))
    }

    func writers(before moment: Timestamp, limit: Int) throws(StoreError) -> [Int64] {
        try connection.all(Text.writers, moment.milliseconds, bounded(limit)) { $0.integer(0) }
    }

    func removeAttempt(of writer: Int64, before moment: Timestamp) throws(StoreError) -> Int {
        try connection.run(Text.removeAttempt, writer, moment.milliseconds)
    }

    /// The two statements about one kind; tests look at their query plans.
    struct Text {
        let count: SQL
        let remove: SQL

        /// - Parameters:
        ///   - key: The columns of the table's primary key.
        ///   - old: What is true of a row that is older than `$1`.
        ///   - order: The oldest first, along an index where a table may be long.
        private init(_ table: String, key: String, old: String, order: String) {
            count = SQL(
                "SELECT COUNT(*) FROM (SELECT 1 FROM \(table) WHERE \(old) LIMIT $2) AS found")
            remove = SQL(
                """
                DELETE FROM \(table) WHERE (\(key)) IN (
                    SELECT \(key) FROM \(table) WHERE \(old) ORDER BY \(order) LIMIT $2)
                """)
        }

        static func of(_ rows: PerishableRows) -> Text {
            switch rows {
            case .refusals: refusals
            case .paymentNotifications: paymentNotifications
            case .usageRecords: usageRecords
            case .hourlyFigures: hourlyFigures
            case .incidents: incidents
            case .messages: messages
            case .apiKeys: apiKeys
            case .writeAttempts: writeAttempts
            }
        }

        private static let refusals = Text(
            "refusals", key: "id", old: "occurred_at < $1", order: "occurred_at")
        private static let paymentNotifications = Text(
            "payment_notifications", key: "id", old: "received_at < $1", order: "received_at")
        private static let usageRecords = Text(
            "usage_records", key: "hold", old: "ended_at < $1", order: "ended_at")
        private static let hourlyFigures = Text(
            "rollups", key: "resolution, period_start, metric, dimension",
            old: "resolution = 'hour' AND period_start < $1", order: "period_start")
        private static let incidents = Text(
            "incidents", key: "incident_key",
            old: "occurred_at < $1 AND kind IN (\(forgotten))", order: "occurred_at")
        private static let messages = Text(
            "outbox_messages", key: "id", old: "state <> 'waiting' AND created_at < $1",
            order: "created_at")
        // Whatever made a call with a key keeps it: its hold names it.
        private static let apiKeys = Text(
            "api_keys", key: "id",
            old: """
                last_used_at IS NULL AND COALESCE(revoked_at, expires_at) < $1
                AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.api_key = api_keys.id)
                """, order: "COALESCE(revoked_at, expires_at)")

        // A row for each opening or session of some days: no index is worth its upkeep by each
        // batch.
        private static let writeAttempts = Text(
            "write_attempts", key: "writer", old: "opened_at < $1", order: "opened_at")
        static let writers = SQL(
            """
            SELECT writer FROM write_attempts WHERE opened_at < $1 ORDER BY opened_at LIMIT $2
            """)
        static let removeAttempt = SQL(
            "DELETE FROM write_attempts WHERE writer = $1 AND opened_at < $2")

        private static let forgotten = Incident.Kind.allCases.filter { !$0.isAboutMoney }
            .map { "'\($0.rawValue)'" }.joined(separator: ", ")
    }
}
