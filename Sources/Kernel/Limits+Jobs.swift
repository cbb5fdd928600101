extension Limits {
    /// How long a lease stands without a heartbeat before a challenger may take it: long enough for
    /// a stop-the-world of seconds, short enough that a crashed runner is replaced within a minute.
    package static let jobLeaseMilliseconds: Int64 = 20_000

    /// How often the scheduler looks for due jobs: jobs are due to the second, not to the moment.
    package static let jobTickMilliseconds: Int64 = 500

    /// The longest time between two runs of a job: what it ends or removes should not wait for more
    /// than a day.
    package static let jobIntervalSeconds: Int64 = 86_400

    /// How long a run asked for by hand waits for a lease that another process holds.
    package static let jobLeaseWaitMilliseconds: Int64 = 30_000

    /// How often a job does one thing whose rows changed meanwhile: what changes them is another
    /// writer's single change, so the second reading nearly always holds.
    package static let jobConflictAttempts = 3

    /// How long runs are kept.
    package static let jobHistoryMilliseconds: Int64 = 90 * 86_400_000

    /// Runs one transaction forgets at most: most have a handful of items, a few have hundreds.
    package static let jobRunsPerTransaction = 20

    /// Item rows one run writes at most; further items are counted only.
    package static let jobItemsKeptPerRun: Int64 = 1_000
}
