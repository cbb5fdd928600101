package import TollgateKernel

/// How a job stands: its schedule and its lease.
package struct JobRecord: Hashable, Sendable {
    /// The name, unique.
    package var name: String
    /// When it runs next.
    package var nextDueAt: Timestamp
    /// The fencing number of the last lease: every taking of the lease raises it.
    package var fencingToken: Int64
    /// Who holds the lease; empty is nobody.
    package var holder: String
    /// Raised by the holder while it works; a challenger watches it by its own clock.
    package var heartbeat: Int64

    /// Makes a value.
    package init(
        name: String, nextDueAt: Timestamp, fencingToken: Int64, holder: String, heartbeat: Int64
    ) {
        self.name = name
        self.nextDueAt = nextDueAt
        self.fencingToken = fencingToken
        self.holder = holder
        self.heartbeat = heartbeat
    }
}

/// One run of a job.
package struct JobRun: Hashable, Sendable {
    /// How a run stands.
    package enum State: String, Hashable, Sendable {
        case running
        case succeeded
        case failed
        /// It was given up: its program stopped, or its holder vanished and another took over.
        case abandoned
    }

    /// The run.
    package var id: JobRunID
    /// The job.
    package var job: String
    /// The lease it ran under.
    package var fencingToken: Int64
    /// How it stands.
    package var state: State
    /// When it began.
    package var startedAt: Timestamp
    /// When it ended.
    package var endedAt: Timestamp?
    /// Items done.
    package var itemsDone: Int64
    /// Items that failed.
    package var itemsFailed: Int64
    /// What happened, in a sentence.
    package var summary: String

    /// Makes a value.
    package init(
        id: JobRunID, job: String, fencingToken: Int64, state: State, startedAt: Timestamp,
        endedAt: Timestamp?, itemsDone: Int64, itemsFailed: Int64, summary: String
    ) {
        self.id = id
        self.job = job
        self.fencingToken = fencingToken
        self.state = state
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.itemsDone = itemsDone
        self.itemsFailed = itemsFailed
        self.summary = summary
    }
}

/// What happened to one item of a run.
package struct JobItem: Hashable, Sendable {
    /// The run.
    package var run: JobRunID
    /// What it was about, at most 64 bytes.
    package var reference: String
    /// What happened, in a word, such as `delivered` or `failed`.
    package var result: String
    /// A sentence, if there is more to say.
    package var detail: String
    /// When.
    package var at: Timestamp

    /// Makes a value.
    package init(
        run: JobRunID, reference: String, result: String, detail: String, at: Timestamp
    ) {
        self.run = run
        self.reference = reference
        self.result = result
        self.detail = detail
        self.at = at
    }
}

/// Stores schedules, leases, runs, items and checkpoints.
///
/// Every method runs inside one transaction.
package protocol JobRepository {
    /// Every job by name.
    func jobs() throws(StoreError) -> [JobRecord]

    /// The job with this name.
    func job(_ name: String) throws(StoreError) -> JobRecord?

    /// Adds a job if it is new; a known one stays as it is.
    func insertIfNew(_ job: JobRecord) throws(StoreError)

    /// Stores `new`, guarded by fencing number, holder and heartbeat of `old`: `conflict` if the
    /// lease moved on.
    func save(_ new: JobRecord, replacing old: JobRecord) throws(StoreError)

    /// Throws `conflict` unless the job's fencing number is still this one: every write of a run
    /// asks this first, in its own transaction.
    func checkFence(job: String, fencingToken: Int64) throws(StoreError)

    /// Adds a run.
    func insert(_ run: JobRun) throws(StoreError)

    /// Stores state, end, counts and summary of a run.
    func update(_ run: JobRun) throws(StoreError)

    /// Marks the job's runs still `running` under an older fencing number as `abandoned`.
    func abandonRuns(of job: String, olderThan fencingToken: Int64, at now: Timestamp)
        throws(StoreError)

    /// Runs, newest first; nil is every job's.
    func runs(of job: String?, limit: Int) throws(StoreError) -> [JobRun]

    /// Adds an item's result.
    func insert(_ item: JobItem) throws(StoreError)

    /// The items of a run, oldest first.
    func items(of run: JobRunID, limit: Int) throws(StoreError) -> [JobItem]

    /// A job's checkpoint; nil if it has none.
    func checkpoint(of job: String) throws(StoreError) -> Int64?

    /// Stores a job's checkpoint.
    func saveCheckpoint(_ value: Int64, of job: String) throws(StoreError)

    /// Removes runs, with their items, that ended before a moment; at most `limit` runs.
    func removeRuns(before moment: Timestamp, limit: Int) throws(StoreError) -> Int
}
