internal import Accounts
internal import Application
internal import Dispatch
internal import GRDB
internal import Glibc
package import Operations
package import TollgateKernel

/// What can be done with a store's file beside a server, or without one.
package enum StoreFile {
    /// What a file holds, and whether it adds up.
    package struct Report: Sendable {
        /// Which kind of money it is for.
        package var realm: String
        /// The schema's version.
        package var schemaVersion: Int64
        /// When the store was made.
        package var madeAt: Timestamp
        /// The moment of its newest transfer; nil without any.
        package var newestTransferAt: Timestamp?
        /// Every checker's verdict.
        package var findings: [AuditFinding]
        /// The violations that are indexes and triggers which no migration made.
        package var foreign: [String]
        /// Sentences on what shares the file and was not judged, which speak neither for it nor
        /// against it.
        package var notes: [String]

        /// Whether no checker found anything.
        package var isClean: Bool { violationCount == 0 }
        /// Whether nothing was found but what somebody added: the file is a store to go on with.
        package var isRestorable: Bool { violationCount == Int64(foreign.count) }

        private var violationCount: Int64 { findings.reduce(0) { $0 + $1.violationCount } }
    }

    /// What restoring did.
    package struct Restored: Sendable {
        /// What the backup holds.
        package var report: Report
        /// Where the store that was there is kept; nil if there was none.
        package var replacedStore: String?
    }

    /// Copies the store of a folder into a new file, as it stands at one moment, while others go
    /// on reading and writing.
    ///
    /// The file appears under its name only when it is whole and synced.
    ///
    /// - Parameter act: What is written into the operators' log first, so that the copy has it too.
    ///   A store that takes no row, because its disk is full, is copied all the same.
    /// - Returns: Why the act was not written; nil if it was, or if there is none.
    /// - Throws: `conflict` if the file exists; `unavailable` if it cannot be written, or if so
    ///   much was written meanwhile that the log outgrew its bound.
    @discardableResult
    package static func backup(
        folder: String, to path: String, act: AdminAct? = nil, logBounds: LogBounds = LogBounds()
    ) async throws -> String? {
        try checkIsNew(path)
        let untold = await note(act, inStoreOf: folder)
        try await copy(folder: folder, to: path, logBounds: logBounds)
        return untold
    }

    private static func checkIsNew(_ path: String) throws {
        guard access(path, F_OK) != 0 else {
            throw Failure(.conflict, "\(path) exists already; name a new file.")
        }
    }

    /// Writes an act into the log of a folder's store, beside its server; why not, if it could not.
    private static func note(_ act: AdminAct?, inStoreOf folder: String) async -> String? {
        guard let act else { return nil }
        // What cannot be read is told by the copying, in its words.
        let realm = try? await apart {
            try read(StoreFolder(path: folder).database) { connection in
                try Migrator(migrations: Schema.migrations, dialect: .sqlite)
                    .realm(.sqlite(connection))
            }
        }
        guard let realm = realm ?? nil else { return "the store does not say its realm" }
        do {
            let store = try await SQLiteStore.open(
                folder: folder, realm: realm, role: .jobs, schemaWaitMilliseconds: 0)
            do {
                try await store.write { tx in try tx.adminLog.insert(act) }
            } catch {
                await store.close()
                throw error
            }
            await store.close()
            return nil
        } catch let failure as Failure {
            return failure.message
        } catch {
            return "\(error)"
        }
    }

    private static func copy(
        folder: String, to path: String, logBounds: LogBounds
    ) async throws {
        try await apart {
            let source = StoreFolder(path: folder).database
            try checkIsNew(path)
            let partial = "\(path).partial"
            unlink(partial)
            defer { unlink(partial) }
            // Made here, for its owner only: the engine would make it readable for everybody.
            let file = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw unwritable(path) }
            defer { Glibc.close(file) }
            // VACUUM is one moment by itself, and refuses to run inside another.
            _ = try read(source, isOneMoment: false, logBounds) { connection in
                try connection.run(Text.copy, partial)
            }
            guard fsync(file) == 0, link(partial, path) == 0, syncFolder(of: path) else {
                throw unwritable(path)
            }
        }
    }

    /// Audits a store's file from end to end: schema, books, hash chains, pages.
    ///
    /// - Throws: ``StoreRefusal`` if it is no store of this version; `unavailable` if it is none at
    ///   all, or in use and so much was written meanwhile that its log outgrew its bound.
    package static func verify(
        _ path: String, logBounds: LogBounds = LogBounds()
    ) async throws -> Report {
        try await apart {
            guard access(path, R_OK) == 0 else {
                throw Failure(.notFound, "There is no file \(path) that can be read.")
            }
            return try read(path, logBounds) { connection in try report(connection, of: path) }
        }
    }

    /// Puts a backup in the place of a folder's store; a store that is there is kept beside it.
    ///
    /// The backup is verified first; an index or a trigger that somebody added keeps it from
    /// nothing. An incident in the restored store says from when it is: what
    /// was acknowledged later is not in it. What fails leaves nothing new behind.
    ///
    /// - Parameters:
    ///   - replaces: Whether a store that is there may be put aside.
    ///   - act: What is written into the restored store's log of operators.
    /// - Throws: `conflict` if the store is in use, is there and may not be replaced, or is of
    ///   another realm, or if the backup does not add up.
    package static func restore(
        _ backup: String, into folder: String, replaces: Bool, act: AdminAct? = nil, now: Timestamp
    ) async throws -> Restored {
        let report = try await verify(backup)
        guard report.isRestorable else {
            throw Failure(.conflict, "\(backup) does not add up; verify it to see why.")
        }
        return try await apart {
            guard access("\(backup)-wal", F_OK) != 0 else {
                throw Failure(.conflict, "\(backup) has a log beside it, so it is no backup.")
            }
            let places = StoreFolder(path: folder)
            try checkRoom(for: places, replaces: replaces)
            let isNew = mkdir(folder, 0o700) == 0
            guard isNew || errno == EEXIST else { throw unwritable(folder) }
            let lock = try FileLock(path: places.serve)
            guard lock.tryLock() else {
                throw Failure(.conflict, "A server runs on \(folder); stop it first.")
            }
            defer { lock.unlock() }
            var isRestored = false
            defer {
                // Under the lock: a server that found the folder meanwhile has it instead.
                if isNew, !isRestored {
                    unlink(places.serve)
                    rmdir(folder)
                }
            }
            // A server may have been here and gone in between.
            try checkRoom(for: places, replaces: replaces)
            let incoming = "\(places.database).restoring"
            try copy(backup, to: incoming)
            defer { unlink(incoming) }
            try stamp(incoming, report, act, now)
            var aside: String?
            if access(places.database, F_OK) == 0 {
                aside = try putAside(places.database, realm: report.realm, now)
            }
            // One rename puts the backup in place: whatever happens before or after, there is a
            // store. The mark goes last; if it stays, the next start refuses the older store.
            guard rename(incoming, places.database) == 0, syncFolder(of: places.database) else {
                throw unwritable(places.database)
            }
            unlink(places.mark)
            isRestored = true
            return Restored(report: report, replacedStore: aside)
        }
    }

    private static func checkRoom(for places: StoreFolder, replaces: Bool) throws {
        guard replaces || access(places.database, F_OK) != 0 else {
            throw Failure(
                .conflict,
                "\(places.database) exists; --replace puts it aside, beside the restored one.")
        }
    }

    private static func report(_ connection: SQLiteConnection, of path: String) throws -> Report {
        guard try connection.first(Text.tables, decode: { $0.integer(0) }) == 2 else {
            throw noStore(path)
        }
        let migrator = Migrator(migrations: Schema.migrations, dialect: .sqlite)
        let version = try migrator.verifiedVersion(.sqlite(connection))
        guard version == migrator.knownVersion, let realm = try migrator.realm(.sqlite(connection))
        else {
            throw StoreRefusal.schemaNotReady(stored: version, known: migrator.knownVersion)
        }
        let transaction = StoredTransaction(.sqlite(connection))
        let made = try connection.first(Text.madeAt) { Int64($0.text(0)) ?? 0 }
        let newest = try connection.first(Text.newest) { $0.optionalInteger(0) }
        let catalogue = SQLiteCatalogue(connection: connection)
        return Report(
            realm: realm.rawValue, schemaVersion: version,
            madeAt: Timestamp(milliseconds: made ?? 0),
            newestTransferAt: (newest ?? nil).map(Timestamp.init(milliseconds:)),
            findings: try transaction.operations.audit(),
            foreign: try catalogue.foreign(),
            notes: try catalogue.foreignTables().map {
                "the table \($0) is not the store's, and what it points at was not looked at"
            })
    }

    private static func stamp(
        _ path: String, _ report: Report, _ act: AdminAct?, _ now: Timestamp
    ) throws {
        let connection = try WriterConnection(path: path)
        defer { connection.close() }
        let from = report.newestTransferAt?.milliseconds ?? report.madeAt.milliseconds
        try connection.use { used throws(StoreError) in
            if let act { try StoredAdminLog(connection: .sqlite(used)).insert(act) }
            _ = try StoredOperations(connection: .sqlite(used)).insert(
                Incident(
                    key: "store_restored:\(now.milliseconds)", kind: .storeRestored,
                    reference: "store",
                    summary: "The store was restored from a backup whose newest transfer is of "
                        + "\(from) ms; compare later payments with WeChat Pay.", at: now))
        }
    }

    private static func putAside(
        _ path: String, realm: String, _ now: Timestamp
    ) throws -> String {
        try leaveLog(of: path, realm: realm)
        let aside = "\(path).replaced-\(now.milliseconds)"
        guard link(path, aside) == 0 else { throw unwritable(aside) }
        // A log that could not be moved into its file goes with it: it may hold the newest
        // payments, and would be played into the backup.
        for log in ["-wal", "-shm"] where access(path + log, F_OK) == 0 {
            guard rename(path + log, aside + log) == 0 else { throw unwritable(aside + log) }
        }
        guard syncFolder(of: path) else { throw unwritable(aside) }
        return aside
    }

    /// Moves the log into the database for good, which only its last user can do.
    private static func leaveLog(of path: String, realm: String) throws {
        let connection: WriterConnection
        do {
            connection = try WriterConnection(path: path)
        } catch {
            return  // A file that cannot be opened is put aside as it is.
        }
        defer { connection.close() }
        let (stored, mode) = try connection.use { used throws(StoreError) in
            try used.execute("PRAGMA busy_timeout = \(Limits.storeEmptyLogMilliseconds)")
            return (
                // A store too damaged to tell is put aside as it is.
                try? used.first(Text.realm) { $0.text(0) },
                try? used.first(Text.leaveLog) { $0.text(0) }
            )
        }
        guard (stored ?? nil) == nil || stored == realm else {
            throw Failure(.conflict, "The backup is for \(realm) money, the store for another.")
        }
        guard mode == "delete" else {
            throw Failure(.conflict, "Another process uses \(path); stop the jobs as well.")
        }
    }

    private static func read<Value>(
        _ path: String, isOneMoment: Bool = true, _ logBounds: LogBounds = LogBounds(),
        _ body: (SQLiteConnection) throws -> Value
    ) throws -> Value {
        // What is no file might be waited for without end, as a pipe is.
        var facts = stat()
        guard stat(path, &facts) != 0 || facts.st_mode & S_IFMT == S_IFREG else {
            throw noStore(path)
        }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(Double(Limits.storeBusyMilliseconds) / 1_000)
        let queue: DatabaseQueue
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            throw unreadable(path, error)
        }
        defer { try? queue.close() }
        do {
            return try queue.unsafeRead { database in
                let connection = try SQLiteConnection(database)
                defer { connection.forgetStatements() }
                // Beside a server that writes, every statement has to see the same moment.
                if isOneMoment { try connection.execute("BEGIN") }
                defer { if isOneMoment { try? connection.execute("ROLLBACK") } }
                return try ReadGuard.over(database, at: path, logBounds) { _ in
                    try body(connection)
                }
            }
        } catch let error as StoreError {
            throw unreadable(path, error)
        } catch let error as DatabaseError {
            throw unreadable(path, error)
        }
    }

    private static func noStore(_ path: String) -> Failure {
        Failure(.unavailable, "\(path) is not a Tollgate store.")
    }

    /// What people are told in the place of the engine's own words.
    private static func unreadable(_ path: String, _ error: any Error) -> Failure {
        switch error {
        case StoreError.corrupt("file is not a database"): return noStore(path)
        case let error as DatabaseError where error.resultCode == .SQLITE_NOTADB:
            return noStore(path)
        case StoreError.corrupt("database disk image is malformed"): break
        case let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT: break
        case let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN:
            return Failure(.unavailable, "\(path) cannot be opened; is it a file?")
        default: return Failure(.unavailable, "\(path) cannot be read: \(error).")
        }
        return Failure(.unavailable, "\(path) is damaged: a part of it cannot be read.")
    }

    private static func copy(_ path: String, to copy: String) throws {
        unlink(copy)
        let source = open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw Failure(.notFound, "\(path) cannot be read.") }
        defer { Glibc.close(source) }
        let target = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw unwritable(copy) }
        defer { Glibc.close(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(source, &buffer, buffer.count)
            guard count > 0 else {
                guard count == 0, fsync(target) == 0 else { throw unwritable(copy) }
                return
            }
            guard write(target, buffer, count) == count else { throw unwritable(copy) }
        }
    }

    private static func unwritable(_ path: String) -> Failure {
        Failure(.unavailable, "\(path) cannot be written: \(String(cString: strerror(errno))).")
    }

    /// Files and audits take their time: not on the cooperative pool.
    private static func apart<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "tollgate.store.file").async {
                continuation.resume(with: Result { try body() })
            }
        }
    }

    private enum Text {
        static let copy = SQL("VACUUM INTO $1")
        /// Both are of every store, and both together of nothing else.
        static let tables = SQL(
            """
            SELECT COUNT(*) FROM sqlite_master WHERE name IN ('schema_migrations', 'store_meta')
            """)
        static let madeAt = SQL("SELECT content FROM store_meta WHERE name = 'made_at'")
        static let realm = SQL("SELECT content FROM store_meta WHERE name = 'realm'")
        static let newest = SQL("SELECT occurred_at FROM transfers ORDER BY id DESC LIMIT 1")
        static let leaveLog = SQL("PRAGMA journal_mode = DELETE")
    }
}

/// Syncs the folder a file stands in, so that its name survives a power cut too.
func syncFolder(of path: String) -> Bool {
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let folder = open(parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return false }
    defer { close(folder) }
    return fsync(folder) == 0
}
