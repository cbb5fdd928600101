import Jobs
import Logging
import Operations
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct JobSchedulerTests {
    /// Counts by name.
    private final class Counts: Sendable {
        private let counts = Mutex<[String: Int]>([:])

        func count(_ name: String) -> JobReport {
            counts.withLock { $0[name, default: 0] += 1 }
            return JobReport(itemsDone: 1, summary: name)
        }

        subscript(name: String) -> Int { counts.withLock { $0[name] ?? 0 } }
    }

    /// Runs a scheduler while the body runs.
    private func with(
        _ scheduler: JobScheduler, _ body: () async throws -> Void
    ) async throws {
        let running = Task { try await scheduler.run() }
        do {
            try await body()
        } catch {
            running.cancel()
            throw error
        }
        running.cancel()
        try await running.value
    }

    @Test func `Due jobs run again and again, each in its own interval`() async throws {
        try await JobsBench.with { jobs in
            let counts = Counts()
            let definitions = [
                job("often", every: 1_000) { _ in counts.count("often") },
                job("seldom", every: 86_400_000) { _ in counts.count("seldom") },
            ]
            try await with(jobs.scheduler(definitions)) {
                try await expectEventually {
                    jobs.tick()
                    return counts["often"] >= 4
                }
            }
            #expect(counts["seldom"] == 1)
            let runs = try await jobs.runs("often")
            #expect(runs.count == counts["often"])
            let starts = runs.map { $0.startedAt.milliseconds }
            #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 >= 500 })
        }
    }

    @Test func `A job without work writes nothing, and runs as soon as there is some`()
        async throws
    {
        try await JobsBench.with { jobs in
            let counts = Counts()
            let hasWork = Mutex(false)
            let looks = Counts()
            var idle = job("idle", every: 1_000) { _ in
                hasWork.withLock { $0 = false }
                return counts.count("idle")
            }
            idle.hasWork = {
                _ = looks.count("idle")
                return hasWork.withLock { $0 }
            }
            let store = CutStore(jobs.bench.store) { _ in false }
            try await with(jobs.scheduler([idle], over: store)) {
                try await expectEventually {
                    jobs.tick()
                    return looks["idle"] >= 5
                }
                #expect(store.writes == 1, "the job's row was made, nothing else")
                hasWork.withLock { $0 = true }
                try await expectEventually {
                    jobs.tick()
                    return counts["idle"] == 1
                }
            }
            #expect(try await jobs.runs("idle").count == 1)
        }
    }

    @Test func `A slow job delays nobody but itself`() async throws {
        try await JobsBench.with { jobs in
            let counts = Counts()
            let gate = Gate()
            let definitions = [
                job("slow", every: 1_000) { _ in
                    _ = counts.count("slow")
                    try await gate.wait()
                    return JobReport(itemsDone: 1, summary: "at last")
                },
                job("quick", every: 1_000) { _ in counts.count("quick") },
            ]
            try await with(jobs.scheduler(definitions)) {
                try await expectEventually {
                    jobs.tick()
                    return counts["quick"] >= 5 && counts["slow"] == 1
                }
                #expect(counts["slow"] == 1)
                gate.open()
                try await expectEventually {
                    jobs.tick()
                    return counts["slow"] >= 2
                }
            }
        }
    }

    @Test(arguments: [(CatchUpPolicy.all, 4), (.last, 1), (.none, 0)])
    func `After three days off, a daily job is made up for as its policy says`(
        policy: CatchUpPolicy, count: Int
    ) async throws {
        try await JobsBench.with { jobs in
            let day: Int64 = 86_400_000
            let counts = Counts()
            let daily = job("daily", every: day, catchUp: policy) { _ in counts.count("daily") }
            try await jobs.runner().register([daily])
            let first = try await jobs.record("daily").nextDueAt
            jobs.bench.clock.advance(milliseconds: 3 * day + 60_000)
            try await with(jobs.scheduler([daily])) {
                // The wall clock stands: only what was missed may run.
                try await expectEventually {
                    jobs.monotonic.advance(by: .milliseconds(500))
                    return try await jobs.record("daily").nextDueAt
                        == first.adding(milliseconds: 4 * day)
                }
                for _ in 0..<5 {
                    try await expectEventually { jobs.monotonic.sleepers == 1 }
                    jobs.monotonic.advance(by: .milliseconds(500))
                }
            }
            #expect(counts["daily"] == count)
        }
    }

    @Test func `A clock set back a day neither repeats a run nor stops the job for a day`()
        async throws
    {
        try await JobsBench.with { jobs in
            let counts = Counts()
            let work = job(every: 60_000) { _ in counts.count("work") }
            try await with(jobs.scheduler([work])) {
                try await expectEventually {
                    let isRun = try await jobs.runs().first?.state == .succeeded
                    return isRun && jobs.monotonic.sleepers == 1
                }
                jobs.bench.clock.advance(milliseconds: -86_400_000)
                let now = jobs.bench.clock.now()
                try await expectEventually {
                    jobs.monotonic.advance(by: .milliseconds(500))
                    return try await jobs.record().nextDueAt
                        <= now.adding(milliseconds: 60_000)
                }
                #expect(counts["work"] == 1)
                #expect(try await jobs.record().nextDueAt > now)
                jobs.bench.clock.advance(milliseconds: 60_000)
                try await expectEventually {
                    jobs.monotonic.advance(by: .milliseconds(500))
                    return counts["work"] == 2
                }
            }
        }
    }

    @Test func `An unknown name is an error that tells the known ones`() async throws {
        try await JobsBench.with { jobs in
            let failure = await #expect(throws: Failure.self) { try await jobs.run("nope") }
            #expect(failure?.code == .notFound)
            #expect(failure?.message.contains("order-close, outbox") == true)
            let runs = try await jobs.runs("nope")
            #expect(runs.isEmpty)
        }
    }

    @Test func `A run asked for by hand waits for a living holder, but not for ever`()
        async throws
    {
        try await JobsBench.with { jobs in
            let gate = Gate()
            let work = job { _ in
                try await gate.wait()
                return JobReport(itemsDone: 1, summary: "mine")
            }
            try await jobs.runner().register([work])
            let seen = try await jobs.record()
            let holding = Task { try await jobs.runner("holder").run(work, seen: seen) }
            try await expectEventually { jobs.monotonic.sleepers == 1 }
            let asked = Task { try await jobs.scheduler([work], holder: "asker").runNow("work") }
            let isOver = Mutex(false)
            let watching = Task {
                let result = await asked.result
                isOver.withLock { $0 = true }
                return result
            }
            try await expectEventually {
                // Both sleep: the holder has beaten, the asker has looked.
                if jobs.monotonic.sleepers == 2 { jobs.monotonic.advance(by: .seconds(1)) }
                return isOver.withLock { $0 }
            }
            let failure = await #expect(throws: Failure.self) { try await watching.value.get() }
            #expect(failure?.code == .conflict)
            #expect(
                jobs.monotonic.elapsed() >= .milliseconds(Limits.jobLeaseWaitMilliseconds))
            gate.open()
            #expect(try await holding.value?.summary == "mine")
        }
    }

    @Test func `A run asked for by hand takes a dead holder's place`() async throws {
        try await JobsBench.with { jobs in
            let hung = job { _ in
                try await Gate().wait()
                return JobReport(itemsDone: 0, summary: "never")
            }
            let dead = jobs.runner("dead", monotonic: TestMonotonicClock())
            try await dead.register([hung])
            let seen = try await jobs.record()
            let holding = Task { try await dead.run(hung, seen: seen) }
            try await expectEventually { try await jobs.record().holder == "dead" }
            let work = job { _ in JobReport(itemsDone: 1, summary: "in its place") }
            async let asked = jobs.scheduler([work], holder: "asker").runNow("work")
            try await expectEventually {
                if jobs.monotonic.sleepers == 1 { jobs.monotonic.advance(by: .seconds(1)) }
                return try await jobs.runs().last?.state == .succeeded
            }
            #expect(try await asked.summary == "in its place")
            #expect(jobs.monotonic.elapsed() >= JobsBench.lease)
            holding.cancel()
            #expect(try await jobs.runs().map(\.state) == [.abandoned, .succeeded])
            _ = await holding.result
        }
    }

    @Test func `A graceful shutdown ends promptly and gives the leases back`() async throws {
        try await JobsBench.with { jobs in
            let endless = job { _ in
                try await Gate().wait()
                return JobReport(itemsDone: 0, summary: "never")
            }
            let idle = job("idle", every: 86_400_000) { _ in
                JobReport(itemsDone: 0, summary: "nothing")
            }
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [.init(service: jobs.scheduler([endless, idle]))],
                    logger: Logger(label: "tests")))
            let running = Task { try await group.run() }
            try await expectEventually {
                let states = try await [jobs.runs().first?.state, jobs.runs("idle").first?.state]
                return states == [.running, .succeeded]
            }
            // The clock of the jobs never moves: whoever sleeps on it has to be woken.
            await group.triggerGracefulShutdown()
            try await running.value
            #expect(try await jobs.record().holder == "")
            #expect(try await jobs.runs().map(\.summary) == ["stopped"])
        }
    }
}
