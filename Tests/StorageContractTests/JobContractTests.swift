import Application
import Operations
import Testing
import TollgateKernel

@testable import Storage

@Suite struct JobContractTests {
    private func job(_ name: String, token: Int64 = 0, holder: String = "") -> JobRecord {
        JobRecord(
            name: name, nextDueAt: start, fencingToken: token, holder: holder, heartbeat: 0)
    }

    private func run(_ number: Int64, of job: String = "a", token: Int64 = 1) -> JobRun {
        JobRun(
            id: JobRunID(rawValue: number), job: job, fencingToken: token, state: .running,
            startedAt: .after(number), endedAt: nil, itemsDone: 0, itemsFailed: 0, summary: "")
    }

    @Test(arguments: Engine.all) func aKnownJobStaysAsItIs(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.jobs.insertIfNew(job("b"))
            try tx.jobs.insertIfNew(job("a", token: 3, holder: "first"))
            try tx.jobs.insertIfNew(job("a", token: 9, holder: "second"))
            #expect(try tx.jobs.job("a") == job("a", token: 3, holder: "first"))
            #expect(try tx.jobs.job("c") == nil)
            #expect(try tx.jobs.jobs().map(\.name) == ["a", "b"])
        }
    }

    @Test(arguments: Engine.all) func aLeaseIsTakenByOneChallenger(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let free = job("a")
            try tx.jobs.insertIfNew(free)
            let taken = job("a", token: 1, holder: "one")
            try tx.jobs.save(taken, replacing: free)
            #expect(
                try refused {
                    try tx.jobs.save(job("a", token: 1, holder: "two"), replacing: free)
                } == .conflict)
            var beating = taken
            beating.heartbeat = 5
            beating.nextDueAt = .after(60)
            try tx.jobs.save(beating, replacing: taken)
            #expect(try tx.jobs.job("a") == beating)
            // Whoever watched the older heartbeat comes too late.
            #expect(
                try refused {
                    try tx.jobs.save(job("a", token: 2, holder: "two"), replacing: taken)
                } == .conflict)
            #expect(try tx.jobs.job("a") == beating)
        }
    }

    @Test(arguments: Engine.all) func aLostLeaseFencesItsHolderOff(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let first = job("a", token: 1, holder: "one")
            try tx.jobs.insertIfNew(first)
            try tx.jobs.checkFence(job: "a", fencingToken: 1)
            try tx.jobs.save(job("a", token: 2, holder: "two"), replacing: first)
            #expect(
                try refused { try tx.jobs.checkFence(job: "a", fencingToken: 1) } == .fenced)
            try tx.jobs.checkFence(job: "a", fencingToken: 2)
            #expect(
                try refused { try tx.jobs.checkFence(job: "b", fencingToken: 2) } == .fenced)
        }
    }

    @Test(arguments: Engine.all) func fencingNumbersNeverFall(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let second = job("a", token: 2, holder: "two")
            try tx.jobs.insertIfNew(second)
            #expect(
                try refused { try tx.jobs.save(job("a", token: 1), replacing: second) }
                    == .constraint)
            #expect(try tx.jobs.job("a") == second)
        }
    }

    @Test(arguments: Engine.all) func runsOfALostLeaseAreAbandoned(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            var done = run(1)
            try tx.jobs.insert(done)
            done.state = .succeeded
            done.endedAt = .after(5)
            done.itemsDone = 3
            done.itemsFailed = 1
            done.summary = "done"
            try tx.jobs.update(done)
            for run in [run(2), run(3, token: 2), run(4, of: "b")] { try tx.jobs.insert(run) }
            try tx.jobs.abandonRuns(of: "a", olderThan: 2, at: .after(9))
            var abandoned = run(2)
            abandoned.state = .abandoned
            abandoned.endedAt = .after(9)
            #expect(try tx.jobs.runs(of: "a", limit: 9) == [run(3, token: 2), abandoned, done])
            #expect(try tx.jobs.runs(of: nil, limit: 2) == [run(4, of: "b"), run(3, token: 2)])
            #expect(try refused { try tx.jobs.update(run(8)) } == .conflict)
        }
    }

    @Test(arguments: Engine.all) func itemsBelongToTheirRun(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.jobs.insert(run(1))
            let items = (1...3).map { number in
                JobItem(
                    run: JobRunID(rawValue: 1), reference: "r\(number)", result: "done",
                    detail: "", at: .after(1))
            }
            for item in items { try tx.jobs.insert(item) }
            #expect(try tx.jobs.items(of: JobRunID(rawValue: 1), limit: 9) == items)
            #expect(try tx.jobs.items(of: JobRunID(rawValue: 1), limit: 2) == [items[0], items[1]])
            #expect(try tx.jobs.items(of: JobRunID(rawValue: 2), limit: 9) == [])
            var stray = items[0]
            stray.run = JobRunID(rawValue: 9)
            let orphan = stray
            #expect(try refused { try tx.jobs.insert(orphan) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func aCheckpointIsTheLastOneSaved(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.jobs.checkpoint(of: "a") == nil)
            try tx.jobs.saveCheckpoint(5, of: "a")
            try tx.jobs.saveCheckpoint(-7, of: "a")
            #expect(try tx.jobs.checkpoint(of: "a") == -7)
            #expect(try tx.jobs.checkpoint(of: "b") == nil)
        }
    }

    @Test(arguments: Engine.all) func oldRunsGoWithTheirItems(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for number in 1...4 as ClosedRange<Int64> {
                var ended = run(number)
                try tx.jobs.insert(ended)
                try tx.jobs.insert(
                    JobItem(
                        run: ended.id, reference: "r", result: "done", detail: "", at: start))
                guard number < 4 else { continue }
                ended.state = .failed
                ended.endedAt = .after(number * 10)
                try tx.jobs.update(ended)
            }
            #expect(try tx.jobs.removeRuns(before: .after(10), limit: 9) == 0)
            #expect(try tx.jobs.removeRuns(before: .after(31), limit: 2) == 2)
            #expect(try tx.jobs.runs(of: nil, limit: 9).map(\.id.rawValue) == [4, 3])
            #expect(try tx.jobs.items(of: JobRunID(rawValue: 2), limit: 9) == [])
            #expect(try tx.jobs.items(of: JobRunID(rawValue: 3), limit: 9).count == 1)
            #expect(try tx.jobs.removeRuns(before: .after(31), limit: 2) == 1)
            #expect(try tx.jobs.runs(of: nil, limit: 9).map(\.id.rawValue) == [4])
        }
    }
}
