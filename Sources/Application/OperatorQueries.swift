internal import Accounts
package import Analytics
package import Operations
internal import Synchronization
package import TollgateKernel

/// What operators may ask.
package struct OperatorQueries: Sendable {
    private let ports: Ports
    private let auditing = AuditTurn()

    /// Makes the queries.
    package init(_ ports: Ports) { self.ports = ports }

    /// Re-adds the books and walks the hash chains in one consistent view, asks the engine beside
    /// it, and looks for deletions that do not end.
    ///
    /// Two readers are busy with it, and the others are left for everybody else. One begins with
    /// the books, the other with what the engine is asked; who is done takes the next part of that.
    ///
    /// - Throws: `conflict` while another audit runs: several at once would take all readers.
    package func audit() async throws -> [AuditFinding] {
        guard auditing.take() else {
            throw Failure(
                .conflict, "An audit is running already; wait for its verdict.",
                retryAfterMilliseconds: Limits.auditRetryMilliseconds)
        }
        defer { auditing.giveBack() }
        let parts = AuditParts(try await ports.store.read { tx in try tx.operations.engineParts() })
        async let engine: Void = ask(parts)
        let books = try await ports.store.read { tx in try tx.operations.auditBooks() }
        try await ask(parts)
        try await engine
        return try await books + parts.findings + [deletions()]
    }

    /// Asks the engine for one part after the other until none is left.
    private func ask(_ parts: AuditParts) async throws {
        while let (place, part) = parts.next() {
            try Task.checkCancellation()
            parts.keep(
                try await ports.store.read { tx in try tx.operations.auditEngine(part) }, at: place)
        }
    }

    /// C14: what the sweeper cannot finish is told by nobody else.
    private func deletions() async throws -> AuditFinding {
        let now = ports.clock.now()
        let overdue = now.adding(milliseconds: -Limits.deletionMilliseconds)
        return try await ports.store.read { tx in
            let stuck = try tx.departures.unfinished(
                begunBefore: overdue, limit: Limits.auditViolationsTold)
            return AuditFinding(
                check: "C14", summary: "no deletion of an account is stuck",
                rows: try tx.departures.countUnfinished(),
                violations: stuck.map { "account \($0) has been deleting for more than an hour" },
                violationCount: try tx.departures.countUnfinished(begunBefore: overdue))
        }
    }

    /// Figures of periods that start in a span; without bounds the last 24 hours, or 30 days, with
    /// the open period.
    ///
    /// They may come from a replica: figures are a minute old anyway.
    package func metrics(
        _ resolution: RollupResolution, from: Timestamp?, until: Timestamp?
    ) async throws -> [RollupPoint] {
        let until = until ?? ports.clock.now().adding(milliseconds: 1)
        let span: Int64 = resolution == .hour ? 86_400_000 : 30 * 86_400_000
        let from = from ?? resolution.start(of: until.adding(milliseconds: -span))
        return try await ports.store.read(.stale) { tx in
            try tx.analytics.points(
                resolution: resolution, from: from, until: until,
                limit: Limits.metricPointsPerAnswer)
        }
    }

    /// Incidents, newest first; perhaps from a replica, as they were seconds ago.
    package func incidents(limit: Int) async throws -> [Incident] {
        try await ports.store.read(.stale) { tx in try tx.operations.incidents(limit: limit) }
    }

    /// Each job's row and its last run.
    package func jobs() async throws -> [String: (JobRecord?, JobRun?)] {
        try await ports.store.read { tx in
            var standing: [String: (JobRecord?, JobRun?)] = [:]
            for job in try tx.jobs.jobs() {
                standing[job.name] = (job, try tx.jobs.runs(of: job.name, limit: 1).first)
            }
            return standing
        }
    }

    /// Runs, newest first; nil is every job's.
    package func runs(of job: String?, limit: Int) async throws -> [JobRun] {
        try await ports.store.read { tx in try tx.jobs.runs(of: job, limit: limit) }
    }
}

/// The parts of C13 that two readers share, and what they found.
private final class AuditParts: Sendable {
    private let parts: [EnginePart]
    private let state = Mutex<(next: Int, found: [Int: AuditFinding])>((0, [:]))

    init(_ parts: [EnginePart]) { self.parts = parts }

    /// The next part that nobody has taken.
    func next() -> (Int, EnginePart)? {
        state.withLock { state in
            guard state.next < parts.count else { return nil }
            defer { state.next += 1 }
            return (state.next, parts[state.next])
        }
    }

    /// Keeps what was found in a part.
    func keep(_ finding: AuditFinding, at place: Int) {
        state.withLock { $0.found[place] = finding }
    }

    /// The verdict over all parts, in their order whoever was first.
    var findings: [AuditFinding] {
        let found = state.withLock { $0.found }.sorted { $0.key < $1.key }.map(\.value)
        guard var finding = found.first else { return [] }
        for part in found.dropFirst() { finding.add(part) }
        return [finding]
    }
}

/// One audit at a time.
private final class AuditTurn: Sendable {
    private let isTaken = Mutex(false)

    func take() -> Bool {
        isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
    }

    func giveBack() { isTaken.withLock { $0 = false } }
}
