internal import Accounts
internal import Operations
package import TollgateKernel

/// What became of everything of one kind whose time was out.
package struct Ended<ID: Hashable & Sendable>: Hashable, Sendable {
    /// One that could not be ended.
    package struct SetAside: Hashable, Sendable {
        /// Which.
        package var id: ID
        /// Why, in words for an operator.
        package var reason: String
        /// Whether the store had no time for it, so that the next run may end it.
        package var mayPass: Bool
    }

    /// How many were ended.
    package var count = 0
    /// Those that could not be; a sweep ends after ``Limits/setAsidePerSweep`` in a row.
    package var setAside: [SetAside] = []

    /// None yet.
    package init() {}
}

/// What became of the holds whose time was out.
package typealias EndedHolds = Ended<HoldID>

/// What became of the lots whose time was out.
package typealias EndedLots = Ended<LotID>

extension Sweeps {
    /// Ends open holds whose time is out, in the customer's favour, all there are.
    ///
    /// Some at a time share a transaction; where one fails, fewer do, down to a single hold, so
    /// that a hold that cannot be ended keeps no other from ending, and a transaction that others
    /// are in the way of becomes smaller. What fails alone is set aside for this run; unless it was
    /// only that the store had no time for it, an incident tells of it.
    ///
    /// - Throws: ``StoreError/fenced(_:)`` if the lease was lost, `unavailable` if the store is
    ///   away; what was ended before stays ended.
    package func expireHolds(fence: JobFence) async throws -> EndedHolds {
        let expiry = Expiry<Hold, HoldID>(
            identity: { ($0.id, $0.account) },
            due: { tx, now, last, _ in
                try tx.ledger.expiredHolds(at: now, after: last, limit: Limits.itemsPerSweep)
            },
            // One that its call has ended since it was read keeps its outcome.
            end: { try $0.release($1.id, as: .expired, at: $2).wasOpen },
            incident: { aside, now in
                Incident(
                    key: "hold_stuck:\(aside.id)", kind: .holdStuck, reference: "hold:\(aside.id)",
                    summary: "A hold's time is out and it cannot be ended, so its credits stay "
                        + "reserved: \(aside.reason). Run the audit and look at its account.",
                    at: now)
            })
        return try await expiry.run(ports, fence)
    }

    /// Moves the unreserved rest of every lot whose time is out to `expired`; what cannot be moved
    /// is set aside and told as a hold is.
    ///
    /// - Throws: as ``expireHolds(fence:)``.
    package func expireLots(fence: JobFence) async throws -> EndedLots {
        let expiry = Expiry<Lot, LotID>(
            identity: { ($0.id, $0.account) },
            due: { tx, now, _, aside in
                // Those set aside are still due, and stand in front.
                let due = try tx.ledger.expiredLots(
                    at: now, limit: Limits.itemsPerSweep + aside.count)
                return Array(due.filter { !aside.contains($0.id) }.prefix(Limits.itemsPerSweep))
            },
            end: { try $0.expireLot($1.id, at: $2) },
            incident: { aside, now in
                Incident(
                    key: "lot_stuck:\(aside.id)", kind: .lotStuck, reference: "lot:\(aside.id)",
                    summary: "A lot's time is out and what is left of it cannot be moved, so it "
                        + "stays in the balance: \(aside.reason). Run the audit and look at its "
                        + "account.", at: now)
            })
        return try await expiry.run(ports, fence)
    }
}

/// Ends everything of one kind whose time is out, some at a time.
private struct Expiry<Item: Sendable, ID: Hashable & Sendable>: Sendable {
    /// Which it is, and whose.
    let identity: @Sendable (Item) -> (id: ID, account: AccountID)
    /// The next that are due, from the one after the last, without those set aside; at most
    /// ``Limits/itemsPerSweep``.
    let due: @Sendable (any Transaction, Timestamp, Item?, Set<ID>) throws -> [Item]
    /// Ends one; false if there was nothing to end any more.
    let end: @Sendable (Ledger, Item, Timestamp) throws -> Bool
    /// What tells of one that was set aside.
    let incident: @Sendable (Ended<ID>.SetAside, Timestamp) -> Incident

