internal import Application
internal import GRDB
internal import TollgateKernel

/// Connections that read: each closure sees one state and blocks nobody.
///
/// GRDB's pool runs them on its own queues, so that no event loop and no thread of the cooperative
/// pool waits for the disk.
final class SQLiteReaders: Sendable {
    private let pool: DatabasePool

    /// Opens the pool on a database that exists.
    init(path: String) throws(StoreError) {
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
        try await withCheckedThrowingContinuation { continuation in
            pool.asyncRead { access in
                guard let database = try? access.get() else {
                    continuation.resume(
                        throwing: Failure(.unavailable, "The store cannot be read now."))
                    return
                }
                continuation.resume(
                    with: Result {
                        try body(StoredTransaction(.sqlite(SQLiteConnection(database))))
                    })
            }
        }
    }

    /// Waits for the readers and closes them.
    func close() { try? pool.close() }
}
