internal import Application
internal import Dispatch
internal import Glibc
internal import Logging
internal import TollgateKernel

/// Opens a store step by step: locks, schema, realm, connections.
struct StoreOpening: Sendable {
    let folder: StoreFolder
    let realm: StoreRealm
    let role: StoreRole
    let clock: any WallClock
    let writerNumber: Int64
    let waitMilliseconds: Int64
    let logBounds: LogBounds
    let logger: Logger
    let migrator: Migrator

    /// What an open store is made of.
    struct Opened {
        var connection: WriterConnection
        var readers: SQLiteReaders
        var turnstile: Turnstile
        var serveLock: FileLock?
    }

    /// This opening's place in the table of batch numbers.
    var attempts: WriteAttempts { WriteAttempts(writer: writerNumber, clock: clock) }

    private var now: Timestamp { clock.now() }

    /// Opens, or says why not.
    ///
    /// - Throws: ``StoreRefusal``.
    func run() throws -> Opened {
        do {
            switch role {
            case .serve: return try openAsServer()
            case .jobs: return try openBesideServer()
            }
        } catch let error as StoreError {
            throw StoreRefusal.engine("\(error)")
        }
    }

    private func openAsServer() throws -> Opened {
        let lock = try FileLock(path: folder.serve)
        guard lock.tryLock() else { throw StoreRefusal.servedAlready(folder: folder.path) }
        let mark = StoreMark(in: folder)
        // Opening would make a new, empty store.
        guard mark == nil || access(folder.database, F_OK) == 0 else {
            throw StoreRefusal.rewound(folder: folder.path)
        }
        let turnstile = try Turnstile(folder: folder)
        let connection = try WriterConnection(path: folder.database)
        do {
            // Jobs of an older server may be writing: migrations wait for their turn too.
            let result: Result<Void, any Error> = try turnstile.pass {
                Result { try prepare(connection) }
            }
            try result.get()
            let standing = try connection.use { used throws(StoreError) in
                try StoreMark(of: used)
            }
            guard mark.map(standing.mayFollow) ?? true else {
                throw StoreRefusal.rewound(folder: folder.path)
            }
            standing.save(in: folder)
            let readers = try SQLiteReaders(path: folder.database, logBounds, logger)
            return Opened(
                connection: connection, readers: readers, turnstile: turnstile, serveLock: lock)
        } catch {
            connection.close()
            throw error
        }
    }

    private func prepare(_ connection: WriterConnection) throws {
        let result: Result<Void, any Error> = try connection.use { used in
            Result {
                try checkRealm(used)
                _ = try migrator.verifiedVersion(.sqlite(used))
                try migrator.prepare(.sqlite(used), realm: realm, now: now)
                try migrator.migrate(.sqlite(used), now: now)
                try attempts.removeOld(on: used)
            }
        }
        try result.get()
    }

    private func checkRealm(_ connection: SQLiteConnection) throws {
        guard let stored = try migrator.realm(.sqlite(connection)), stored != realm else { return }
        throw StoreRefusal.otherRealm(stored: stored, wanted: realm)
    }

    private func openBesideServer() throws -> Opened {
        let deadline =
            DispatchTime.now().uptimeNanoseconds + UInt64(max(0, waitMilliseconds)) * 1_000_000
        while true {
            let version = try versionOfExistingStore()
            if version == migrator.knownVersion { break }
            guard DispatchTime.now().uptimeNanoseconds < deadline else {
                throw StoreRefusal.schemaNotReady(stored: version, known: migrator.knownVersion)
            }
            pause(milliseconds: 50)
        }
        return Opened(
            connection: try WriterConnection(path: folder.database),
            readers: try SQLiteReaders(path: folder.database, logBounds, logger),
            turnstile: try Turnstile(folder: folder), serveLock: nil)
    }

    /// The version of a store that another process makes; 0 as long as there is none.
    private func versionOfExistingStore() throws -> Int64 {
        // Opening would make the file, which is the server's to do.
        guard access(folder.database, F_OK) == 0 else { return 0 }
        let connection = try WriterConnection(path: folder.database)
        defer { connection.close() }
        let result: Result<Int64, any Error> = try connection.use { used in
            Result {
                try checkRealm(used)
                return try migrator.verifiedVersion(.sqlite(used))
            }
        }
        return try result.get()
    }
}
