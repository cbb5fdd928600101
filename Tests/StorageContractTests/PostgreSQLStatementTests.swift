import Application
import Auth
import Orders
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// The statements that a connection keeps prepared at its server.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLStatementTests {
    /// What the server says of a connection's prepared statements.
    private struct Prepared: Sendable {
        /// The connection's process.
        var process: Int32 = 0
        /// Their texts.
        var texts: [String] = []
        /// How often they were run.
        var runs: Int64 = 0
    }

    private static func prepared(_ tx: any Transaction) throws -> Prepared {
        guard case .postgreSQL(let connection) = try connection(tx) else {
            throw StoreError.engine("another engine")
        }
        var told = Prepared(process: connection.serverProcess)
        // Asked without preparing.
        try connection.forEachRow(
            of: "SELECT statement, generic_plans + custom_plans FROM pg_prepared_statements"
        ) { row in
            told.texts.append(row.text(0))
            told.runs += row.integer(1)
        }
        return told
    }

    /// Runs a read on every connection at once, since nobody says which one takes the next.
    private func readEverywhere(_ store: PostgreSQLStore) async throws -> [Int32: Prepared] {
        let count = Limits.storeReaderConnections
        let together = Gathering(of: count)
        return try await everywhere(count) { number in
            try await store.read { tx in
                #expect(try tx.pushes.receivedPush(key: "none-\(number)") == nil)
                let told = try Self.prepared(tx)
                together.arrive()
                return told
            }
        }
    }

    private func everywhere(
        _ count: Int, _ body: @escaping @Sendable (Int) async throws -> Prepared
    ) async throws -> [Int32: Prepared] {
        let told = try await withThrowingTaskGroup(of: Prepared.self) { group in
            for number in 0..<count { group.addTask { try await body(number) } }
            return try await group.reduce(into: [:]) { $0[$1.process] = $1 }
        }
        #expect(told.count == count)
        return told
    }

    private func terminate(_ schema: TemporarySchema) throws {
        try schema.server.run(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE application_name = '\(schema.name)'
            """)
    }

    @Test func `a statement is prepared once and run again, also on the connection after`()
        async throws
    {
        let schema = try TemporarySchema()
        let store = try await schema.open(application: schema.name)
        var processes: Set<Int32> = []
        for round in 1...2 {
            for run in 1...5 as ClosedRange<Int64> {
                let told = try await readEverywhere(store)
                for connection in told.values {
                    #expect(connection.texts.count == 1, "round \(round): \(connection.texts)")
                    #expect(connection.runs == run, "round \(round)")
                }
                if run == 1 { #expect(processes.isDisjoint(with: told.keys)) }
                processes.formUnion(told.keys)
            }
            #expect(processes.count == round * Limits.storeReaderConnections)
            try terminate(schema)
        }
        await store.close()
        try schema.remove()
    }

    /// As a pooler between us and the server may do.
    @Test func `statements that were forgotten at the server are prepared on another connection`()
        async throws
    {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let before = try await readEverywhere(store)
        let forgetful = try await store.read { tx -> Int32 in
            try connection(tx).execute("DEALLOCATE ALL")
            return try Self.prepared(tx).process
        }
        #expect(before[forgetful] != nil)
        let after = try await readEverywhere(store)
        #expect(after[forgetful] == nil)
        #expect(after.values.map(\.runs).sorted() == [1] + before.values.dropFirst().map { _ in 2 })
        await store.close()
        try schema.remove()
    }

    /// The texts that all connections keep, after each of several people lived the same life.
    @Test func `what is kept is bounded by the texts there are, however much is done`()
        async throws
    {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let bench = try TestBench(over: store)
        try await bench.offer()
        let placing = PlaceOrder(bench.ports, payments: ScriptedPayments())
        var known: Set<String> = []
        for number in 1...6 {
            let account = try await bench.signIn(openID: "o_\(number)").session.account
            for key in ["a", "b"] {
                _ = try await placing.place(
                    product: ProductKey(rawValue: "starter"), for: account,
                    idempotencyKey: IdempotencyKey(rawValue: key))
            }
            let count = Limits.storeWriterConnections
            let together = Gathering(of: count)
            let kept = try await everywhere(count) { _ in
                try await store.write { tx in
                    let told = try Self.prepared(tx)
                    together.arrive()
                    return told
                }
            }
            for connection in kept.values {
                #expect(Set(connection.texts).count == connection.texts.count)
            }
            let texts = Set(kept.values.flatMap(\.texts))
            if number > 2 { #expect(texts == known, "\(texts.subtracting(known))") }
            known = texts
        }
        #expect(known.count > 5)
        await store.close()
        try schema.remove()
    }
}
