package import Application
internal import Operations
package import TollgateKernel

/// What happens to runs that were due while nobody was there to run them.
package enum CatchUpPolicy: String, Hashable, Sendable {
    /// Each missed run is made up for.
    case all
    /// One run makes up for all.
    case last
    /// Missed runs are skipped.
    case none
}

/// When a job runs.
package struct JobSchedule: Hashable, Sendable {
    /// From due moment to due moment.
    package var intervalMilliseconds: Int64
    /// What becomes of missed runs.
    package var catchUp: CatchUpPolicy

    /// Makes a schedule.
    package init(intervalMilliseconds: Int64, catchUp: CatchUpPolicy) {
        precondition(intervalMilliseconds > 0, "an interval is longer than nothing")
        self.intervalMilliseconds = intervalMilliseconds
        self.catchUp = catchUp
    }

    /// The due moment after a run (or a skip) that was due at `due` and ended at `now`.
    package func next(after due: Timestamp, now: Timestamp) -> Timestamp {
        let following = due.adding(milliseconds: intervalMilliseconds)
        guard catchUp != .all, following <= now else { return following }
        // Keep the phase: the first multiple of the interval after now.
        let missed = (now.milliseconds - due.milliseconds) / intervalMilliseconds
        return due.adding(milliseconds: (missed + 1) * intervalMilliseconds)
    }

    /// What replaces a due moment that lies further ahead than this schedule puts one; nil if it
    /// stands.
    ///
    /// The clock was set back far, or the interval was made shorter. The phase is kept, and
    /// nothing runs at once. A clock set back by less than the interval changes nothing, so that
    /// no moment comes twice.
    package func corrected(due: Timestamp, now: Timestamp) -> Timestamp? {
        let ahead = due.milliseconds - now.milliseconds
        guard ahead > 2 * intervalMilliseconds else { return nil }
        let surplus = (ahead - 1) / intervalMilliseconds
        return due.adding(milliseconds: -surplus * intervalMilliseconds)
    }

    /// Whether a job due at `due` runs at `now`, or is skipped because its moment has passed.
    package func isSkipped(due: Timestamp, now: Timestamp) -> Bool {
        catchUp == .none && now.milliseconds - due.milliseconds >= intervalMilliseconds
    }
}

/// What a run did.
package struct JobReport: Hashable, Sendable {
    /// Items done.
    package var itemsDone: Int64
    /// Items that failed; the rest went on.
    package var itemsFailed: Int64
    /// What happened, in a sentence.
    package var summary: String
    /// Whether the run failed as a whole, for the reason that the summary says.
    package var hasFailed: Bool

    /// Makes a report.
    package init(
        itemsDone: Int64, itemsFailed: Int64 = 0, summary: String, hasFailed: Bool = false
    ) {
        self.itemsDone = itemsDone
        self.itemsFailed = itemsFailed
        self.summary = summary
        self.hasFailed = hasFailed
    }
}

/// A job: a name, a schedule, and what it does.
package struct JobDefinition: Sendable {
    /// The name, such as `payment-reconcile`.
    package var name: String
    /// What it does, in a sentence.
    package var summary: String
    /// When it runs.
    package var schedule: JobSchedule
    /// Whether it ends, counts or removes by the time of day: such a job is left to others while
    /// this machine's clock is in doubt.
    package var goesByTimeOfDay: Bool
    /// What a run would do now: reads, writes nothing, takes no lease.
    package var preview: @Sendable () async throws -> JobPreview
    /// Whether a run that is due would find something to do, by reading alone.
    ///
    /// A run without work is not made: it takes no lease, and writes nothing.
    package var hasWork: @Sendable () async throws -> Bool
    /// What waits for a later moment while nothing is due, by reading alone; nil is nothing.
    package var waiting: @Sendable () async throws -> JobWaiting?
    /// One run.
    ///
    /// Its writes check the fence of its context.
    package var run: @Sendable (JobContext) async throws -> JobReport

    /// Makes a job; without `hasWork` each due run is made.
    package init(
        name: String, summary: String, schedule: JobSchedule, goesByTimeOfDay: Bool = false,
        preview: @escaping @Sendable () async throws -> JobPreview,
        hasWork: @escaping @Sendable () async throws -> Bool = { true },
        waiting: @escaping @Sendable () async throws -> JobWaiting? = { nil },
        run: @escaping @Sendable (JobContext) async throws -> JobReport
    ) {
        self.name = name
        self.summary = summary
        self.schedule = schedule
        self.goesByTimeOfDay = goesByTimeOfDay
        self.preview = preview
        self.hasWork = hasWork
        self.waiting = waiting
        self.run = run
    }
}

extension JobDefinition {
    /// The job of a name.
    ///
    /// - Throws: `not_found`, with the names that there are.
    package static func named(_ name: String, in definitions: [JobDefinition]) throws(Failure)
        -> JobDefinition
    {
        guard let definition = definitions.first(where: { $0.name == name }) else {
            let known = definitions.map(\.name).joined(separator: ", ")
            throw Failure(.notFound, "There is no job \(name); known are \(known).")
        }
        return definition
    }
}

/// What a job will have to do later.
package struct JobWaiting: Hashable, Sendable {
    /// How much of what, such as `2 unpaid orders`.
    package var what: String
    /// When the first of it is due.
    package var nextAt: Timestamp

    /// Makes a notice.
    package init(what: String, nextAt: Timestamp) {
        self.what = what
        self.nextAt = nextAt
    }
}

/// What a run has at hand.
package struct JobContext: Sendable {
    /// The fencing number its writes check.
    package let fence: JobFence
    /// The run.
    package let run: JobRunID
    /// Whether somebody asked for the run now, rather than its schedule.
    package let isByHand: Bool
    private let ports: Ports

    init(fence: JobFence, run: JobRunID, isByHand: Bool, ports: Ports) {
        self.fence = fence
        self.run = run
        self.isByHand = isByHand
        self.ports = ports
    }

    /// Keeps what happened to one item.
    package func record(_ reference: String, _ result: String, detail: String = "") async throws {
        let item = JobItem(
            run: run, reference: reference, result: result, detail: detail, at: ports.clock.now())
        try await ports.store.write { [fence] tx in
            try fence.check(tx)
            try tx.jobs.insert(item)
        }
    }
}
