extension Limits {
    /// How often a benchmark looks whether a server listens, in milliseconds: once a start.
    package static let benchPollMilliseconds: Int64 = 10

    /// How long a benchmark waits for a program to say where it listens, in milliseconds: a store
    /// is made and migrated in a fraction of it, and a wait without end would look like a
    /// measurement.
    package static let benchStartMilliseconds: Int64 = 30_000

    /// Chats that a benchmark puts into one write while it makes a long history: enough that syncs
    /// cost nothing, few enough that the log stays small.
    package static let benchChatsPerWrite = 10_000

    /// Transfers of the store that `bench audit` makes: 2 × 10^7 take some gigabytes and a quarter
    /// of an hour.
    package static let benchTransfers = 20_000_000

    /// How long each series warms up, in seconds: connections, caches and the allocator's pools are
    /// there after a fraction of it.
    package static let benchWarmUpSeconds = 0.3

    /// The most rounds of a benchmark: more say nothing new.
    package static let benchRounds = 101

    /// Calls over which a benchmark counts allocations, at least: what opening a connection takes
    /// is then lost in the second digit behind the point.
    package static let benchCountedCalls = 100_000

    /// How long a benchmark keeps stacks of allocations, in seconds: some ten thousand of them.
    package static let benchStackSeconds = 1.0

    /// The longest round of a benchmark, in seconds: lists of latencies grow with it.
    package static let benchRoundSeconds = 60.0

    /// Holds that a round on a store makes at most: the recording that the peer replays has as
    /// many, about 1 KiB each in memory.
    package static let benchHolds = 20_000

    /// Callers of large attachments at most, ours and the peer's alike: at 16 MiB each they hold a
    /// GiB in flight, and one connection's budget of bytes ends sooner.
    package static let benchBulkCallers = 64

    /// How long an echo of the benchmarks may take, in milliseconds: the largest attachment takes
    /// some hundredths of a second.
    package static let benchCallMilliseconds: Int64 = 10_000

    /// Accounts that holds are spread over: enough that neighbours in a batch seldom meet.
    package static let benchAccounts = 1_024

    /// The largest page of metrics that a benchmark reads, in bytes: a server's is about 60 KiB.
    package static let benchPageBytes = 4 * 1_048_576

    /// The most branches of pgbench's bank, 15 MiB each: as many as the most callers by default, so
    /// that every two clients may write different ones, as pgbench itself advises.
    package static let benchPgbenchScale = 256

    /// Connections that a benchmark's PostgreSQL takes beyond its callers: our store's readers and
    /// writers, psql, and what the server keeps for itself.
    package static let benchSpareConnections = 50

    /// Credits that each caller of a benchmark has: no number of rounds uses them up.
    package static let benchCredits: Int64 = 10_000_000

    /// How long a program that is stopped may take to end before it is killed, in milliseconds: a
    /// server's drain of calls that nobody makes any more.
    package static let benchStopMilliseconds = 10_000

    /// The most callers of a load on running servers: each is an account and a task.
    package static let benchLoadCallers = 1_000

    /// Customers that are made in one write: as many rows as a job may write at once.
    package static let benchCustomersPerWrite = 20

    /// The longest load on running servers, in seconds: its record grows with it.
    package static let benchLoadSeconds = 3_600.0

    /// How long a caller of a load waits after a chat that failed, in milliseconds: long enough
    /// not to burn the processors of a service that is down, short enough to see it return.
    package static let benchLoadPauseMilliseconds: Int64 = 100

    /// How long a chat of a load may take, in milliseconds: longer than a server tries to find out
    /// what became of a COMMIT.
    package static let benchLoadCallMilliseconds: Int64 = 60_000
}
