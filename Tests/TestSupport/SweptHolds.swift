package import Accounts
package import Application
import Auth
import Operations
package import TollgateKernel

extension Ledger {
    /// Ends holds whose time is out as the sweep does (`Sweeps.expireHolds`), in the caller's
    /// transaction: looks for those that are due, then ends each by its number.
    ///
    /// - Returns: How many it ended; at most `limit`.
    package func sweepHolds(
        in repository: any LedgerRepository, at now: Timestamp, limit: Int
    ) throws -> Int {
        try repository.expiredHolds(at: now, limit: limit)
            .filter { try release($0.id, as: .expired, at: now).wasOpen }.count
    }
}

extension Store {
    /// Ends all holds whose time is out at a moment, as the job does that has the lease for it.
    ///
    /// The job's row is made if there is none yet.
    package func sweepHolds(at now: Timestamp) async throws -> EndedHolds {
        let name = "hold-expire"
        let job = try await read { tx in try tx.jobs.job(name) }
        if job == nil {
            try await write { tx in
                try tx.jobs.insertIfNew(
                    JobRecord(
                        name: name, nextDueAt: now, fencingToken: 0, holder: "", heartbeat: 0))
            }
        }
        guard let key = IdentityKey([UInt8](repeating: 7, count: 32)) else {
            throw Failure(.internalError, "bad key")
        }
        let clock = TestClock(now)
        let ports = Ports(
            store: self, clock: clock, random: SystemRandom(),
            identifiers: TimeSortedIdentifiers(clock: clock), identityKey: key,
            policy: ServicePolicy())
        return try await Sweeps(ports)
            .expireHolds(fence: JobFence(job: name, fencingToken: job?.fencingToken ?? 0))
    }
}
