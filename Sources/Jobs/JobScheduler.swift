package import Application
internal import Logging
package import Operations
internal import ServiceLifecycle
package import TollgateKernel

/// Runs due jobs until told to stop.
///
/// Several schedulers on one store share the work by leases.
package struct JobScheduler: Service {
    private let ports: Ports
    private let runner: JobRunner
    private let monotonic: any MonotonicClock
    private let definitions: [JobDefinition]
    private let lease: Duration
    private let logger = Logger(label: "tollgate.jobs")

    /// Makes a scheduler of these jobs.
    package init(
        _ ports: Ports, definitions: [JobDefinition], holder: String,
        monotonic: any MonotonicClock = SystemMonotonicClock(),
        lease: Duration = .milliseconds(Limits.jobLeaseMilliseconds)
    ) {
        self.ports = ports
        self.definitions = definitions
        self.monotonic = monotonic
        self.lease = lease
        runner = JobRunner(ports, monotonic: monotonic, holder: holder, lease: lease)
    }

    /// Runs until graceful shutdown or cancellation; a run under way at shutdown is cancelled, its
    /// lease given back, its history says `stopped`.
    package func run() async throws {
        try await runner.register(definitions)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                // One loop a job: a slow job delays nobody but itself.
                for definition in definitions {
                    group.addTask { await loop(definition) }
                }
            }
        }
    }

    private func loop(_ definition: JobDefinition) async {
        var watch = LeaseWatch(lease: lease)
        var idleUntil = Duration.zero
        while !Task.isCancelled {
            do {
                try await turn(definition, &watch, &idleUntil)
                try await monotonic.sleep(for: .milliseconds(Limits.jobTickMilliseconds))
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "a job could not be started",
                    metadata: ["job": "\(definition.name)", "error": "\(error)"])
                // The store may be down: do not hammer it.
                try? await monotonic.sleep(for: .seconds(5))
            }
        }
    }

    private func turn(
        _ definition: JobDefinition, _ watch: inout LeaseWatch, _ idleUntil: inout Duration
    ) async throws {
        let record = try await runner.record(of: definition.name)
        let now = ports.clock.now()
        let corrected = definition.schedule.corrected(due: record.nextDueAt, now: now)
        guard record.nextDueAt <= now || corrected != nil else { return }
        guard watch.look(at: record, elapsed: monotonic.elapsed()) != .held else { return }
        if let corrected { return try await runner.move(record, to: corrected) }
        if definition.schedule.isSkipped(due: record.nextDueAt, now: now) {
            let next = definition.schedule.next(after: record.nextDueAt, now: now)
            return try await runner.move(record, to: next)
        }
        // The due moment stays in the past while there is no work: moving it would be a write, and
        // a sync of the disk, for nothing.
        guard monotonic.elapsed() >= idleUntil else { return }
        guard try await definition.hasWork() else {
            idleUntil =
                monotonic.elapsed() + .milliseconds(definition.schedule.intervalMilliseconds)
            return
        }
        _ = try await runner.run(definition, seen: record)
    }

    /// Runs one job now, whatever its schedule says; waits a bounded time for a held lease.
    ///
    /// - Parameter operatorOf: Who asks for it, and why: it stands in the operators' log; nil if
    ///   nobody does.
    /// - Throws: `not_found` for an unknown job, `conflict` if another process keeps running it,
    ///   `invalid_request` for an operator without a name or a reason.
    package func runNow(
        _ name: String, for operatorOf: ActedBy? = nil
    ) async throws -> JobRun {
        let operatorOf = try operatorOf?.checked()
        let definition = try JobDefinition.named(name, in: definitions)
        try await runner.register(definitions)
        var watch = LeaseWatch(lease: lease)
        let deadline = monotonic.elapsed() + .milliseconds(Limits.jobLeaseWaitMilliseconds)
        while monotonic.elapsed() < deadline {
            let record = try await runner.record(of: name)
            if watch.look(at: record, elapsed: monotonic.elapsed()) != .held,
                let run = try await runner.run(
                    definition, seen: record, isByHand: true, for: operatorOf)
            {
                return run
            }
            try await monotonic.sleep(for: .milliseconds(50))
        }
        throw Failure(
            .conflict, "The job \(name) is running in another process; look at its history.")
    }

    /// Tells what a run of one job would do now; nothing is written.
    ///
    /// - Throws: `not_found` for an unknown job.
    package func preview(_ name: String) async throws -> JobPreview {
        try await JobDefinition.named(name, in: definitions).preview()
    }
}
