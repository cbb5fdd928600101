internal import Accounts
internal import Operations
package import TollgateKernel

/// What became of the holds whose time was out.
package struct EndedHolds: Hashable, Sendable {
    /// One that could not be ended.
    package struct SetAside: Hashable, Sendable {
        /// Which.
        package var id: HoldID
        /// Why, in words for an operator.
        package var reason: String
        /// Whether others were in the way, so that the next run may end it.
        package var mayPass: Bool
    }

    /// How many were ended.
    package var count = 0
    /// Those that could not be, at most ``Limits/holdsSetAsidePerSweep``.
    package var setAside: [SetAside] = []

    /// None yet.
    package init() {}
}

extension Sweeps {
    /// Ends open holds whose time is out, in the customer's favour, all there are.
    ///
    /// Some at a time share a transaction; where one fails, fewer do, down to a single hold, so
    /// that a hold that cannot be ended keeps no other from ending, and a transaction that others
    /// are in the way of becomes smaller. What fails alone is set aside for this run; if it was
    /// not only others that were in its way, an incident tells of it.
    ///
    /// - Throws: ``StoreError/fenced(_:)`` if the lease was lost, `unavailable` if the store is
    ///   away; what was ended before stays ended.
    package func expireHolds(fence: JobFence) async throws -> EndedHolds {
        let now = ports.clock.now()
        var ended = EndedHolds()
        var last: Hold?
        var size = Limits.holdsPerSweepTransaction
        var missesInARow = 0
        while ended.setAside.count < Limits.holdsSetAsidePerSweep {
            let page = try await ports.store.read { [last] tx in
                try tx.ledger.expiredHolds(
                    at: now, after: last, limit: Limits.holdsPerSweepTransaction)
            }
            var due = page[...]
            while !due.isEmpty {
                try Task.checkCancellation()
                let part = due.prefix(size)
                do {
                    ended.count += try await end(Array(part), at: now, fence: fence)
                    size = min(size * 2, Limits.holdsPerSweepTransaction)
                    missesInARow = 0
                } catch {
                    guard Self.concernsItsHolds(error) else { throw error }
                    if part.count > 1 {
                        size = part.count / 2
                        continue
                    }
                    let mayPass = Self.mayPass(error)
                    missesInARow = mayPass ? missesInARow + 1 : 0
                    // One hold may be much asked for; several in a row mean the store itself.
                    guard missesInARow < Limits.holdsMissedInARow else { throw error }
                    for hold in part {
                        ended.setAside.append(
                            EndedHolds.SetAside(
                                id: hold.id, reason: "\(error)", mayPass: mayPass))
                    }
                }
                due = due.dropFirst(part.count)
            }
            last = page.last
            guard page.count == Limits.holdsPerSweepTransaction else { break }
        }
        try await tell(ended.setAside.filter { !$0.mayPass }, at: now, fence: fence)
        return ended
    }

    private func end(_ holds: [Hold], at now: Timestamp, fence: JobFence) async throws -> Int {
        try await ports.store.write { [ports] tx in
            try fence.check(tx)
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            // One that its call has ended since it was read keeps its outcome.
            return try holds.count { try ledger.release($0.id, as: .expired, at: now).wasOpen }
        }
    }

    /// Whether the error may be that of a single hold, not the run's end.
    private static func concernsItsHolds(_ error: any Error) -> Bool {
        if case StoreError.fenced = error { return false }
        return !(error is CancellationError)
    }

    /// Whether others were in the way, or the store was.
    private static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case StoreError.conflict: true
        case let failure as Failure:
            failure.code == .unavailable || failure.code == .unknownOutcome
        default: false
        }
    }

    private func tell(
        _ holds: [EndedHolds.SetAside], at now: Timestamp, fence: JobFence
    ) async throws {
        guard !holds.isEmpty else { return }
        try await ports.store.write { tx in
            try fence.check(tx)
            for hold in holds {
                try tx.operations.insert(
                    Incident(
                        key: "hold_stuck:\(hold.id)", kind: .holdStuck,
                        reference: "hold:\(hold.id)",
                        summary: "A hold's time is out and it cannot be ended, so its credits stay "
                            + "reserved: \(hold.reason). Run the audit and look at its account.",
                        at: now))
            }
        }
    }
}
