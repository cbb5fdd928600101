import Application
import Jobs
import Operations
import Storage
import TestSupport
import Testing
import TollgateKernel
import Weixin

/// Runners, schedulers and every job of the service over a real store, on clocks that tests move.
struct JobsBench {
    let bench: TestBench
    let monotonic = TestMonotonicClock()
    let payments = ScriptedPayments()
    let messages = ScriptedMessages()

    static let lease = Duration.seconds(20)

    /// Lends a bench with a model and a product; afterwards the books must be right.
    static func with(
        policy: ServicePolicy = ServicePolicy(), _ body: (JobsBench) async throws -> Void
    ) async throws {
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer()
            try await body(JobsBench(bench: bench))
            #expect(try await bench.violations() == [])
        }
    }

    /// Where a bench's store is.
    enum Engine: CaseIterable {
        case sqlite
        case postgreSQL

        /// Those that are here.
        static var all: [Engine] { PostgresServer.isInstalled ? allCases : [.sqlite] }
    }

    /// Lends a bench on one of the engines.
    static func with(on engine: Engine, _ body: (JobsBench) async throws -> Void) async throws {
        guard engine == .postgreSQL else { return try await with(body) }
        let server = try PostgresServer.shared()
        let schema = try server.makeSchema()
        // The bench's clock is not the database's, and is set while the store is open.
        let clock = TestClock()
        let store = try await PostgreSQLStore.open(
            PostgreSQLTarget(server.address(schema: schema)), realm: .sandbox, role: .serve,
            clock: clock, clockLimits: .none)
        do {
            let bench = try TestBench(over: store, clock: clock)
            try await bench.offer()
            try await body(JobsBench(bench: bench))
            #expect(try await bench.violations() == [])
        } catch {
            await store.close()
            throw error
        }
        await store.close()
        try server.run("DROP SCHEMA \(schema) CASCADE")
    }

    /// The ports over another way to the same store.
    func ports(over store: (any Store)? = nil) -> Ports {
        var ports = bench.ports
        if let store { ports.store = store }
        return ports
    }

    func runner(
        _ holder: String = "a", over store: (any Store)? = nil,
        monotonic: TestMonotonicClock? = nil
    ) -> JobRunner {
        JobRunner(
            ports(over: store), monotonic: monotonic ?? self.monotonic, holder: holder,
            lease: Self.lease)
    }

    func scheduler(
        _ definitions: [JobDefinition], holder: String = "a", over store: (any Store)? = nil,
        monotonic: TestMonotonicClock? = nil
    ) -> JobScheduler {
        JobScheduler(
            ports(over: store), definitions: definitions, holder: holder,
            monotonic: monotonic ?? self.monotonic, lease: Self.lease)
    }

    /// Every job of the service.
    func standard(
        over store: (any Store)? = nil, rollupHoursPerRun: Int64 = Limits.rollupHoursPerRun
    ) -> [JobDefinition] {
        let ports = ports(over: store)
        return StandardJobs(
            ports, orders: FollowUpOrders(ports, payments: payments), sweeps: Sweeps(ports),
            outbox: SendOutbox(
                ports, officialAccount: messages, templateIDs: [.creditsArrived: "template"]),
            previews: PreviewJobs(ports, payments: payments), rollupHoursPerRun: rollupHoursPerRun
        ).definitions(JobIntervals())
    }

    /// Runs one of the service's jobs now.
    @discardableResult
    func run(
        _ name: String, holder: String = "a", over store: (any Store)? = nil
    ) async throws -> JobRun {
        try await scheduler(standard(over: store), holder: holder, over: store).runNow(name)
    }

    /// Runs one of the service's jobs in place of a holder that was killed.
    func takeOver(_ name: String) async throws -> JobRun? {
        let definition = try #require(standard().first { $0.name == name })
        try await runner("b").register([definition])
        let record = try await record(name)
        let seen = record.holder.isEmpty ? record : try await outlast(name)
        return try await runner("b").run(definition, seen: seen)
    }

    /// Moves both clocks on by a scheduler's tick.
    func tick() {
        bench.clock.advance(milliseconds: Limits.jobTickMilliseconds)
        monotonic.advance(by: .milliseconds(Limits.jobTickMilliseconds))
    }

    func record(_ name: String = "work") async throws -> JobRecord {
        try await runner().record(of: name)
    }

    /// The job's runs, oldest first.
    func runs(_ name: String = "work") async throws -> [JobRun] {
        try await OperatorQueries(bench.ports).runs(of: name, limit: 100).reversed()
    }

    /// What happened to a run's items: reference and result.
    func items(of run: JobRun) async throws -> [JobItem] {
        try await bench.store.read { tx in try tx.jobs.items(of: run.id, limit: 1_000) }
    }

    /// Lets a watcher see the present holder fall silent, by the watcher's own clock.
    func outlast(_ name: String = "work") async throws -> JobRecord {
        var watch = LeaseWatch(lease: Self.lease)
        let clock = TestMonotonicClock()
        var record = try await record(name)
        #expect(watch.look(at: record, elapsed: clock.elapsed()) == .held)
        clock.advance(by: Self.lease)
        record = try await self.record(name)
        #expect(watch.look(at: record, elapsed: clock.elapsed()) == .silent)
        return record
    }
}

/// A job whose work is a closure.
func job(
    _ name: String = "work", every milliseconds: Int64 = 60_000, catchUp: CatchUpPolicy = .last,
    _ run: @escaping @Sendable (JobContext) async throws -> JobReport
) -> JobDefinition {
    JobDefinition(
        name: name, summary: "Does what a test says.",
        schedule: JobSchedule(intervalMilliseconds: milliseconds, catchUp: catchUp),
        preview: { JobPreview(items: [], summary: "would do what a test says") }, run: run)
}
