extension Limits {
    /// Writes in one transaction: a sync's cost is spread thin enough at 256, and the last of them
    /// still waits only a few milliseconds for the first.
    package static let writesInOneBatch = 256

    /// Batches that set their closures apart after one failed halfway: such failures come in rows,
    /// and a batch that runs twice must stay the exception.
    package static let batchesSetApart = 64

    /// Writes that wait for their batch: 16 batches, some 100 ms of a slow disk.
    ///
    /// More callers are refused at once instead of waiting longer than they care to.
    package static let pendingWrites = 4_096

    /// What a refused caller is told to wait: about what a full queue takes to drain.
    package static let pendingWritesRetryMilliseconds: Int64 = 200

    /// Connections for readers: more than the cores they share only adds page caches, but an audit
    /// keeps two of them for as long as it lasts.
    package static let storeReaders = 6

    /// How long a statement waits for SQLite's own lock.
    ///
    /// The turnstile keeps our processes out of each other's way, so only a foreign tool or a
    /// recovery after a crash is ever waited for.
    package static let storeBusyMilliseconds: Int32 = 5_000

    /// Pages in the write-ahead log before a commit moves them into the database: 16 MiB of 4 KiB,
    /// so that recovery after a crash stays well under a second.
    package static let walPages = 4_096

    /// Pages that the writing connection keeps: 16 MiB, so that the indexes a busy day adds to, at
    /// places nobody can foresee, are not read again with each batch.
    package static let writerCacheKibibytes = 16 * 1_024

    /// The log file is cut back to this when it was moved: a long reader may have let it grow.
    package static let walFileBytes = 64 * 1_024 * 1_024

    /// From this size of the log on, reads of ours that are older than ``walReadMilliseconds`` are
    /// ended and the store's health says what is in the way: 1 GiB, some minutes of a busy day, so
    /// that audits and backups are left in peace, and no reader fills a disk.
    package static let walCrowdedBytes: Int64 = 1_024 * 1_024 * 1_024

    /// How long any read may take, however far the log has grown: who keeps the log that large has
    /// been at it for longer, and all other reads end within milliseconds.
    package static let walReadMilliseconds: Int64 = 5_000

    /// Steps of SQLite's machine between two looks at a read's age: about a millisecond's work, so
    /// that a look, one system call, costs nothing beside it.
    package static let walReadSteps: Int32 = 100_000

    /// The pause between two attempts to empty a log that has outgrown ``walFileBytes``.
    ///
    /// An attempt waits for readers ``walWaitMilliseconds`` twice at most, 2 % of it. What it
    /// copies into the database is on top, and had to be copied at some time.
    package static let walPauseMilliseconds: Int64 = 5_000

    /// Rounds in which a large log is copied: each copies what was written during the one before,
    /// and a disk that does not gain on its writes in so many will not.
    package static let walCopyRounds = 4

    /// Long reads that have to be ended one after the other before the store's health tells of it:
    /// one may have met a busy hour.
    package static let longReadsEndedInARow = 2

    /// What an operator may set for ``walCrowdedBytes``, in MiB: above ``walFileBytes``, or no long
    /// read would ever end; at most a TiB, which no log should need.
    package static let walCrowdedMebibytes: ClosedRange<Int64> = 128...1_048_576

    /// How long one attempt waits for readers: most have ended by then, and those that have not
    /// would not end soon either.
    package static let walWaitMilliseconds: Int32 = 50

    /// Attempts to open the store again after a failed commit before its writers are told that the
    /// outcome is unknown; pauses double from 20 ms, so it takes about 1.3 s.
    package static let storeReopenAttempts = 7

    /// How long a process that may not migrate waits for another to do it.
    package static let schemaWaitMilliseconds: Int64 = 15_000

    /// How long a role that only reads the data folder waits for a server to fill it: as long as
    /// for the schema, since both come from the same start.
    package static let dataFolderWaitMilliseconds = schemaWaitMilliseconds

    /// How often it looks: nobody notices less, and a look costs one system call.
    package static let dataFolderLookMilliseconds: Int64 = 50

    /// Rows a repository returns at most, whatever it is asked for: a batch stays short, memory
    /// bounded.
    package static let rowsInOneAnswer = 100_000

    /// How often the server notes how far its store has come: what an older copy of the store could
    /// take back unnoticed after a crash is no longer than this, and a note costs one sync.
    package static let storeMarkMilliseconds: Int64 = 10_000

    /// What a caller is told to wait whose write found the store locked: another attempt waits for
    /// its turn by itself.
    package static let storeRetryMilliseconds: Int64 = 1_000

    /// How long emptying the log waits for readers in one attempt, after a commit failed.
    package static let storeEmptyLogMilliseconds: Int32 = 200

    /// How long a batch waits for its turn among the processes of one store: a hundred times what
    /// the longest batch of another takes, so who waits longer waits for a process that stands
    /// still.
    package static let storeTurnMilliseconds: Int64 = 5_000
}
