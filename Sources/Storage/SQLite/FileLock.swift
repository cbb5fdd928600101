internal import Glibc
internal import Metrics
internal import TollgateKernel

/// An advisory lock on a whole file (flock(2)): the kernel frees it when its process dies.
///
/// It belongs to the open file, so two locks on one path exclude each other inside one process too.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// Opens the file, making it if need be, for its owner only.
    init(path: String) throws(StoreError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .engine("cannot open \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Waits for the lock, at most so long.
    ///
    /// flock(2) knows no time-out, so a lock that is taken is asked for again and again, first by
    /// the tenth of a millisecond: who holds it syncs a disk meanwhile.
    func lock(milliseconds: Int64) throws(StoreError) {
        var waitedMicroseconds: Int64 = 0
        var pauseMicroseconds: UInt32 = 100
        while !tryLock() {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw .engine("flock: \(String(cString: strerror(errno)))")
            }
            guard waitedMicroseconds < milliseconds * 1_000 else {
                throw .engine("another process has held the store for \(milliseconds) ms")
            }
            usleep(pauseMicroseconds)
            waitedMicroseconds += Int64(pauseMicroseconds)
            pauseMicroseconds = min(pauseMicroseconds * 2, 500)
        }
    }

    /// Takes the lock if nobody holds it.
    func tryLock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    /// Gives the lock back.
    func unlock() { _ = flock(descriptor, LOCK_UN) }
}

/// Lets the processes that write one file take turns, each one batch at a time.
///
/// SQLite's own lock is polled: whoever asks most often gets it, and a busy server starves the
/// jobs. Here each process waits for `turn` before it waits for `writer`, so the one that has just
/// written stands behind everybody who waited meanwhile. (flock(2) itself keeps no order; what
/// makes it fair is that a batch with its sync takes longer than a look at `turn`.) A process that
/// was stopped in the middle of its batch is waited for a while, not for ever.
final class Turnstile: Sendable {
    private let turn: FileLock
    private let writer: FileLock

    private let patienceMilliseconds: Int64
    private let timeouts = Counter(label: "tollgate_store_turns_missed_total")

    /// Opens both files in the store's folder.
    init(
        folder: StoreFolder, patienceMilliseconds: Int64 = Limits.storeTurnMilliseconds
    ) throws(StoreError) {
        self.patienceMilliseconds = patienceMilliseconds
        turn = try FileLock(path: folder.turn)
        writer = try FileLock(path: folder.writer)
    }

    /// Runs a batch when its turn has come.
    func pass<Value>(_ body: () -> Value) throws(StoreError) -> Value {
        do {
            try turn.lock(milliseconds: patienceMilliseconds)
        } catch {
            timeouts.increment()
            throw error
        }
        do {
            try writer.lock(milliseconds: patienceMilliseconds)
        } catch {
            turn.unlock()
            timeouts.increment()
            throw error
        }
        turn.unlock()
        defer { writer.unlock() }
        return body()
    }
}

/// The files of a store.
struct StoreFolder: Sendable {
    /// The folder.
    let path: String

    /// The database.
    var database: String { "\(path)/store.sqlite" }
    /// Held while waiting for ``writer``.
    var turn: String { "\(path)/store.turn" }
    /// Held while writing.
    var writer: String { "\(path)/store.writer" }
    /// How far the store had come when it was last served.
    var mark: String { "\(path)/store.mark" }
    /// Held by the one server of the folder.
    var serve: String { "\(path)/serve.lock" }
}
