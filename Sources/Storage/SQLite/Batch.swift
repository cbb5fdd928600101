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
///
/// What arrives while it runs joins it as long as there is room, for one sync more costs more than
/// a closure more does: callers that were answered by the last batch and ask again would otherwise
/// be cut into two batches that take turns.
struct Batch {
    private let connection: SQLiteConnection
    private let attempts: WriteAttempts
    private let fault: CommitFault?
    private let joining: (_ atMost: Int) -> [PendingWrite]

    /// Every write that runs in it, in the order they run; more than it began with once some join.
    private(set) var writes: [PendingWrite]
    /// Whether a closure without a savepoint failed halfway, so that all ran again with one.
    private(set) var hasFailedHalfway = false

    /// A batch that begins with `writes`.
    ///
    /// - Parameter joining: Takes what has arrived meanwhile; so many at most.
    init(
        _ connection: SQLiteConnection, _ attempts: WriteAttempts, _ fault: CommitFault?,
        writes: [PendingWrite], joining: @escaping (_ atMost: Int) -> [PendingWrite]
    ) {
        self.connection = connection
        self.attempts = attempts
        self.fault = fault
        self.writes = writes
        self.joining = joining
    }

    /// Runs the writes; their outcomes stay with them until they are settled.
    ///
    /// - Parameter isSetApart: Whether each closure gets a savepoint and fails alone; none joins
    ///   then.
    mutating func run(number: Int64, isSetApart: Bool) -> BatchEnd {
        do throws(StoreError) {
            try connection.run(Text.begin)
        } catch {
            return .notBegun(error)
        }
        fault?.reached(.begun)
        do throws(StoreError) {
            let transaction = StoredTransaction(.sqlite(connection))
            var changesBefore = connection.totalChanges
            if isSetApart {
                try applyApart(transaction)
            } else if try !applyTogether(transaction) {
                hasFailedHalfway = true
                try connection.run(Text.rollback)
                try connection.run(Text.begin)
                changesBefore = connection.totalChanges
                try applyApart(transaction)
            }
            // Not before all have run: what was announced is not undone by a neighbour.
            for write in writes { write.announceApplied() }
            fault?.reached(.announced)
            if connection.totalChanges != changesBefore {
                try attempts.record(number, on: connection)
            }
        } catch {
            if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
            return connection.isOutsideTransaction ? .undone(error) : .inDoubt(error)
        }
        return commit(number)
    }

    /// Runs the closures; false, with the rest not run, once one failed that had changed rows.
    private mutating func applyTogether(
        _ transaction: StoredTransaction
    ) throws(StoreError) -> Bool {
        var next = 0
        while next < writes.count {
            let changesBefore = connection.totalChanges
            let succeeded = writes[next].apply(transaction)
            fault?.reached(.applied)
            try checkInsideTransaction()
            guard succeeded || connection.totalChanges == changesBefore else { return false }
            next += 1
            if next == writes.count, next < Limits.writesInOneBatch {
                writes += joining(Limits.writesInOneBatch - next)
            }
        }
        return true
    }

    /// Runs each closure and undoes what it changed if it failed.
    private func applyApart(_ transaction: StoredTransaction) throws(StoreError) {
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
