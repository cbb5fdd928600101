import Accounts
import Application
import Auth
import Chat
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Stores with rows of a version before, on both engines.
@Suite struct UpgradeTests {
    private func usage(of hold: Hold) -> UsageRecord {
        UsageRecord(
            hold: hold.id, account: hold.account, model: ModelName(rawValue: "m"), channel: "a",
            source: hold.source.rawValue,
            usage: TokenUsage(promptTokens: 1, completionTokens: 1), isEstimated: false,
            charged: Credits(micro: 3), outcome: .answered, startedAt: start, firstTokenAt: nil,
            endedAt: start, priceFactor: .one)
    }

    /// Holds of every source there was before own keys.
    private var holds: [Hold] {
        [Hold.Source.credits, .trial, .promotion].enumerated().map { index, source in
            var held = hold(Int64(index) + 1)
            held.source = source
            held.trialDay = source == .trial ? ShanghaiDay(start) : nil
            return held
        }
    }

    private func makeBefore(
        _ migration: Migration, _ dialect: SchemaDialect, _ connection: StoreConnection
    ) throws {
        let before = Migrator(
            migrations: Schema.migrations.filter { $0.number < migration.number },
            dialect: dialect)
        try before.prepare(connection, realm: .sandbox, now: start)
        try before.migrate(connection, now: start)
        let tx = StoredTransaction(connection)
        try tx.accounts.insert(account(), openID: "openid-1")
        for hold in holds {
            try tx.ledger.insert(hold, reservations: [])
            try tx.chat.insert(usage(of: hold))
        }
    }

    /// Whether a constraint refuses a change; the transaction goes on after it.
    private func isRefused(_ change: String, _ direct: StoreConnection) throws -> Bool {
        try direct.execute("SAVEPOINT changed")
        do {
            try direct.execute(change)
            return false
        } catch StoreError.constraint {
            try direct.execute("ROLLBACK TO SAVEPOINT changed; RELEASE SAVEPOINT changed")
            return true
        }
    }

    /// What was there is there, what was refused is refused, and the new words are taken.
    private func check(_ store: any OpenedStore) async throws {
        let holds = holds
        let owner = AccountID(rawValue: 1)
        try await store.write { tx in
            for hold in holds { #expect(try tx.ledger.hold(hold.id) == hold) }
            #expect(try tx.accounts.account(owner)?.hasOwnKeys == false)
            let direct = try connection(tx)
            let charged = try direct.all(
                SQL("SELECT charged FROM usage_records ORDER BY hold")
            ) { $0.integer(0) }
            #expect(charged == [3, 3, 3])
            for table in ["holds", "usage_records"] {
                for source in ["gift", "own_key"] {
                    // The rows that are there reserve and cost something.
                    let change = "UPDATE \(table) SET source = '\(source)'"
                    #expect(try isRefused(change, direct), "\(change)")
                }
            }
            var own = hold(9, amount: 0)
            own.source = .ownKey
            try tx.ledger.insert(own, reservations: [])
            let attempt = LoginAttempt(
                scene: try #require(LoginScene(randomBytes: [UInt8](repeating: 1, count: 16))),
                secretDigest: digest(1), source: digest(2), device: "d", createdAt: start,
                expiresAt: .after(1))
            try tx.loginAttempts.insert(attempt)
            #expect(try tx.loginAttempts.attempt(scene: attempt.scene) == attempt)
        }
    }

    @Test func aFileOfTheVersionBeforeLoginAttemptsIsBroughtUpToDate() async throws {
        let folder = try TemporaryFolder()
        let writer = try WriterConnection(path: folder.database)
        let failure = try writer.use { used -> (any Error)? in
            do {
                try makeBefore(Schema.loginAttempts, .sqlite, .sqlite(used))
                return nil
            } catch {
                return error
            }
        }
        #expect(failure == nil)
        writer.close()
        // Twice: what was changed is known as such.
        for _ in 0..<2 { await (try folder.open()).close() }
        let store = try await folder.open()
        try await check(store)
        await store.close()
    }

    @Test(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
    func aDatabaseOfTheVersionBeforeLoginAttemptsIsBroughtUpToDate() async throws {
        let schema = try TemporarySchema()
        let before = try PostgreSQLConnection(
            PostgreSQLTarget(schema.server.address(schema: schema.name)), waitMilliseconds: 60_000)
        try makeBefore(Schema.loginAttempts, .postgreSQL, .postgreSQL(before))
        for _ in 0..<2 { await (try schema.open()).close() }
        let store = try await schema.open()
        try await check(store)
        await store.close()
        try schema.remove()
    }

    /// An order of before that was refused, and one that may have been taken.
    private func makeBeforeAskings(
        _ dialect: SchemaDialect, _ connection: StoreConnection
    ) throws {
        try makeBefore(Schema.openAskings, dialect, connection)
        for (number, refusedAt) in [(1, "NULL"), (2, "7")] {
            try connection.execute(
                """
                INSERT INTO orders (id, account, idempotency_key, out_trade_number, product,
                    product_name, total_fen, credits, models, state, created_at, expires_at,
                    query_count, next_query_at, refused_at)
                VALUES (\(number), 1, 'k\(number)', 'TG\(number)', 'p', 'P', 1, 1, 'm', 'created',
                    1, 9, 0, 9, \(refusedAt))
                """)
        }
    }

    private func checkAskings(_ store: any OpenedStore) async throws {
        let counts = try await store.read { tx in
            try connection(tx).all(SQL("SELECT open_askings FROM orders ORDER BY id")) {
                $0.integer(0)
            }
        }
        #expect(counts == [1, 0])
        await store.close()
    }

    @Test func aFilesRefusedOrdersHaveNoOpenCalls() async throws {
        let folder = try TemporaryFolder()
        let writer = try WriterConnection(path: folder.database)
        let made = try writer.use { used -> Result<Void, any Error> in
            Result { try makeBeforeAskings(.sqlite, .sqlite(used)) }
        }
        try made.get()
        writer.close()
        try await checkAskings(try await folder.open())
    }

    @Test(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
    func aDatabasesRefusedOrdersHaveNoOpenCalls() async throws {
        let schema = try TemporarySchema()
        let before = try PostgreSQLConnection(
            PostgreSQLTarget(schema.server.address(schema: schema.name)), waitMilliseconds: 60_000)
        try makeBeforeAskings(.postgreSQL, .postgreSQL(before))
        try await checkAskings(try await schema.open())
        try schema.remove()
    }
}
