import Accounts
import Application
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Deletions that cannot be finished.
@Suite struct StuckDeletionTests {
    private static let fence = JobFence(job: "hold-expire", fencingToken: 0)

    /// Accounts that are being deleted, by number; a chat keeps the first two from their end.
    private func begin(_ bench: TestBench) async throws {
        let now = bench.clock.now()
        try await bench.store.write { tx in
            try tx.jobs.insertIfNew(
                JobRecord(
                    name: Self.fence.job, nextDueAt: now, fencingToken: 0, holder: "",
                    heartbeat: 0))
            for number in 1...3 as ClosedRange<Int64> {
                try tx.accounts.insert(account(number), openID: "openid-\(number)")
                try tx.departures.begin(
                    AccountID(rawValue: number), placeholder: digest(UInt8(100 + number)), at: now)
            }
            try connection(tx).execute(
                "UPDATE customer_ledgers SET open_calls = 1 WHERE account < 3")
        }
    }

    private func deleting(_ bench: TestBench) async throws -> [Int64] {
        try await bench.store.read { tx in
            try tx.departures.unfinished(after: nil, limit: 9).map(\.rawValue)
        }
    }

    @Test(arguments: Engine.all) func thoseKeepNobodyElseWaiting(_ engine: Engine) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            try await begin(bench)
            let deletion = DeleteAccount(bench.ports)
            func sweep() async -> Ending {
                await Ending { _ = try await deletion.finish(limit: 2, fence: Self.fence) }
            }
            // The first run is busy with both, and says so; the second goes on behind them.
            #expect(await sweep() == .failure(.conflict))
            #expect(try await deleting(bench) == [1, 2, 3])
            #expect(await sweep() == .value)
            #expect(try await deleting(bench) == [1, 2])
            // Then it is their turn again.
            #expect(await sweep() == .failure(.conflict))
            try await store.write { tx in
                try connection(tx).execute("UPDATE customer_ledgers SET open_calls = 0")
            }
            for _ in 0..<2 { #expect(await sweep() == .value) }
            #expect(try await deleting(bench) == [])
        }
    }

    @Test(arguments: Engine.all) func theAuditCountsAllOfThemAndNamesSome(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            let many = Int64(Limits.auditViolationsTold) + 7
            let now = bench.clock.now()
            try await store.write { tx in
                for number in 1...many {
                    let id = AccountID(rawValue: number)
                    try tx.accounts.insert(account(number), openID: "openid-\(number)")
                    try tx.departures.begin(
                        id, placeholder: digest(UInt8(100 + number)),
                        at: now.adding(milliseconds: number < 3 ? 1 : 0))
                }
                #expect(try tx.departures.countUnfinished() == many)
                #expect(try tx.departures.countUnfinished(begunBefore: now) == 0)
            }
            bench.clock.advance(milliseconds: Limits.deletionMilliseconds + 1)
            let finding = try await OperatorQueries(bench.ports).audit().first { $0.check == "C14" }
            #expect(finding?.rows == many)
            #expect(finding?.violationCount == many - 2)
            #expect(finding?.violations.count == Limits.auditViolationsTold)
        }
    }

    @Test(arguments: Engine.all) func theAuditTellsOfThoseAfterAnHour(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            func finding() async throws -> AuditFinding? {
                try await OperatorQueries(bench.ports).audit().first { $0.check == "C14" }
            }
            #expect(try await finding()?.rows == 0)
            try await begin(bench)
            bench.clock.advance(milliseconds: Limits.deletionMilliseconds)
            let early = try await finding()
            #expect(early?.rows == 3 && early?.violationCount == 0)
            bench.clock.advance(milliseconds: 1)
            let late = try await finding()
            #expect(late?.violationCount == 3)
            #expect(late?.violations.first?.contains("\(AccountID(rawValue: 1))") == true)
        }
    }
}
