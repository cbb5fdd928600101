extension Limits {
    /// Connections that write: each is a process of the server, which syncs for all that commit
    /// together; more than twice a usual server's cores only meet one another's rows.
    package static let storeWriterConnections = 16

    /// Connections that read, on the primary and on a replica each; an audit keeps two of them
    /// for as long as it lasts.
    package static let storeReaderConnections = 6

    /// How long connecting to one address may take: libpq's least is two.
    package static let storeConnectSeconds = 5

    /// How long a statement may run: closures take a millisecond, an export of a long history some
    /// seconds.
    package static let storeStatementMilliseconds: Int64 = 120_000

    /// How long an audit may take in all: it reads every transfer, some hundred million of them in
    /// an hour; one that takes longer waits for something that does not come.
    package static let auditMilliseconds: Int64 = 3_600_000

    /// How often who waits for an audit's statement looks whether anybody still wants it: a stop
    /// waits no longer for it, and four looks a second cost nothing.
    package static let auditLookMilliseconds: Int64 = 250

    /// Requests to give up a statement that are under way at once: libpq bounds none of them, so a
    /// proxy that takes connections and says nothing keeps a thread for each.
    package static let storeCancelRequests = 4

    /// How often a store looks at the database's clock and standbys: clocks drift by milliseconds
    /// an hour, and a step is found before many holds are.
    package static let storeClockCheckMilliseconds: Int64 = 60_000

    /// How far this machine's clock may be from the database's before nothing is ended by time: a
    /// machine that keeps time by NTP is within a tenth of a second.
    package static let storeClockDoubtedMilliseconds: Int64 = 5_000

    /// How far it may be for a store to open: a minute is no drift, somebody set it wrong, and
    /// codes, sessions and orders made under it would be wrong for as long as they live.
    package static let storeClockRefusedMilliseconds: Int64 = 60_000

    /// How long a statement of a write may run, its COMMIT included: statements take a millisecond
    /// and a standby some more, so a COMMIT that waits longer waits for a standby that is gone.
    package static let storeWriteStatementMilliseconds: Int64 = 10_000

    /// How long an answer is waited for beyond what the server itself allows: a journey there and
    /// back on a busy machine.
    package static let storeAnswerMarginMilliseconds: Int64 = 3_000

    /// How long a write that meets others is tried again: callers have given up by then.
    package static let storeWriteMilliseconds: Int64 = 30_000

    /// How long a statement waits for another transaction's lock: far longer than any of ours
    /// takes, so only a session of somebody else is given up on.
    package static let storeLockMilliseconds: Int64 = 5_000

    /// How long the server keeps a transaction whose client says nothing: a client that died with
    /// its machine holds its rows no longer.
    package static let storeIdleTransactionMilliseconds: Int64 = 10_000

    /// How long a statement may run that changes the schema: an index on a large table takes its
    /// time.
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

    /// The pause before the second attempt at most, in microseconds: a transaction's length.
    package static let storeRetryMicroseconds: UInt64 = 2_000

    /// The longest pause between attempts.
    package static let storeRetryMaximumMicroseconds: UInt64 = 50_000

    /// The pause after the first failure to connect; it doubles.
    package static let storeReconnectMilliseconds: Int64 = 50

    /// The longest pause between attempts to connect: how long after a server's return the service
    /// is back at most.
    package static let storeReconnectMaximumMilliseconds: Int64 = 1_000

    /// How long it is tried to find out what became of a COMMIT: as long as a failover takes.
    ///
    /// No longer, because the connection's thread does nothing else meanwhile.
    package static let storeSettleMilliseconds: Int64 = 30_000

    /// How long a statement of one such try may run: some tries fit in.
    package static let storeProbeMilliseconds: Int64 = 3_000

    /// Attempts at one read that a replica's catching up undoes; then the primary is asked.
    package static let storeReadAttempts = 3
}
