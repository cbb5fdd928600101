package import Application
internal import Dispatch
package import Logging
package import TollgateKernel

/// The ``Store`` on PostgreSQL, for one server or for many on one database.
///
/// Each write is a SERIALIZABLE transaction of its own, tried again while others are in its way.
/// Several writes in one transaction, as on SQLite, would be wrong here twice over: a conflict of
/// one undoes all of them, and what they read and wrote together meets far more of what other
/// servers do. The server shares its syncs between connections that commit at the same time, which
/// is what a batch is for.
package final class PostgreSQLStore: OpenedStore {
    private let writers: PostgreSQLPool
    private let readers: PostgreSQLPool
    private let replicaReaders: PostgreSQLPool?
    private let environment: PostgreSQLEnvironment
    private let timers = DispatchQueue(label: "tollgate.store.postgresql.looks")

    private init(
        _ target: PostgreSQLTarget, replica: PostgreSQLTarget?,
        _ environment: PostgreSQLEnvironment
    ) {
        let primary = target.requiring("read-write")
        self.environment = environment
        writers = PostgreSQLPool(
            primary, .writing, count: Limits.storeWriterConnections, environment)
        let readers = PostgreSQLPool(
            primary, .reading, count: Limits.storeReaderConnections, environment)
        self.readers = readers
        // A replica's failures are its own: they do not make the store unhealthy, and the primary
        // answers what the replica could not.
        replicaReaders = replica.map {
            PostgreSQLPool(
                $0.requiring("any"), .reading, count: Limits.storeReaderConnections,
                environment.forReplica(), fallback: readers)
        }
    }

    /// Connects, and brings the schema up to date (`.serve`) or waits for it (`.jobs`).
    ///
    /// `keyFingerprint` is kept at first and compared from then on: a second server with keys of
    /// its own would make every person a stranger. `previousKeyFingerprint` is what it was before
    /// the master key was rotated.
    ///
    /// - Throws: ``StoreRefusal``.
    package static func open(
        _ target: PostgreSQLTarget, replica: PostgreSQLTarget? = nil, realm: StoreRealm,
        role: StoreRole, keyFingerprint: String? = nil, previousKeyFingerprint: String? = nil,
        clock: any WallClock = SystemClock(),
        monotonicClock: any MonotonicClock = SystemMonotonicClock(),
        random: any RandomSource = SystemRandom(),
        schemaWaitMilliseconds: Int64 = Limits.schemaWaitMilliseconds,
        patience: PostgreSQLPatience = PostgreSQLPatience(),
        clockLimits: PostgreSQLClockLimits = PostgreSQLClockLimits(),
        commitFault: CommitFault? = nil,
        logger: Logger = Logger(label: "tollgate.store")
    ) async throws -> PostgreSQLStore {
        let environment = PostgreSQLEnvironment(
            clock: clock, monotonicClock: monotonicClock, random: random, patience: patience,
            clockLimits: clockLimits, commitFault: commitFault, logger: logger)
        let opening = PostgreSQLOpening(
            target: target.requiring("read-write"), realm: realm, role: role,
            keyFingerprint: keyFingerprint, previousKeyFingerprint: previousKeyFingerprint,
            waitMilliseconds: schemaWaitMilliseconds,
            migrator: Migrator(migrations: Schema.migrations, dialect: .postgreSQL),
            environment: environment)
        try await withCheckedThrowingContinuation { continuation in
            // Connecting and migrating wait for the network and for locks.
            DispatchQueue(label: "tollgate.store.open").async {
                continuation.resume(with: Result { try opening.run() })
            }
        }
        let store = PostgreSQLStore(target, replica: replica, environment)
        store.lookLater()
        return store
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            writers.submit(DurableWrite(body, caller: continuation))
        }
    }

    package func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        try await withCheckedThrowingContinuation { continuation in
            writers.submit(TwoMomentWrite(body, caller: continuation))
        }
    }

    package func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        let pool = freshness == .stale ? replicaReaders ?? readers : readers
        let watch = LongRead(environment)
        let watched: @Sendable (any Transaction) throws -> Value = { transaction in
            guard let stored = transaction as? StoredTransaction,
                case .postgreSQL(let connection) = stored.connection
            else { return try body(transaction) }
            return try connection.watched(by: watch) { try body(transaction) }
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                pool.submit(
                    DurableWrite(StoredTransaction.over(freshness, watched), caller: continuation))
            }
        } onCancel: {
            watch.abandon()
        }
    }

    /// Whether the database answers.
    package var health: StoreHealth { environment.health }

    /// Why nothing may be ended by this machine's clock now; nil if it may.
    ///
    /// Who asks is about to end things by it, and clocks are set while a store is open.
    package var clockTrouble: String? {
        get async {
            await withCheckedContinuation { continuation in
                readers.submit(ServerLook(environment) { continuation.resume() })
            }
            return environment.clockTrouble
        }
    }

    /// Why nothing may begin by this machine's clock, as the last look found; nil if it may.
    package var clockRefusal: String? { environment.clockRefusal }

    /// Looks at the server's clock and standbys now and then, for as long as the store is there.
    private func lookLater() {
        let pause = Int(clamping: environment.clockLimits.intervalMilliseconds)
        timers.asyncAfter(deadline: .now() + .milliseconds(pause)) { [weak self] in
            guard let self else { return }
            readers.submit(ServerLook(environment))
            lookLater()
        }
    }

    /// Writes that wait for a connection.
    package var backlog: Int { writers.backlog }

    /// Refuses new work, settles what waits, then closes every connection; an audit that runs is
    /// stopped.
    package func close() async {
        environment.close()
        await writers.close()
        // First those who may still hand something on to the others.
        await replicaReaders?.close()
        await readers.close()
    }
}

/// A look at the server itself; one that fails leaves what was known.
private final class ServerLook: PendingWrite, @unchecked Sendable {
    // Unchecked: see PendingWrite; there is nothing to change here.
    private let environment: PostgreSQLEnvironment
    /// Called once, when it was done or could not be.
    private let isOver: @Sendable () -> Void

    init(_ environment: PostgreSQLEnvironment, isOver: @escaping @Sendable () -> Void = {}) {
        self.environment = environment
        self.isOver = isOver
    }

    override func apply(_ transaction: any Transaction) -> Bool {
        guard let transaction = transaction as? StoredTransaction,
            case .postgreSQL(let connection) = transaction.connection
        else { return false }
        return (try? environment.look(at: connection)) != nil
    }

    override func settle(_ verdict: BatchVerdict) { isOver() }
}
