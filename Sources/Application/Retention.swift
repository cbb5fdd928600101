internal import Analytics
package import Operations
internal import TollgateKernel

/// Removes rows that are older than they are needed for, a few at a time.
///
/// What a figure is counted from stays until the rollup has counted it and will not count it again:
/// its checkpoint, with the time it looks back, lies on a later day then. While no rollup has run
/// none of it is removed.
package struct Retention: Sendable {
    private let ports: Ports
    private let rollupJob: String

    /// Makes the use case.
    ///
    /// - Parameter rollupJob: The job whose checkpoint tells how far figures were counted.
    package init(_ ports: Ports, rollupJob: String) {
        self.ports = ports
        self.rollupJob = rollupJob
    }

    /// Removes the oldest rows of a kind, at most `limit` of them.
    ///
    /// - Returns: How many; call again while it returns `limit`.
    package func remove(
        _ rows: PerishableRows, limit: Int, fence: JobFence
    ) async throws -> Int {
        let now = ports.clock.now()
        if rows == .writeAttempts { return try await removeAttempts(now, limit, fence) }
        return try await ports.store.write { [rollupJob] tx in
            try fence.check(tx)
            guard let horizon = try Self.horizon(of: rows, now, rollupJob, tx) else { return 0 }
            return try tx.retention.remove(rows, before: horizon, limit: limit)
        }
    }

    /// Removes the numbers of writers that are gone, which are found in a read of its own.
    ///
    /// Every write changes its writer's row among them: one that had read them all would be in the
    /// way of all others.
    private func removeAttempts(
        _ now: Timestamp, _ limit: Int, _ fence: JobFence
    ) async throws -> Int {
        let horizon = now.adding(milliseconds: -PerishableRows.writeAttempts.memoryMilliseconds)
        let writers = try await ports.store.read { tx in
            try tx.retention.writers(before: horizon, limit: limit)
        }
        return try await ports.store.write { tx in
            try fence.check(tx)
            return try writers.reduce(0) { count, writer in
                count + (try tx.retention.removeAttempt(of: writer, before: horizon))
            }
        }
    }

    /// How many rows of a kind a run would remove now, counted up to `limit`; perhaps on a replica.
    package func count(_ rows: PerishableRows, limit: Int) async throws -> Int {
        let now = ports.clock.now()
        return try await ports.store.read(.stale) { [rollupJob] tx in
            guard let horizon = try Self.horizon(of: rows, now, rollupJob, tx) else { return 0 }
            return try tx.retention.count(rows, before: horizon, limit: limit)
        }
    }

    /// The moment before which rows of a kind go; nil if none may.
    private static func horizon(
        of rows: PerishableRows, _ now: Timestamp, _ rollupJob: String, _ tx: any Transaction
    ) throws -> Timestamp? {
        let horizon = now.adding(milliseconds: -rows.memoryMilliseconds)
        guard rows.isCounted else { return horizon }
        guard let counted = try tx.jobs.checkpoint(of: rollupJob) else { return nil }
        // A day is counted as a whole again while it is the checkpoint's.
        let again = min(Timestamp(milliseconds: counted), now)
            .adding(milliseconds: -Limits.rollupLookBackMilliseconds)
        return min(horizon, RollupResolution.day.start(of: again))
    }
}
