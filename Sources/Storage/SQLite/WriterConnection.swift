internal import GRDB
internal import Glibc
internal import TollgateKernel

/// The one connection of this process that writes.
final class WriterConnection {
    private let queue: DatabaseQueue
    private let connection: SQLiteConnection

    /// Opens (and makes) the database with full durability, or refuses.
    ///
    /// GRDB puts a database in WAL mode on `synchronous=NORMAL`, which may lose the last commits
    /// when the power goes: so it is set here, after opening, and read back.
    init(path: String) throws(StoreError) {
        var configuration = Configuration()
        configuration.label = "tollgate.store.writer"
        configuration.journalMode = .wal
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(Double(Limits.storeBusyMilliseconds) / 1_000)
        configuration.allowsUnsafeTransactions = true
        // Made here, for its owner only: the engine would make it readable for everybody, and its
        // log takes the file's own mode. One that is there is not opened: to close it would take
        // the locks from under this process's other connections.
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 { Glibc.close(file) }
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            self.queue = queue
            connection = try queue.writeWithoutTransaction { try SQLiteConnection($0) }
        } catch {
            throw .engine("cannot open the store: \(error)")
        }
        try use { connection throws(StoreError) in try Self.configure(connection) }
    }

    private static func configure(_ connection: SQLiteConnection) throws(StoreError) {
        try connection.execute(
            """
            PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = \(Limits.walPages);
            PRAGMA journal_size_limit = \(Limits.walFileBytes);
            PRAGMA cache_size = -\(Limits.writerCacheKibibytes);
            PRAGMA temp_store = MEMORY;
            """)
        let settings = [
            try pragma(connection, Text.synchronous), try pragma(connection, Text.foreignKeys),
        ]
        guard settings == [2, 1] else {
            throw .engine("SQLite refuses synchronous=FULL or foreign_keys=ON: \(settings)")
        }
    }

    private static func pragma(
        _ connection: SQLiteConnection, _ text: SQL
    ) throws(StoreError) -> Int64? {
        try connection.first(text) { $0.integer(0) }
    }

    /// Gives the connection to a closure; not reentrant.
    func use<Value>(
        _ body: (SQLiteConnection) throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        // GRDB rethrows untyped: the result carries the type across.
        let result = queue.writeWithoutTransaction { _ -> Result<Value, StoreError> in
            do throws(StoreError) {
                return .success(try body(connection))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Ends, from any thread, the statement that runs.
    var interruption: Interruption { Interruption(queue) }

    /// Whether each commit also moves what it can of the log: with a large log that would be a long
    /// commit.
    func copiesWithCommits(_ copies: Bool) throws(StoreError) {
        try use { connection throws(StoreError) in
            try connection.execute("PRAGMA wal_autocheckpoint = \(copies ? Limits.walPages : 0)")
        }
    }

    /// Closes the connection; what it had open is undone.
    func close() {
        queue.writeWithoutTransaction { _ in
            if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
            connection.forgetStatements()
        }
        // A connection that cannot be closed is abandoned: it holds no lock outside a transaction.
        try? queue.close()
    }

    private enum Text {
        static let synchronous = SQL("PRAGMA synchronous")
        static let foreignKeys = SQL("PRAGMA foreign_keys")
    }
}

/// Ends what a connection does, from any thread.
struct Interruption: Sendable {
    private let queue: DatabaseQueue

    init(_ queue: DatabaseQueue) { self.queue = queue }

    /// Ends the statement that runs; none if none does.
    func interrupt() { queue.interrupt() }
}
