internal import Application
internal import GRDB
internal import Logging
internal import TollgateKernel

/// Connections that read: each closure sees one state and blocks nobody.
///
/// GRDB's pool runs them on its own queues, so that no event loop and no thread of the cooperative
/// pool waits for the disk. A read that keeps a crowded log from being emptied is ended, and an
/// audit also when its caller leaves or the store closes.
final class SQLiteReaders: Sendable {
    private let pool: DatabasePool
    private let path: String
    private let logBounds: LogBounds
    private let longReads: LongReads
    private let wish = ReadWish()

    /// Opens the pool on a database that exists.
    init(path: String, _ logBounds: LogBounds, _ logger: Logger) throws(StoreError) {
        self.path = path
        longReads = LongReads(logger)
        self.logBounds = logBounds
        var configuration = Configuration()
        configuration.label = "tollgate.store.reader"
        configuration.readonly = true
        configuration.maximumReaderCount = Limits.storeReaders
        configuration.persistentReadOnlyConnections = true
        configuration.busyMode = .timeout(Double(Limits.storeBusyMilliseconds) / 1_000)
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
        } catch {
            throw .engine("cannot open the store for reading: \(error)")
        }
    }

    /// Runs a closure over one state.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        let wish = ReadWish(of: wish)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                pool.asyncRead { [path, logBounds, longReads] access in
                    guard let database = try? access.get() else {
                        continuation.resume(
                            throwing: Failure(.unavailable, "The store cannot be read now."))
                        return
                    }
                    continuation.resume(
                        with: Result {
                            try ReadGuard.over(database, at: path, logBounds, longReads, wish) {
                                try body(
                                    StoredTransaction(.sqlite(SQLiteConnection(database, $0))))
                            }
                        })
                }
            }
        } onCancel: {
            wish.abandon()
        }
    }

    /// What the store's health says of long reads; nil if there is nothing to say.
    var sentence: String? { longReads.sentence(logBounds) }

    /// Stops audits, waits for the other readers and closes them all.
    func close() {
        wish.abandon()
        try? pool.close()
    }
}
