internal import Glibc
internal import TollgateKernel

/// How a batch came out of the engine.
enum BatchEnd {
    /// Synced.
    case committed
    /// It did not start: nothing was changed.
    case notBegun(StoreError)
    /// The engine undid all of it.
    case undone(StoreError)
    /// COMMIT failed: nobody knows yet.
    case inDoubt(StoreError)
}

/// One transaction of many writes.
///
/// A savepoint makes SQLite copy every page that a closure touches, in case it has to be undone:
/// that costs a quarter of a hold, and hardly a closure fails once it has changed something. So a
/// batch runs without; if one of its closures fails that had changed rows, the batch is undone,
/// before anybody has heard of it, and runs again with a savepoint each.
struct Batch {
    private let connection: SQLiteConnection
    private let attempts: WriteAttempts
    private let fault: CommitFault?

    init(_ connection: SQLiteConnection, _ attempts: WriteAttempts, _ fault: CommitFault?) {
        self.connection = connection
        self.attempts = attempts
        self.fault = fault
    }

    /// Runs the writes; their outcomes stay with them until they are settled.
    ///
    /// - Parameter isSetApart: Whether each closure gets a savepoint and fails alone.
    /// - Returns: How it ended, and whether a closure without a savepoint failed halfway, so that
    ///   all of them ran again with one.
    func run(
        _ writes: [PendingWrite], number: Int64, isSetApart: Bool
    ) -> (end: BatchEnd, hasFailedHalfway: Bool) {
        var hasFailedHalfway = false
        do throws(StoreError) {
            try connection.run(Text.begin)
        } catch {
            return (.notBegun(error), hasFailedHalfway)
        }
        fault?.reached(.begun)
        do throws(StoreError) {
            let transaction = StoredTransaction(.sqlite(connection))
            var changesBefore = connection.totalChanges
            if isSetApart {
                try applyApart(writes, transaction)
            } else if try !applyTogether(writes, transaction) {
                hasFailedHalfway = true
                try connection.run(Text.rollback)
                try connection.run(Text.begin)
                changesBefore = connection.totalChanges
                try applyApart(writes, transaction)
            }
            // Not before all have run: what was announced is not undone by a neighbour.
            for write in writes { write.announceApplied() }
            fault?.reached(.announced)
            if connection.totalChanges != changesBefore {
                try attempts.record(number, on: connection)
            }
        } catch {
            if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
            let isUndone = connection.isOutsideTransaction
            return (isUndone ? .undone(error) : .inDoubt(error), hasFailedHalfway)
        }
        return (commit(number), hasFailedHalfway)
    }

    /// Runs the closures; false, with the rest not run, once one failed that had changed rows.
    private func applyTogether(
        _ writes: [PendingWrite], _ transaction: StoredTransaction
    ) throws(StoreError) -> Bool {
        for write in writes {
            let changesBefore = connection.totalChanges
            let succeeded = write.apply(transaction)
            fault?.reached(.applied)
            try checkInsideTransaction()
            guard succeeded || connection.totalChanges == changesBefore else { return false }
        }
        return true
    }

    /// Runs each closure and undoes what it changed if it failed.
    private func applyApart(
        _ writes: [PendingWrite], _ transaction: StoredTransaction
    ) throws(StoreError) {
        for write in writes {
            try connection.run(Text.savepoint)
            let succeeded = write.apply(transaction)
            fault?.reached(.applied)
            try checkInsideTransaction()
            if !succeeded { try connection.run(Text.rollbackToSavepoint) }
            try connection.run(Text.release)
        }
    }

    /// A full disk or a read error makes SQLite undo the whole transaction, whatever the closure
    /// made of it.
    private func checkInsideTransaction() throws(StoreError) {
        guard !connection.isOutsideTransaction else {
            throw .engine("the engine undid the batch")
        }
    }

    private func commit(_ number: Int64) -> BatchEnd {
        do throws(StoreError) {
            let kind = fault?.kind(number)
            if kind == .beforeCommit { throw .engine("planted before COMMIT") }
            fault?.reached(.committing)
            try connection.run(Text.commit)
            fault?.reached(.committed)
            if kind == .afterCommit { throw .engine("planted after COMMIT") }
            return .committed
        } catch {
            return .inDoubt(error)
        }
    }

    private enum Text {
        static let begin = SQL("BEGIN IMMEDIATE")
        static let commit = SQL("COMMIT")
        static let release = SQL("RELEASE item")
        static let rollback = SQL("ROLLBACK")
        static let rollbackToSavepoint = SQL("ROLLBACK TO item")
        static let savepoint = SQL("SAVEPOINT item")
    }
}

/// Sleeps on the calling thread, which must be the store's own.
func pause(milliseconds: UInt32) { usleep(milliseconds * 1_000) }
