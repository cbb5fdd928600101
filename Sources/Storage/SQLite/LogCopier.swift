internal import Dispatch
internal import Synchronization
internal import TollgateKernel

/// Copies a large log into the database on a thread and a connection of its own, while others
/// write: what a long read has kept for minutes takes seconds to copy, and nobody waits for them.
///
/// Only the log's last pages are left to whoever begins it anew, which needs the writers' turn.
final class LogCopier: Sendable {
    /// What came of it.
    enum Outcome: Hashable, Sendable {
        /// All but what was written meanwhile is in the database.
        case copied
        /// Somebody reads from the log, so that not all of it may be copied.
        case kept
        /// The engine refused.
        case failed(String)
    }

    private let database: String
    private let queue = DispatchQueue(label: "tollgate.store.copier")
    private let isBusy = Mutex(false)
    private let live = Mutex<Interruption?>(nil)

    init(_ database: String) { self.database = database }

    /// Begins to copy, unless that is under way; tells the outcome on the copier's own thread.
    func begin(_ tell: @escaping @Sendable (Outcome) -> Void) {
        let isNew = isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isNew else { return }
        queue.async {
            let outcome = self.copy()
            self.isBusy.withLock { $0 = false }
            tell(outcome)
        }
    }

    /// Ends what is under way, and waits until it has.
    func stop() {
        live.withLock { $0?.interrupt() }
        queue.sync {}
    }

    private func copy() -> Outcome {
        do throws(StoreError) {
            let connection = try WriterConnection(path: database)
            let interruption = connection.interruption
            live.withLock { $0 = interruption }
            defer {
                live.withLock { $0 = nil }
                connection.close()
            }
            return try connection.use { used throws(StoreError) in try Self.copy(on: used) }
        } catch {
            return .failed("\(error)")
        }
    }

    /// Copies until a round had little to do: others append meanwhile.
    static func copy(on connection: SQLiteConnection) throws(StoreError) -> Outcome {
        var before: Int64 = 0
        for _ in 0..<Limits.walCopyRounds {
            let (frames, copied) =
                try connection.first(Text.copy) { ($0.integer(1), $0.integer(2)) } ?? (0, 0)
            guard frames - copied <= Int64(Limits.walPages) else { return .kept }
            if frames - before <= Int64(Limits.walPages) { return .copied }
            before = copied
        }
        return .copied
    }

    private enum Text {
        /// Waits for nobody and is in nobody's way; tells of the log's frames, and of those that
        /// are copied.
        static let copy = SQL("PRAGMA wal_checkpoint(PASSIVE)")
    }
}
