internal import TollgateKernel

/// The number of this process's last batch, written inside each batch: after a failed COMMIT it
/// tells whether the batch was kept.
///
/// One row for each opening of a store, so the table does not grow with the writes. It tells of its
/// last batch's moment, by which rows of openings that are long gone are known and removed.
struct WriteAttempts: Sendable {
    /// A random number for this opening.
    let writer: Int64
    /// Tells when a batch is written.
    let clock: any WallClock

    /// Writes the number of the batch that is about to commit.
    func record(_ number: Int64, on connection: SQLiteConnection) throws(StoreError) {
        try connection.run(Text.record, writer, number, clock.now().milliseconds)
    }

    /// The number of the last batch that was kept, 0 for none; proven by a commit of its own.
    func probe(on connection: SQLiteConnection) throws(StoreError) -> Int64 {
        try connection.execute("BEGIN IMMEDIATE")
        do throws(StoreError) {
            let last = try connection.first(Text.last, writer) { $0.integer(0) } ?? 0
            try connection.run(Text.record, writer, last, clock.now().milliseconds)
            // A row that is overwritten with its own bytes dirties no page, and a commit without
            // pages syncs nothing: it would prove nothing.
            try connection.run(Text.touch, writer)
            try connection.execute("COMMIT")
            return last
        } catch {
            if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
            throw error
        }
    }

    /// Proves the disk: writes the log again, copies all of it into the database, syncs it there,
    /// and begins the log anew.
    ///
    /// The log comes first: were the power cut while the database has pages of a commit that the
    /// log on the disk lacks, older pages from that log would be mixed in with them.
    ///
    /// - Throws: also if a reader or another process is in the way for longer than the engine
    ///   waits.
    func emptyLog(on connection: SQLiteConnection) throws(StoreError) {
        // Short: the caller tries again, and nobody may wait for its answer for long.
        try connection.execute("PRAGMA busy_timeout = \(Limits.storeEmptyLogMilliseconds)")
        // A connection knows its log once it has read.
        _ = try connection.first(Text.last, writer) { $0.integer(0) }
        try connection.rewriteLog()
        let isBusy = try connection.first(Text.checkpoint) { $0.integer(0) != 0 } ?? true
        try connection.execute("PRAGMA busy_timeout = \(Limits.storeBusyMilliseconds)")
        guard !isBusy else {
            throw .engine("the log cannot be emptied while somebody reads from it")
        }
    }

    /// Copies the log into the database and begins it anew, if its readers end within
    /// ``Limits/walWaitMilliseconds``.
    ///
    /// The checkpoint that follows a commit never waits, so readers that overlap without a gap
    /// could keep the log for ever; while this one waits, whoever begins to read needs no log.
    func shortenLog(on connection: SQLiteConnection) throws(StoreError) {
        try connection.execute("PRAGMA busy_timeout = \(Limits.walWaitMilliseconds)")
        let result: Result<Bool?, StoreError>
        do throws(StoreError) {
            result = .success(try connection.first(Text.checkpoint) { $0.integer(0) != 0 })
        } catch {
            result = .failure(error)
        }
        try connection.execute("PRAGMA busy_timeout = \(Limits.storeBusyMilliseconds)")
        _ = try result.get()
    }

    /// Forgets openings that are long gone.
    func removeOld(on connection: SQLiteConnection) throws(StoreError) {
        let age = Limits.writeAttemptMemoryMilliseconds
        try connection.run(Text.removeOld, clock.now().milliseconds - age, writer)
    }

    private enum Text {
        static let record = SQL(
            """
            INSERT INTO write_attempts (writer, batch, opened_at) VALUES ($1, $2, $3)
            ON CONFLICT (writer) DO UPDATE
                SET batch = excluded.batch, opened_at = excluded.opened_at
            """)
        static let touch = SQL(
            "UPDATE write_attempts SET opened_at = opened_at + 1 WHERE writer = $1")
        static let checkpoint = SQL("PRAGMA wal_checkpoint(TRUNCATE)")
        static let last = SQL("SELECT batch FROM write_attempts WHERE writer = $1")
        static let removeOld = SQL(
            "DELETE FROM write_attempts WHERE opened_at < $1 AND writer <> $2")
    }
}
