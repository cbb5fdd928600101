import Accounts
import Analytics
import Application
import Auth
import Chat
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// What is removed, and what stays whatever its age.
@Suite struct RetentionContractTests {
    private static let owner = AccountID(rawValue: 1)

    /// One old row of a kind at each moment; numbers from 1.
    private static func insert(
        _ rows: PerishableRows, _ number: Int64, at moment: Timestamp, _ tx: any Transaction
    ) throws {
        switch rows {
        case .refusals:
            try tx.chat.insertRefusal(
                account: owner, model: ModelName(rawValue: "m\(number)"), code: .rateLimited,
                at: moment)
        case .paymentNotifications:
            _ = try tx.orders.insertNotification(
                id: "EV-\(number)", outTradeNumber: "T\(number)", at: moment)
        case .usageRecords:
            try tx.ledger.insert(hold(number), reservations: [])
            try tx.chat.insert(usage(number, at: moment))
        case .hourlyFigures:
            let point = RollupPoint(
                periodStart: moment, metric: .chats, dimension: "m\(number)", value: 1)
            try connection(tx).execute(
                """
                INSERT INTO rollups (resolution, period_start, metric, dimension, figure)
                VALUES ('hour', \(moment.milliseconds), 'chats', '\(point.dimension)', 1)
                """)
        case .incidents:
            try tx.operations.insert(
                Incident(
                    key: "k\(number)", kind: .gatewayMisconfigured, reference: "", summary: "",
                    at: moment))
        case .messages:
            try tx.outbox.insert(message(number, number == 1 ? .dead : .sent, at: moment))
        case .apiKeys:
            try tx.apiKeys.insert(key(number, expiresAt: number == 1 ? moment : nil))
            if number > 1 { try tx.apiKeys.revoke(APIKeyID(rawValue: number), at: moment) }
        case .writeAttempts:
            // On PostgreSQL this transaction's own row is there already.
            if number == 1 { try connection(tx).execute("DELETE FROM write_attempts") }
            try connection(tx).execute(
                """
                INSERT INTO write_attempts (writer, batch, opened_at)
                VALUES (\(number), 7, \(moment.milliseconds))
                """)
        }
    }

    private static func usage(_ number: Int64, at moment: Timestamp) -> UsageRecord {
        UsageRecord(
            hold: HoldID(rawValue: number), account: owner, model: ModelName(rawValue: "m"),
            channel: "c", source: "credits",
            usage: TokenUsage(promptTokens: 1, completionTokens: 1), isEstimated: false,
            charged: .zero, outcome: .answered, startedAt: start, firstTokenAt: nil,
            endedAt: moment)
    }

    private static func message(
        _ number: Int64, _ state: OutboxMessage.State, at moment: Timestamp
    ) -> OutboxMessage {
        OutboxMessage(
            id: OutboxID(rawValue: number), kind: .creditsArrived, account: owner, values: [:],
            state: state, attempts: 0, nextAttemptAt: moment, createdAt: moment)
    }

    private static func key(_ number: Int64, expiresAt: Timestamp? = nil) -> APIKey {
        APIKey(
            id: APIKeyID(rawValue: number), digest: digest(1), account: owner, name: "robot",
            models: [], spendCap: nil, requestsPerMinute: nil, createdAt: start,
            expiresAt: expiresAt)
    }

    @Test(arguments: Engine.all, PerishableRows.allCases)
    func theOldestGoInPartsAndYoungerStay(_ engine: Engine, _ rows: PerishableRows) async throws {
        try await inTransaction(engine) { tx throws in
            let day: Int64 = 86_400_000
            for number in 1...3 as ClosedRange<Int64> {
                try Self.insert(rows, number, at: .after(0), tx)
            }
            try Self.insert(rows, 4, at: .after(9 * day), tx)
            let horizon = Timestamp.after(4 * day)
            #expect(try tx.retention.count(rows, before: horizon, limit: 2) == 2)
            #expect(try tx.retention.count(rows, before: horizon, limit: 9) == 3)
            #expect(try tx.retention.remove(rows, before: horizon, limit: 2) == 2)
            #expect(try tx.retention.count(rows, before: horizon, limit: 9) == 1)
            #expect(try tx.retention.remove(rows, before: horizon, limit: 2) == 1)
            #expect(try tx.retention.remove(rows, before: horizon, limit: 2) == 0)
            #expect(try tx.retention.count(rows, before: .after(10 * day), limit: 9) == 1)
        }
    }

