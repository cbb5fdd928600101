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

/// Makes commits fail in tests; the store of a running system has none.
package struct CommitFault: Sendable {
    /// What happens to a COMMIT.
    package enum Kind: Hashable, Sendable {
        /// It fails and nothing is kept.
        case beforeCommit
        /// All is kept, but the answer is lost.
        case afterCommit
    }

    /// Asked for each COMMIT, counted from 1.
    package var kind: @Sendable (_ commit: Int64) -> Kind?
    /// Asked for each attempt to open the store again.
    package var refusesReopening: @Sendable () -> Bool

    /// Makes a fault.
    package init(
        kind: @escaping @Sendable (_ commit: Int64) -> Kind?,
        refusesReopening: @escaping @Sendable () -> Bool = { false }
    ) {
        self.kind = kind
        self.refusesReopening = refusesReopening
    }
}

/// One transaction with a savepoint for each write.
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
    func run(_ writes: [PendingWrite], number: Int64) -> BatchEnd {
        do throws(StoreError) {
            try connection.run(Text.begin)
        } catch {
            return .notBegun(error)
        }
        let changesBefore = connection.totalChanges
        do throws(StoreError) {
            let transaction = StoredTransaction(.sqlite(connection))
            for write in writes {
                try connection.run(Text.savepoint)
                let succeeded = write.apply(transaction)
                // A full disk or a read error makes SQLite undo the whole transaction, whatever the
                // closure made of it.
                guard !connection.isOutsideTransaction else {
                    throw .engine("the engine undid the batch")
                }
                if !succeeded { try connection.run(Text.rollbackToSavepoint) }
                try connection.run(Text.release)
                if succeeded { write.announceApplied() }
            }
            if connection.totalChanges != changesBefore {
                try attempts.record(number, on: connection)
            }
        } catch {
            if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
            return connection.isOutsideTransaction ? .undone(error) : .inDoubt(error)
        }
        return commit(number)
    }

    private func commit(_ number: Int64) -> BatchEnd {
        do throws(StoreError) {
            let kind = fault?.kind(number)
            if kind == .beforeCommit { throw .engine("planted before COMMIT") }
            try connection.run(Text.commit)
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
        static let rollbackToSavepoint = SQL("ROLLBACK TO item")
        static let savepoint = SQL("SAVEPOINT item")
    }
}

/// Sleeps on the calling thread, which must be the store's own.
func pause(milliseconds: UInt32) { usleep(milliseconds * 1_000) }
