import Accounts
import Application
import Foundation
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// The engines that every contract holds on.
enum Engine: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case sqlite = "SQLite"
    case postgreSQL = "PostgreSQL"

    /// Those that are here; `EngineTests` says which is not.
    static var all: [Engine] {
        PostgresServer.isInstalled ? allCases : [.sqlite]
    }

    var testDescription: String { rawValue }
}

@Suite struct EngineTests {
    @Test(.enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
    func contractsHoldOnBothEngines() {
        #expect(Engine.all == [.sqlite, .postgreSQL])
    }
}

/// A schema of its own on the server that tests share.
struct TemporarySchema: Sendable {
    let server: PostgresServer
    let name: String

    init(on server: PostgresServer? = nil) throws {
        self.server = try server ?? PostgresServer.shared()
        name = try self.server.makeSchema()
    }

    func remove() throws { try server.run("DROP SCHEMA \(name) CASCADE") }

    func open(
        realm: StoreRealm = .sandbox, role: StoreRole = .serve, waitMilliseconds: Int64 = 2_000,
        application: String = "tests", replica: String? = nil,
        patience: PostgreSQLPatience = PostgreSQLPatience(), commitFault: CommitFault? = nil,
        clock: any WallClock = FixedClock(milliseconds: 1_000_000),
        clockLimits: PostgreSQLClockLimits = .none
    ) async throws -> PostgreSQLStore {
        try await PostgreSQLStore.open(
            PostgreSQLTarget(server.address(schema: name, application: application)),
            replica: try replica.map { try PostgreSQLTarget($0) }, realm: realm, role: role,
            clock: clock,
            schemaWaitMilliseconds: waitMilliseconds, patience: patience,
            clockLimits: clockLimits, commitFault: commitFault)
    }
}

/// Opens a store on an engine in a place of its own, gives it to a test, closes it.
func withStore(
    on engine: Engine, commitFault: CommitFault? = nil,
    _ body: (any OpenedStore) async throws -> Void
) async throws {
    switch engine {
    case .sqlite:
        try await withStore(commitFault: commitFault) { store, _ in try await body(store) }
    case .postgreSQL:
        let schema = try TemporarySchema()
        let store = try await schema.open(commitFault: commitFault)
        do {
            try await body(store)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
        try schema.remove()
    }
}

/// The connection of the transaction that runs on the calling thread.
private let transactionKey = "tollgate.transaction"

/// Opens a store with account 1 in it, and runs a test's closure in one write.
func inTransaction(
    _ engine: Engine = .sqlite,
    _ body: @escaping @Sendable (any Transaction) throws -> Void
) async throws {
    try await withStore(on: engine) { store in
        try await store.write { tx in
            Thread.current.threadDictionary[transactionKey] = try connection(tx)
            defer { Thread.current.threadDictionary[transactionKey] = nil }
            try tx.accounts.insert(account(), openID: "openid-1")
            try body(tx)
        }
    }
}

/// The kind of error a call throws; nil if it throws none.
///
/// PostgreSQL ends a transaction with its first failing statement: so the call has a savepoint.
func refused(_ body: () throws -> Void) throws -> RefusalKind? {
    let connection = Thread.current.threadDictionary[transactionKey] as? StoreConnection
    try connection?.execute("SAVEPOINT refused")
    do {
        try body()
        try connection?.execute("RELEASE SAVEPOINT refused")
        return nil
    } catch let error as StoreError {
        try connection?.execute("ROLLBACK TO SAVEPOINT refused; RELEASE SAVEPOINT refused")
        switch error {
        case .constraint: return .constraint
        case .conflict: return .conflict
        case .fenced: return .fenced
        case .corrupt: return .corrupt
        case .engine: return .engine
        }
    }
}
