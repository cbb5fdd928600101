package import Application
internal import Dispatch
package import Logging
package import TollgateKernel

/// What a process does with a store.
package enum StoreRole: Hashable, Sendable {
    /// The one server of a data folder: makes the store and migrates it.
    case serve
    /// Jobs and tools beside a server: wait for the schema, never change it.
    case jobs
}

/// The ``Store`` on one SQLite file.
///
/// Writes of this process go through one connection in batches (natural group commit), with
/// `synchronous=FULL`; several processes take turns by file locks. Readers block nobody.
package final class SQLiteStore: OpenedStore {
    private let writer: SQLiteWriter
    private let readers: SQLiteReaders
    /// Held as long as the store is open.
    private let serveLock: FileLock?

    private init(writer: SQLiteWriter, readers: SQLiteReaders, serveLock: FileLock?) {
        self.writer = writer
        self.readers = readers
        self.serveLock = serveLock
    }

    /// Opens the store in a folder that exists.
    ///
    /// - Throws: ``StoreRefusal``.
    package static func open(
        folder path: String, realm: StoreRealm, role: StoreRole,
        clock: any WallClock = SystemClock(),
        monotonicClock: any MonotonicClock = SystemMonotonicClock(),
        random: any RandomSource = SystemRandom(),
        schemaWaitMilliseconds: Int64 = Limits.schemaWaitMilliseconds,
        commitFault: CommitFault? = nil, logBounds: LogBounds = LogBounds(),
        logger: Logger = Logger(label: "tollgate.store")
    ) async throws -> SQLiteStore {
        let opening = StoreOpening(
            folder: StoreFolder(path: path), realm: realm, role: role, clock: clock,
            writerNumber: Int64(random.number() >> 1),
            waitMilliseconds: schemaWaitMilliseconds, logBounds: logBounds, logger: logger,
            migrator: Migrator(migrations: Schema.migrations, dialect: .sqlite))
        return try await withCheckedThrowingContinuation { continuation in
            // Opening waits for locks, disks and other processes: not on the cooperative pool.
            DispatchQueue(label: "tollgate.store.open").async {
                continuation.resume(
                    with: Result {
                        let opened = try opening.run()
                        let writer = SQLiteWriter(
                            connection: opened.connection, folder: opening.folder,
                            turnstile: opened.turnstile, attempts: opening.attempts,
                            markKeeper: role == .serve
                                ? StoreMarkKeeper(folder: opening.folder, clock: monotonicClock)
                                : nil,
                            commitFault: commitFault, logBounds: logBounds, logger: logger)
                        return SQLiteStore(
                            writer: writer, readers: opened.readers, serveLock: opened.serveLock)
                    })
            }
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            writer.submit(DurableWrite(body, caller: continuation))
        }
    }

    package func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        try await withCheckedThrowingContinuation { continuation in
            writer.submit(TwoMomentWrite(body, caller: continuation))
        }
    }

    package func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        // One file has no replicas: every read is fresh, and still refuses what it would there.
        try await readers.read(StoredTransaction.over(freshness, body))
    }

    /// Whether the store takes writes.
    package var health: StoreHealth {
        let health = writer.health
        guard let sentence = readers.sentence else { return health }
        switch health {
        case .writable: return .crowded(sentence)
        case .crowded(let size): return .crowded("\(size) \(sentence)")
        case .degraded, .failing: return health
        }
    }

    /// Writes that wait for their batch.
    package var backlog: Int { writer.backlog }

    /// Refuses new writes, settles the waiting ones, then closes every connection.
    package func close() async {
        await writer.settleAll()
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "tollgate.store.close").async {
                self.readers.close()
                continuation.resume()
            }
        }
        // Last: a connection that may write takes the log along, so that none is left beside a file
        // that somebody may replace by another.
        await writer.close()
        serveLock?.unlock()
    }
}
