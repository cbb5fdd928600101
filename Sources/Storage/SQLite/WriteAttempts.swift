internal import TollgateKernel

/// The number of this process's last batch, written inside each batch: after a failed COMMIT it
/// tells whether the batch was kept.
///
/// One row for each opening of a store, so the table does not grow with the writes.
struct WriteAttempts: Sendable {
    /// A random number for this opening.
    let writer: Int64
    /// When the store was opened.
    let openedAt: Timestamp

    /// Writes the number of the batch that is about to commit.
    func record(_ number: Int64, on connection: SQLiteConnection) throws(StoreError) {
        try connection.run(Text.record, writer, number, openedAt.milliseconds)
    }

    /// The number of the last batch that was kept, 0 for none; proven by a commit of its own.
    func probe(on connection: SQLiteConnection) throws(StoreError) -> Int64 {
        try connection.execute("BEGIN IMMEDIATE")
        do throws(StoreError) {
            let last = try connection.first(Text.last, writer) { $0.integer(0) } ?? 0
            try connection.run(Text.record, writer, last, openedAt.milliseconds)
            try connection.execute("COMMIT")
            return last
        } catch {
            if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
            throw error
        }
    }

    /// Copies the whole log into the database, syncs it there, and begins the log anew.
    ///
    /// - Throws: also if a reader or another process is in the way for longer than the engine
    ///   waits.
    func emptyLog(on connection: SQLiteConnection) throws(StoreError) {
        // Short: the caller tries again, and nobody may wait for its answer for long.
        try connection.execute("PRAGMA busy_timeout = \(Limits.storeEmptyLogMilliseconds)")
        let isBusy = try connection.first(Text.checkpoint) { $0.integer(0) != 0 } ?? true
        try connection.execute("PRAGMA busy_timeout = \(Limits.storeBusyMilliseconds)")
        guard !isBusy else {
            throw .engine("the log cannot be emptied while somebody reads from it")
        }
    }

    /// Forgets openings that are long gone.
    func removeOld(on connection: SQLiteConnection) throws(StoreError) {
        let age = Limits.writeAttemptDays * 86_400_000
        try connection.run(Text.removeOld, openedAt.milliseconds - age, writer)
    }

    private enum Text {
        static let record = SQL(
            """
            INSERT INTO write_attempts (writer, batch, opened_at) VALUES ($1, $2, $3)
            ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch
            """)
        static let checkpoint = SQL("PRAGMA wal_checkpoint(TRUNCATE)")
        static let last = SQL("SELECT batch FROM write_attempts WHERE writer = $1")
        static let removeOld = SQL(
            "DELETE FROM write_attempts WHERE opened_at < $1 AND writer <> $2")
    }
}
