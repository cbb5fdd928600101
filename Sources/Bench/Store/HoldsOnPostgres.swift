import Application
import Logging
import Storage
import TollgateKernel

/// Holds through the store's port on PostgreSQL: the closure of those on SQLite, and its customers.
///
/// As there, each round works on a copy of a store that nobody else works on.
struct HoldsOnPostgres: Sendable {
    let server: BenchPostgres
    let seeded: SeededStore

    private static let template = "seeded"

    /// Makes a database with the store's customers.
    static func make(_ server: BenchPostgres, _ seeded: SeededStore) async throws -> Self {
        let holds = HoldsOnPostgres(server: server, seeded: seeded)
        try await server.query("CREATE DATABASE \(template)")
        try await holds.withStore(template) { try await seeded.fill($0) }
        return holds
    }

    /// A closed loop of so many callers; the holds before it, on every connection, are its own
    /// warming up: a connection prepares its statements when it first runs them.
    func step(_ plan: BenchPlan, callers: Int, most: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("postgres", callers: callers)) { seconds in
            // They stay until the server goes: dropping one would force a checkpoint, for which
            // pgbench's next round would pay.
            let copy = "round_\(Clocks.monotonicNanoseconds())"
            try await server.query("CREATE DATABASE \(copy) TEMPLATE \(Self.template)")
            var figures = try await withStore(copy) { store in
                _ = try await seeded.hold(
                    in: store, callers: 2 * Limits.storeWriterConnections,
                    seconds: min(seconds, Limits.benchWarmUpSeconds), most: most,
                    named: "warm")
                let before = Clocks.ownProcessorNanoseconds()
                let outcome = try await seeded.hold(
                    in: store, callers: callers, seconds: seconds, most: most)
                let used = Clocks.ownProcessorNanoseconds() - before
                var figures = outcome.figures
                figures[Figure.clientCPU] = Double(used) / 1_000 / Double(outcome.count)
                return figures
            }
            figures[Figure.undone] = Double(try await server.query(Self.undone(copy)))
            return figures
        }
    }

    /// Asked once the store is closed: a session tells what it did at its end.
    private static func undone(_ database: String) -> String {
        """
        SELECT xact_rollback::float / greatest(xact_commit, 1) FROM pg_stat_database
        WHERE datname = '\(database)'
        """
    }

    /// Opens a database through the product's own opening, lends it, and closes it.
    private func withStore<Value>(
        _ database: String, _ body: (PostgreSQLStore) async throws -> Value
    ) async throws -> Value {
        var logger = Logger(label: "tollgate.bench.store")
        logger.logLevel = .warning
        let store: PostgreSQLStore
        do {
            store = try await PostgreSQLStore.open(
                PostgreSQLTarget(server.address(database)), realm: .sandbox, role: .serve,
                logger: logger)
        } catch let refusal as StoreRefusal {
            throw Failure(.unavailable, "\(refusal)")
        }
        do {
            let value = try await body(store)
            await store.close()
            return value
        } catch {
            await store.close()
            throw error
        }
    }
}
