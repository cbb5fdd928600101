import Accounts
import Application
import Foundation
import Operations
import Storage
import TestSupport
import Testing
import TollgateKernel

/// The same histories as in ``LedgerModelTests`` over the real stores: SQL, constraints, triggers
/// and commits are part of the rules there.
///
/// `TOLLGATE_TEST_SEED` repeats a run, `TOLLGATE_TEST_STORED_HISTORIES=340` makes it 102,000
/// operations on each engine.
@Suite("The ledger over the stores against its model")
struct StoredLedgerModelTests {
    enum Engine: String, CaseIterable, Sendable {
        case sqlite
        case postgreSQL

        static var here: [Engine] { PostgresServer.isInstalled ? allCases : [.sqlite] }
    }

    private static let steps = 300
    /// Operations in one transaction: as many as commits are worth testing.
    private static let stepsPerWrite = 10

    @Test(arguments: Engine.here)
    func randomOperationsOverAStoreAgreeWithTheModel(_ engine: Engine) async throws {
        let surroundings = ProcessInfo.processInfo.environment
        let seed =
            surroundings["TOLLGATE_TEST_SEED"].flatMap { UInt64($0) }
            ?? UInt64.random(in: 1...UInt64(UInt32.max))
        let histories =
            surroundings["TOLLGATE_TEST_STORED_HISTORIES"].flatMap { Int($0) } ?? 8
        print("stored ledger model on \(engine): TOLLGATE_TEST_SEED=\(seed)")
        try await withStore(on: engine) { store in
            var seen: [String: Int] = [:]
            var system: [SystemAccount: Int64] = [:]
            for number in 0..<histories {
                var numbers = SeededNumbers(seed: seed &+ UInt64(number))
                let operations = (0..<Self.steps).map { _ in
                    LedgerOperation.random(&numbers, leaving: false)
                }
                var run = StoredLedgerRun(number: number)
                do {
                    run = try await store.write { [run] tx in try run.opened(tx) }
                    for first in stride(from: 0, to: Self.steps, by: Self.stepsPerWrite) {
                        let part = operations[first..<min(first + Self.stepsPerWrite, Self.steps)]
                        run = try await store.write { [run] tx in try run.after(part, tx) }
                    }
                    run = try await store.write { [run] tx in try run.closed(tx) }
                } catch {
                    Issue.record("seed \(seed), history \(number) on \(engine): \(error)")
                    return
                }
                for (name, count) in run.seen { seen[name, default: 0] += count }
                for (account, sum) in run.model.system { system[account, default: 0] += sum }
                // The transfers of all histories are one sum.
                let told = try await store.read { tx in
                    try tx.ledger.systemBalances(in: .microCredits)
                }
                for account in SystemAccount.allCases {
                    #expect(
                        told[account, default: 0] == system[account, default: 0],
                        "seed \(seed), history \(number): \(account)")
                }
            }
            #expect(seen.values.reduce(0, +) == histories * Self.steps)
            // Nobody leaves: the audit lets go of credits of deleted accounts alone.
            for operation in LedgerRun.operations where !operation.hasPrefix("forfeit") {
                #expect(seen[operation, default: 0] > 0, "seed \(seed): no \(operation)")
            }
            for finding in try await store.read({ tx in try tx.operations.audit() }) {
                #expect(finding.violations == [], "seed \(seed): \(finding.check)")
            }
        }
    }

    private func withStore(
        on engine: Engine, _ body: (any OpenedStore) async throws -> Void
    ) async throws {
        switch engine {
        case .sqlite:
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "ledger-model-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let store = try await SQLiteStore.open(
                folder: folder.path, realm: .sandbox, role: .serve)
            let result = await Self.result { try await body(store) }
            await store.close()
            try result.get()
        case .postgreSQL:
            let server = try PostgresServer.shared()
            let schema = try server.makeSchema()
            let store = try await PostgreSQLStore.open(
                PostgreSQLTarget(server.address(schema: schema)), realm: .sandbox, role: .serve)
            let result = await Self.result { try await body(store) }
            await store.close()
            try server.run("DROP SCHEMA \(schema) CASCADE")
            try result.get()
        }
    }

    private static func result(
        _ body: () async throws -> Void
    ) async -> Result<Void, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
