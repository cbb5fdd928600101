package import Application
internal import Logging
internal import Metrics
package import Operations
package import TollgateKernel

/// Runs one job once: takes its lease, keeps it alive, writes its history.
package struct JobRunner: Sendable {
    private let ports: Ports
    private let monotonic: any MonotonicClock
    private let holder: String
    private let lease: Duration
    private let logger: Logger

    /// Makes a runner.
    ///
    /// - Parameters:
    ///   - holder: Names this process in leases; unique, such as host, pid and a random number.
    ///   - lease: How long a silent holder keeps its lease.
    package init(
        _ ports: Ports, monotonic: any MonotonicClock, holder: String,
        lease: Duration = .milliseconds(Limits.jobLeaseMilliseconds)
    ) {
        self.ports = ports
        self.monotonic = monotonic
        self.holder = holder
        self.lease = lease
        logger = Logger(label: "tollgate.jobs")
    }

    /// Makes the rows of jobs that have none; each is first due now.
    package func register(_ definitions: [JobDefinition]) async throws {
        let now = ports.clock.now()
        let names = definitions.map(\.name)
        try await ports.store.write { tx in
            for name in names {
                try tx.jobs.insertIfNew(
                    JobRecord(
                        name: name, nextDueAt: now, fencingToken: 0, holder: "", heartbeat: 0))
            }
        }
    }

    /// The row of a job as it stands.
    package func record(of name: String) async throws -> JobRecord {
        let record = try await ports.store.read { tx in try tx.jobs.job(name) }
        guard let record else { throw Failure(.notFound, "There is no job \(name).") }
        return record
    }

    /// Moves a job to another due moment, without a run; nothing happens if another process took
    /// its lease meanwhile.
    package func move(_ record: JobRecord, to due: Timestamp) async throws {
        var next = record
        next.nextDueAt = due
        do {
            try await ports.store.write { [next] tx in
                try tx.jobs.save(next, replacing: record)
            }
        } catch StoreError.conflict {
            return
        }
    }

    /// Takes the lease as it was seen and runs the job once; nil if another took it first.
    ///
    /// The history says `failed` with the reason if the run throws; that is not rethrown, except
    /// for cancellation.
    package func run(
        _ definition: JobDefinition, seen record: JobRecord, isByHand: Bool = false,
        for operatorOf: ActedBy? = nil
    ) async throws -> JobRun? {
        guard let (held, run) = try await take(definition, record, operatorOf) else { return nil }
        let fence = JobFence(job: definition.name, fencingToken: held.fencingToken)
        let context = JobContext(
            fence: fence, run: run.id, isByHand: isByHand, ports: ports)
        let timer = Timer(label: "tollgate_job_seconds", dimensions: [("job", definition.name)])
        let started = monotonic.elapsed()
        let result = await runWithHeartbeat(definition, context, held)
        timer.recordNanoseconds(Int64((monotonic.elapsed() - started) / .nanoseconds(1)))
        return try await finish(definition, held, run, result)
    }

    private func take(
        _ definition: JobDefinition, _ record: JobRecord, _ operatorOf: ActedBy?
    ) async throws -> (JobRecord, JobRun)? {
        let now = ports.clock.now()
        let id = JobRunID(rawValue: ports.identifiers.next())
        var taken = record
        taken.fencingToken += 1
        taken.holder = holder
        taken.heartbeat = 0
        let run = JobRun(
            id: id, job: definition.name, fencingToken: taken.fencingToken, state: .running,
            startedAt: now, endedAt: nil, itemsDone: 0, itemsFailed: 0, summary: "")
        // With the run's first row: a run that is cut off was asked for all the same, and who was
        // refused the lease has run nothing.
        let act = operatorOf.map {
            AdminAct(
                id: AdminActID(rawValue: ports.identifiers.next()), key: "job-run:\(id)",
                kind: .jobRunByHand, by: $0, object: definition.name, before: "",
                after: "run \(id)", at: now)
        }
        do {
            try await ports.store.write { [taken] tx in
                if let act { try tx.adminLog.insert(act) }
                try tx.jobs.save(taken, replacing: record)
                try tx.jobs.abandonRuns(
                    of: definition.name, olderThan: taken.fencingToken, at: now)
                try tx.jobs.insert(run)
            }
        } catch StoreError.conflict {
            return nil
        }
        return (taken, run)
    }

    private func runWithHeartbeat(
        _ definition: JobDefinition, _ context: JobContext, _ held: JobRecord
    ) async -> Result<JobReport, any Error> {
        await withTaskGroup(of: Result<JobReport, any Error>?.self) { group in
            group.addTask {
                do {
                    return .success(try await definition.run(context))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                do {
                    try await self.beat(held)
                } catch is CancellationError {
                    return nil
                } catch {
                    return .failure(error)  // The lease was lost: the run is cancelled below.
                }
            }
            var result: Result<JobReport, any Error> = .failure(CancellationError())
            while let next = await group.next() {
                guard let next else { continue }
                result = next
                group.cancelAll()
                break
            }
            return result
        }
    }

    /// Raises the heartbeat three times a lease until cancelled; throws when the lease was lost.
    ///
    /// A store that is busy for a moment costs one beat, not the run: the fence decides who writes.
    private func beat(_ held: JobRecord) async throws -> Never {
        while true {
            try await monotonic.sleep(for: lease / 3)
            do {
                try await ports.store.write { tx in
                    try tx.jobs.checkFence(job: held.name, fencingToken: held.fencingToken)
                    guard let current = try tx.jobs.job(held.name) else { return }
                    var next = current
                    next.heartbeat += 1
                    try tx.jobs.save(next, replacing: current)
                }
            } catch let failure as Failure {
                tellMissedBeat(of: held.name, failure)
            } catch StoreError.conflict(let what) {
                tellMissedBeat(of: held.name, StoreError.conflict(what))
            }
        }
    }

    private func tellMissedBeat(of job: String, _ error: any Error) {
        logger.warning(
            "a heartbeat was not written", metadata: ["job": "\(job)", "error": "\(error)"])
    }

    private func tellFailure(of run: JobRun, level: Logger.Level, _ message: Logger.Message) {
        logger.log(
            level: level, message, metadata: ["job": "\(run.job)", "error": "\(run.summary)"])
    }

    private func finish(
        _ definition: JobDefinition, _ held: JobRecord, _ run: JobRun,
        _ result: Result<JobReport, any Error>
    ) async throws -> JobRun {
        let now = ports.clock.now()
        var ended = run
        ended.endedAt = now
        switch result {
        case .success(let report):
            ended.state = report.hasFailed ? .failed : .succeeded
            ended.itemsDone = report.itemsDone
            ended.itemsFailed = report.itemsFailed
            ended.summary = report.summary
            if report.hasFailed { tellFailure(of: ended, level: .error, "a job failed") }
        case .failure(let error):
            // To be stopped because the program stops is no failure of the job.
            let isStopped = error is CancellationError
            ended.state = isStopped ? .abandoned : .failed
            ended.summary = isStopped ? "stopped" : "\(error)"
            tellFailure(
                of: ended, level: isStopped ? .info : .error,
                isStopped ? "a run was stopped with the program" : "a job failed")
        }
        // Counted as it is told: one whose lease was lost was abandoned.
        defer {
            Counter(
                label: "tollgate_job_runs_total",
                dimensions: [("job", run.job), ("state", ended.state.rawValue)]
            ).increment()
        }
        // A run asked for by hand before its moment leaves the moment as it is.
        let wasDue = held.nextDueAt <= run.startedAt
        let next =
            wasDue ? definition.schedule.next(after: held.nextDueAt, now: now) : held.nextDueAt
        do {
            try await store(ended, of: held, dueAt: next)
        } catch StoreError.fenced {
            ended.state = .abandoned
            ended.summary = "the lease was taken over"
        }
        if case .failure(let error) = result, error is CancellationError { throw error }
        return ended
    }

    /// Stores a run's end and gives its lease back; a row that changed meanwhile is read again.
    private func store(_ ended: JobRun, of held: JobRecord, dueAt next: Timestamp) async throws {
        var attempt = 1
        while true {
            do {
                return try await ports.store.write { tx in
                    try tx.jobs.checkFence(job: ended.job, fencingToken: held.fencingToken)
                    guard let current = try tx.jobs.job(ended.job) else { return }
                    var released = current
                    released.holder = ""
                    released.nextDueAt = next
                    try tx.jobs.save(released, replacing: current)
                    try tx.jobs.update(ended)
                }
            } catch StoreError.conflict where attempt < Limits.jobConflictAttempts {
                attempt += 1
            }
        }
    }
}