    @Test(arguments: Engine.all) func whatMoneyOrSomebodyNeedsStays(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let later = Timestamp.after(1_000_000_000_000)
            try tx.outbox.insert(Self.message(1, .waiting, at: start))
            for (number, kind) in Incident.Kind.allCases.enumerated() where kind.isAboutMoney {
                try tx.operations.insert(
                    Incident(key: "k\(number)", kind: kind, reference: "", summary: "", at: start))
            }
            try tx.analytics.replace(
                [RollupPoint(periodStart: start, metric: .chats, dimension: "m", value: 1)],
                resolution: .day, periodStart: start)
            // One in use, one that is used up, one whose hold alone tells that it was used.
            try tx.apiKeys.insert(Self.key(1))
            for number in 2...3 as ClosedRange<Int64> {
                var key = Self.key(number)
                try tx.apiKeys.insert(key)
                if number == 2 {
                    key = key.used(at: start)
                    try tx.apiKeys.saveUse(of: key)
                } else {
                    try tx.ledger.insert(hold(1), reservations: [])
                    try connection(tx).execute("UPDATE holds SET api_key = 3")
                }
                try tx.apiKeys.revoke(key.id, at: start)
            }
            for rows in PerishableRows.allCases where rows != .writeAttempts {
                #expect(try tx.retention.count(rows, before: later, limit: 9) == 0, "\(rows)")
                #expect(try tx.retention.remove(rows, before: later, limit: 9) == 0, "\(rows)")
            }
            #expect(try tx.operations.incidents(limit: 99).count == 9)
            #expect(try tx.apiKeys.apiKeys(of: Self.owner, limit: 9).count == 3)
        }
    }

    /// A writer is known by its last batch, so whoever writes is never forgotten.
    @Test(arguments: Engine.all)
    func `a writer that goes on has its row again`(_ engine: Engine) async throws {
        try await withStore(on: engine) { store in
            for number in 1...3 {
                let removed = try await store.write { tx in
                    _ = try tx.orders.insertNotification(
                        id: "EV-\(number)", outTradeNumber: "T", at: start)
                    let later = Timestamp.after(1_000_000_000_000)
                    return try tx.retention.remove(.writeAttempts, before: later, limit: 9)
                }
                // SQLite writes the row of this batch at its end, PostgreSQL at its beginning.
                #expect(removed > 0 || number == 1)
                try await store.write { tx in
                    _ = try tx.orders.insertNotification(
                        id: "EV'-\(number)", outTradeNumber: "T", at: start)
                }
                let batches = try await store.read { tx in
                    try connection(tx).all(SQL("SELECT batch FROM write_attempts")) {
                        $0.integer(0)
                    }
                }
                #expect(batches.max() ?? 0 > 0)
            }
        }
    }

    @Test(arguments: Engine.all) func anHoursRefusalsAreOneRow(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let hour: Int64 = 3_600_000
            let first = RollupResolution.hour.start(of: start).adding(milliseconds: 5)
            func refuse(_ code: Failure.Code, _ model: String, after: Int64) throws {
                try tx.chat.insertRefusal(
                    account: Self.owner, model: ModelName(rawValue: model), code: code,
                    at: first.adding(milliseconds: after))
            }
            for place in 0..<50 as Range<Int64> {
                try refuse(.rateLimited, "a", after: place * 70_000)
            }
            try refuse(.rateLimited, "b", after: 1)
            try refuse(.quotaExhausted, "a", after: 1)
            try refuse(.rateLimited, "a", after: hour)
            let rows = try tx.chat.refusals(of: Self.owner, after: 0, limit: 9)
            #expect(rows.map(\.times) == [50, 1, 1, 1])
            #expect(rows.first?.at == first)
            let counted = try tx.analytics.count(
                from: RollupResolution.hour.start(of: first),
                until: RollupResolution.hour.start(of: first).adding(milliseconds: hour))
            #expect(counted.map(\.value) == [1, 51])
            #expect(counted.map(\.dimension) == ["quota_exhausted", "rate_limited"])
        }
    }

    /// Rows of before are as many as there are, and are counted with those behind them.
    private func checkUpgraded(_ store: any OpenedStore) async throws {
        try await store.write { tx in
            for _ in 0..<2 {
                try tx.chat.insertRefusal(
                    account: Self.owner, model: ModelName(rawValue: "m"), code: .rateLimited,
                    at: start)
            }
            let rows = try tx.chat.refusals(of: Self.owner, after: 0, limit: 9)
            #expect(rows.map(\.times) == [1, 1, 2])
            let counted = try tx.analytics.count(from: start, until: .after(1))
            #expect(counted.map(\.value) == [4])
        }
    }

    private func makeBefore(_ dialect: SchemaDialect, _ connection: StoreConnection) throws {
        let before = Migrator(
            migrations: Schema.migrations.filter { $0.number < Schema.retention.number },
            dialect: dialect)
        try before.prepare(connection, realm: .sandbox, now: start)
        try before.migrate(connection, now: start)
        try StoredTransaction(connection).accounts.insert(account(), openID: "openid-1")
        for _ in 0..<2 {
            try connection.execute(
                """
                INSERT INTO refusals (account, model, code, occurred_at)
                VALUES (1, 'm', 'rate_limited', \(start.milliseconds))
                """)
        }
    }

    @Test func refusalsOfAFileOfTheVersionBeforeAreCounted() async throws {
        let folder = try TemporaryFolder()
        let writer = try WriterConnection(path: folder.database)
        let failure = try writer.use { used -> (any Error)? in
            do {
                try makeBefore(.sqlite, .sqlite(used))
                return nil
            } catch {
                return error
            }
        }
        #expect(failure == nil)
        writer.close()
        let store = try await folder.open()
        try await checkUpgraded(store)
        await store.close()
    }

    @Test(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
    func refusalsOfADatabaseOfTheVersionBeforeAreCounted() async throws {
        let schema = try TemporarySchema()
        let before = try PostgreSQLConnection(
            PostgreSQLTarget(schema.server.address(schema: schema.name)), waitMilliseconds: 60_000)
        try makeBefore(.postgreSQL, .postgreSQL(before))
        let store = try await schema.open()
        try await checkUpgraded(store)
        await store.close()
        try schema.remove()
    }
}
