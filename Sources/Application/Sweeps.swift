internal import Accounts
package import Analytics
internal import Auth
internal import Operations
internal import TollgateKernel
internal import Weixin

/// What time brings to an end: holds, lots, codes, sessions, remembered pushes.
package struct Sweeps: Sendable {
    let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// Forgets all that no longer works or matters: login codes, attempts and sessions, pushes; at
    /// most `limit` rows a transaction.
    ///
    /// Returns how many rows.
    package func forget(limit: Int, fence: JobFence) async throws -> Int {
        let now = ports.clock.now()
        let share = max(1, limit / 5)
        var total = 0
        while true {
            let (rows, isLast) = try await ports.store.write { tx in
                try fence.check(tx)
                let codes = try tx.auth.removeExpiredLoginCodes(now: now, limit: share)
                let attempts = try tx.loginAttempts.removeExpiredAttempts(now: now, limit: share)
                let sessions = try tx.auth.removeExpiredLoginSessions(now: now, limit: share)
                let counts = try tx.loginAttempts.forgetCounts(now: now, limit: share)
                let pushes = try tx.pushes.removePushes(
                    before: now.adding(milliseconds: -Limits.pushMemoryMilliseconds), limit: share)
                return (
                    codes + attempts + sessions + counts + pushes,
                    max(codes, attempts, sessions, counts, pushes) < share
                )
            }
            total += rows
            if isLast { return total }
            try Task.checkCancellation()
        }
    }

    /// Forgets runs of jobs, with their items, that ended long ago.
    ///
    /// Returns how many runs; call again while it returns `limit`.
    package func forgetRuns(limit: Int, fence: JobFence) async throws -> Int {
        let before = ports.clock.now().adding(milliseconds: -Limits.jobHistoryMilliseconds)
        return try await ports.store.write { tx in
            try fence.check(tx)
            return try tx.jobs.removeRuns(before: before, limit: limit)
        }
    }

    /// Counts one period anew and replaces its figures.
    ///
    /// Returns how many figures it has.
    package func rollUp(_ period: RollupPeriod, fence: JobFence) async throws -> Int {
        // Counting a busy day takes longer than a write may hold up others. A row that lands in
        // between is counted by the next run, which looks back.
        let points = try await count(period, fence)
        return try await ports.store.write { tx in
            try fence.check(tx)
            try tx.analytics.replace(
                points, resolution: period.resolution, periodStart: period.start)
            return points.count
        }
    }

    /// Counts on a replica, if it has this run's lease.
    ///
    /// Writes reach a replica in their order: one that has the lease has all that was durable when
    /// the run began, and what came later the next run counts, as it does on the primary. One that
    /// has it not lags, by nobody knows how much, and is not believed. Nor does the job depend on
    /// one: what it cannot count, for its statement takes too long or is undone, the primary does.
    private func count(_ period: RollupPeriod, _ fence: JobFence) async throws -> [RollupPoint] {
        let counted = try? await ports.store.read(.stale) { tx -> [RollupPoint]? in
            guard try tx.jobs.job(fence.job)?.fencingToken == fence.fencingToken else { return nil }
            return try tx.analytics.count(from: period.start, until: period.end)
        }
        if let counted { return counted }
        return try await ports.store.read { tx in
            try tx.analytics.count(from: period.start, until: period.end)
        }
    }
}