    func run(_ ports: Ports, _ fence: JobFence) async throws -> Ended<ID> {
        let now = ports.clock.now()
        var ended = Ended<ID>()
        do {
            try await endAll(ports, fence, at: now, &ended)
        } catch {
            // What was found is told even so; what ended the sweep is what its caller hears of.
            if Self.concernsItems(error) { try? await tell(ended.setAside, ports, fence, at: now) }
            throw error
        }
        try await tell(ended.setAside, ports, fence, at: now)
        return ended
    }

    private func endAll(
        _ ports: Ports, _ fence: JobFence, at now: Timestamp, _ ended: inout Ended<ID>
    ) async throws {
        var last: Item?
        var size = Limits.itemsPerSweep
        // Accounts that the store had no time for since something ended last.
        var missed: Set<AccountID> = []
        var lastMiss: (any Error)?
        var failedInARow = 0
        while failedInARow < Limits.setAsidePerSweep {
            let aside = Set(ended.setAside.map(\.id))
            let page = try await ports.store.read { [due, last] tx in
                try due(tx, now, last, aside)
            }
            var rest = page[...]
            while !rest.isEmpty {
                try Task.checkCancellation()
                let part = rest.prefix(size)
                do {
                    ended.count += try await end(Array(part), ports, fence, at: now)
                    size = min(size * 2, Limits.itemsPerSweep)
                    missed = []
                    failedInARow = 0
                } catch {
                    guard Self.concernsItems(error) else { throw error }
                    if part.count > 1 {
                        size = part.count / 2
                        continue
                    }
                    let mayPass = Self.mayPass(error)
                    var failing = Array(part)
                    if mayPass {
                        lastMiss = error
                        missed.formUnion(failing.map { identity($0).account })
                        // One account may be much asked for; several in a row mean the store.
                        guard missed.count < Limits.missedInARow else { throw error }
                        // What else is that account's would wait as long.
                        failing += rest.dropFirst(part.count)
                            .prefix { missed.contains(identity($0).account) }
                    } else {
                        missed = []
                    }
                    failedInARow += failing.count
                    ended.setAside += failing.map {
                        .init(id: identity($0).id, reason: "\(error)", mayPass: mayPass)
                    }
                    rest = rest.dropFirst(failing.count)
                    continue
                }
                rest = rest.dropFirst(part.count)
            }
            last = page.last
            guard page.count == Limits.itemsPerSweep else { break }
        }
        // Nothing but one account was due, and the store had no time for it: nobody knows whose
        // fault that is.
        if let lastMiss, ended.count == 0, ended.setAside.allSatisfy(\.mayPass) { throw lastMiss }
    }

    private func end(
        _ items: [Item], _ ports: Ports, _ fence: JobFence, at now: Timestamp
    ) async throws -> Int {
        try await ports.store.write { [end] tx in
            try fence.check(tx)
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            return try items.count { try end(ledger, $0, now) }
        }
    }

    private func tell(
        _ aside: [Ended<ID>.SetAside], _ ports: Ports, _ fence: JobFence, at now: Timestamp
    ) async throws {
        let incidents = aside.filter { !$0.mayPass }.map { incident($0, now) }
        guard !incidents.isEmpty else { return }
        try await ports.store.write { tx in
            try fence.check(tx)
            for incident in incidents { try tx.operations.insert(incident) }
        }
    }

    /// Whether the error may be that of a single item, not the run's end.
    private static func concernsItems(_ error: any Error) -> Bool {
        if case StoreError.fenced = error { return false }
        return !(error is CancellationError)
    }

    /// Whether the store had no time for it, or was away.
    ///
    /// A row that is not as its transaction has just read it is no such thing: the store tries what
    /// others were in the way of again by itself, so that it would be so each time.
    private static func mayPass(_ error: any Error) -> Bool {
        // The engine itself: a statement's time, its disk.
        if case StoreError.engine = error { return true }
        guard let failure = error as? Failure else { return false }
        return failure.code == .unavailable || failure.code == .unknownOutcome
    }
}
