extension Limits {
    /// How often a benchmark looks whether a server listens, in milliseconds: once a start.
    package static let benchPollMilliseconds: Int64 = 10

    /// How long each series warms up, in seconds: connections, caches and the allocator's pools are
    /// there after a fraction of it.
    package static let benchWarmUpSeconds = 0.3

    /// The most rounds of a benchmark: more say nothing new.
    package static let benchRounds = 101

    /// The longest round of a benchmark, in seconds: lists of latencies grow with it.
    package static let benchRoundSeconds = 60.0

    /// Holds that a round on a store makes at most: the recording that the peer replays has as
    /// many, about 1 KiB each in memory.
    package static let benchHolds = 20_000

    /// Accounts that holds are spread over: enough that neighbours in a batch seldom meet.
    package static let benchAccounts = 1_024

    /// The largest page of metrics that a benchmark reads, in bytes: a server's is about 60 KiB.
    package static let benchPageBytes = 4 * 1_048_576

    /// Credits that each caller of a benchmark has: no number of rounds uses them up.
    package static let benchCredits: Int64 = 10_000_000

    /// How long a program that is stopped may take to end before it is killed, in milliseconds: a
    /// server's drain of calls that nobody makes any more.
    package static let benchStopMilliseconds = 10_000
}
