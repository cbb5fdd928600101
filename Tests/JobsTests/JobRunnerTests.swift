import Application
import Jobs
import Operations
import Storage
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@Suite struct JobRunnerTests {
    @Test func `Of two processes that see a job due at once, one runs it`() async throws {
        try await JobsBench.with { jobs in
            let other = try await SQLiteStore.open(
                folder: jobs.bench.folder, realm: .sandbox, role: .jobs, clock: jobs.bench.clock)
            let ran = Mutex(0)
            let work = job { _ in
                ran.withLock { $0 += 1 }
                return JobReport(itemsDone: 1, summary: "done")
            }
            let runners = [jobs.runner("a"), jobs.runner("b", over: other)]
            try await runners[0].register([work])
            let seen = try await jobs.record()
            let runs = try await withThrowingTaskGroup(of: JobRun?.self) { group in
                for runner in runners + runners {
                    group.addTask { try await runner.run(work, seen: seen) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            await other.close()
            #expect(runs.compactMap(\.self).count == 1)
            #expect(ran.withLock { $0 } == 1)
            #expect(try await jobs.runs().map(\.state) == [.succeeded])
            #expect(try await jobs.record().fencingToken == seen.fencingToken + 1)
            #expect(try await jobs.record().holder == "")
        }
    }

    @Test func `A holder that fell silent is replaced, and what it writes later is fenced off`()
        async throws
    {
        try await JobsBench.with { jobs in
            let gate = Gate()
            let sleepy = job { context in
                try await context.record("before", "done")
                try await gate.wait()
                try await context.record("after", "done")
                return JobReport(itemsDone: 2, summary: "too late")
            }
            let first = jobs.runner("first")
            try await first.register([sleepy])
            let seen = try await jobs.record()
            async let stopped = first.run(sleepy, seen: seen)
            try await expectEventually {
                guard let run = try await jobs.runs().first else { return false }
                return try await jobs.items(of: run).count == 1
            }

            // The first one's clock stands still: it is stopped, as by SIGSTOP.
            let silent = try await jobs.outlast()
            jobs.bench.clock.advance(milliseconds: 30_000)
            let work = job { _ in JobReport(itemsDone: 7, summary: "in its place") }
            let second = try await jobs.runner("second").run(work, seen: silent)
            #expect(second?.state == .succeeded)
            let after = try await jobs.record()

            gate.open()
            let woken = try await stopped
            #expect(woken?.state == .abandoned)
            let history = try await jobs.runs()
            #expect(history.map(\.state) == [.abandoned, .succeeded])
            #expect(history.map(\.itemsDone) == [0, 7])
            #expect(history.map(\.fencingToken) == [1, 2])
            #expect(history[0].endedAt == jobs.bench.clock.now())
            #expect(try await jobs.items(of: history[0]).map(\.reference) == ["before"])
            #expect(try await jobs.record() == after)
        }
    }

    @Test func `A run longer than its lease lives by its heartbeat`() async throws {
        try await JobsBench.with { jobs in
            let gate = Gate()
            let long = job { _ in
                try await gate.wait()
                return JobReport(itemsDone: 1, summary: "at last")
            }
            let runner = jobs.runner()
            try await runner.register([long])
            let seen = try await jobs.record()
            async let running = runner.run(long, seen: seen)
            var watch = LeaseWatch(lease: JobsBench.lease)
            for beat in 1...12 {
                try await expectEventually { jobs.monotonic.sleepers == 1 }
                let record = try await jobs.record()
                #expect(watch.look(at: record, elapsed: jobs.monotonic.elapsed()) == .held)
                jobs.monotonic.advance(by: JobsBench.lease / 3 + .milliseconds(1))
                try await expectEventually { try await jobs.record().heartbeat == Int64(beat) }
            }
            gate.open()
            #expect(try await running?.state == .succeeded)
            #expect(jobs.monotonic.sleepers == 0)
        }
    }

    @Test(arguments: [
        Failure(.unavailable, "scripted") as any Error, StoreError.conflict("scripted"),
    ])
    func `A heartbeat the store was too busy for costs no run`(_ error: any Error) async throws {
        try await JobsBench.with { jobs in
            // Writes are: register, take the lease, beat, beat, beat, end.
            let busy = CutStore(jobs.bench.store, throwing: error) { $0 == 3 || $0 == 4 }
            let gate = Gate()
            let work = job { _ in
                try await gate.wait()
                return JobReport(itemsDone: 1, summary: "undisturbed")
            }
            let runner = jobs.runner(over: busy)
            try await runner.register([work])
            let seen = try await jobs.record()
            async let running = runner.run(work, seen: seen)
            for write in 3...5 {
                try await expectEventually { jobs.monotonic.sleepers == 1 }
                jobs.monotonic.advance(by: JobsBench.lease / 3 + .milliseconds(1))
                try await expectEventually { busy.writes == write }
            }
            try await expectEventually { try await jobs.record().heartbeat == 1 }
            gate.open()
            #expect(try await running?.summary == "undisturbed")
        }
    }

    @Test func `A heartbeat that meets another holder stops the run`() async throws {
        try await JobsBench.with { jobs in
            let gate = Gate()
            let work = job { _ in
                try await gate.wait()
                return JobReport(itemsDone: 1, summary: "never")
            }
            let runner = jobs.runner()
            try await runner.register([work])
            let seen = try await jobs.record()
            async let running = runner.run(work, seen: seen)
            try await expectEventually { jobs.monotonic.sleepers == 1 }
            let quick = job { _ in JobReport(itemsDone: 1, summary: "taken over") }
            _ = try await jobs.runner("b").run(quick, seen: jobs.record())
            jobs.monotonic.advance(by: JobsBench.lease / 3 + .milliseconds(1))
            // The gate stays shut: only the lost lease can have ended the run.
            #expect(try await running?.state == .abandoned)
        }
    }

    @Test func `What went wrong is in the history, and the lease is given back`() async throws {
        try await JobsBench.with { jobs in
            let work = job { _ in throw Failure(.upstreamFailed, "The wire is cut.") }
            try await jobs.runner().register([work])
            let due = try await jobs.record().nextDueAt
            jobs.bench.clock.advance(milliseconds: 1_000)
            let run = try await jobs.runner().run(work, seen: jobs.record())
            #expect(run?.state == .failed)
            #expect(run?.summary.contains("The wire is cut.") == true)
            #expect(try await jobs.runs() == [run])
            let record = try await jobs.record()
            #expect(record.holder == "")
            #expect(record.nextDueAt == due.adding(milliseconds: 60_000))
        }
    }

    @Test func `A cancelled run says stopped and gives its lease back`() async throws {
        try await JobsBench.with { jobs in
            let gate = Gate()
            let work = job { _ in
                try await gate.wait()
                return JobReport(itemsDone: 1, summary: "never")
            }
            let runner = jobs.runner()
            try await runner.register([work])
            let seen = try await jobs.record()
            let running = Task { try await runner.run(work, seen: seen) }
            try await expectEventually { try await jobs.runs().count == 1 }
            #expect(try await jobs.record().holder == "a")
            running.cancel()
            await #expect(throws: CancellationError.self) { try await running.value }
            let history = try await jobs.runs()
            #expect(history.map(\.state) == [.abandoned])
            #expect(history.map(\.summary) == ["stopped"])
            #expect(try await jobs.record().holder == "")
        }
    }

    @Test func `A run asked for by hand leaves the due moment as it is`() async throws {
        try await JobsBench.with { jobs in
            let work = job { _ in JobReport(itemsDone: 0, summary: "nothing") }
            let scheduler = jobs.scheduler([work])
            _ = try await scheduler.runNow("work")
            let due = try await jobs.record().nextDueAt
            #expect(due == jobs.bench.clock.now().adding(milliseconds: 60_000))
            for _ in 0..<3 { _ = try await scheduler.runNow("work") }
            #expect(try await jobs.record().nextDueAt == due)
            #expect(try await jobs.runs().count == 4)
        }
    }

    @Test func `Who asked for a run stands in the operators' log, and who got none does not`()
        async throws
    {
        try await JobsBench.with { jobs in
            let work = job { _ in throw Failure(.unavailable, "no") }
            let scheduler = jobs.scheduler([work])
            let by = ActedBy(
                credential: "tests", person: "Ann", reason: "It is late", correlationID: 0)
            // A run that fails was asked for as well; one that was due was not.
            let run = try await scheduler.runNow("work", for: by)
            #expect(run.state == .failed)
            _ = try await jobs.runner().run(work, seen: try await jobs.record())
            let acts = try await Administration(jobs.bench.ports).acts(before: nil, limit: 9)
            #expect(acts.map(\.kind) == [.jobRunByHand])
            #expect(acts.map(\.by) == [by])
            #expect(acts.map(\.object) == ["work"])
            #expect(acts.map(\.after) == ["run \(run.id)"])
            // Nobody runs what another one has the lease of, nor for a nameless one.
            let stale = try await jobs.record()
            _ = try await scheduler.runNow("work")
            #expect(
                try await jobs.runner("b").run(work, seen: stale, isByHand: true, for: by) == nil)
            var nameless = by
            nameless.person = ""
            let asked = nameless
            let refused = await #expect(throws: Failure.self) {
                try await scheduler.runNow("work", for: asked)
            }
            #expect(refused?.code == .invalidRequest)
            #expect(try await Administration(jobs.bench.ports).acts(before: nil, limit: 9) == acts)
            #expect(try await jobs.runs().count == 3)
        }
    }
}
