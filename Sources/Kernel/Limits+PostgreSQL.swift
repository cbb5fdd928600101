extension Limits {
    /// Connections that write: each is a process of the server, which syncs for all that commit
    /// together; more than twice a usual server's cores only meet one another's rows.
    package static let storeWriterConnections = 16

    /// Connections that read, on the primary and on a replica each.
    package static let storeReaderConnections = 4

    /// How long connecting to one address may take: libpq's least is two.
    package static let storeConnectSeconds = 5

    /// How long a statement may run: closures take a millisecond, an audit of a large store reads
    /// for a minute.
    package static let storeStatementMilliseconds: Int64 = 120_000

    /// How long a statement waits for another transaction's lock: far longer than any of ours
    /// takes, so only a session of somebody else is given up on.
    package static let storeLockMilliseconds: Int64 = 5_000

    /// How long the server keeps a transaction whose client says nothing: a client that died with
    /// its machine holds its rows no longer.
    package static let storeIdleTransactionMilliseconds: Int64 = 10_000

    /// How long an answer is waited for before the connection counts as lost: above the server's
    /// own limit, which comes first unless the server is frozen or gone.
    package static let storeAnswerMilliseconds: Int64 = 130_000

    /// The same while the schema is changed: an index on a large table takes its time.
    package static let storeMigrationMilliseconds: Int64 = 3_600_000

    /// How long work waits for a connection before it is refused: callers have given up by then.
    package static let storeQueueMilliseconds: Int64 = 10_000

    /// Attempts at one write while other transactions are in its way.
    ///
    /// From ``storeRacingAttempts`` on they take turns, so that each one soon races against few;
    /// who loses so often meets something that does not end.
    package static let storeAttempts = 40

    /// Attempts at once with everybody else, before a write takes its turn.
    package static let storeRacingAttempts = 3

    /// Attempts at a write that meets a key that is taken: the second sees who took it.
    package static let storeTakenKeyAttempts = 1

    /// The pause before the second attempt at most, in microseconds: a transaction's length.
    package static let storeRetryMicroseconds: UInt64 = 2_000

    /// The longest pause between attempts.
    package static let storeRetryMaximumMicroseconds: UInt64 = 50_000

    /// The pause after the first failure to connect; it doubles.
    package static let storeReconnectMilliseconds: Int64 = 50

    /// The longest pause between attempts to connect: how long after a server's return the service
    /// is back at most.
    package static let storeReconnectMaximumMilliseconds: Int64 = 1_000

    /// Attempts to find out what became of a COMMIT; pauses double from 20 ms to 2 s, so it takes
    /// about 30 s, as long as a failover.
    package static let storeSettleAttempts = 20
}
