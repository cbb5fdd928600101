internal import GRDB
internal import GRDBSQLite
internal import Glibc
internal import TollgateKernel

/// How far a store's write-ahead log may grow while somebody reads.
///
/// A log is begun anew only when nobody reads from it: whoever stays in one moment for long keeps
/// all that is written meanwhile in it.
package struct LogBounds: Hashable, Sendable {
    /// Above this the writer waits, briefly, for a moment without readers to empty the log.
    package var calmBytes: Int64
    /// Above this our own old reads are ended, and the store's health says what is in the way.
    package var crowdedBytes: Int64
    /// How long any read may take, however far the log has grown.
    package var readMilliseconds: Int64
    /// The pause between two attempts to empty the log.
    package var pauseMilliseconds: Int64

    /// Makes bounds; a test gives small ones.
    package init(
        calmBytes: Int64 = Int64(Limits.walFileBytes),
        crowdedBytes: Int64 = Limits.walCrowdedBytes,
        readMilliseconds: Int64 = Limits.walReadMilliseconds,
        pauseMilliseconds: Int64 = Limits.walPauseMilliseconds
    ) {
        self.calmBytes = calmBytes
        self.crowdedBytes = crowdedBytes
        self.readMilliseconds = readMilliseconds
        self.pauseMilliseconds = pauseMilliseconds
    }

    /// The size of the log beside a database, in bytes; 0 if there is none.
    static func logBytes(of database: String) -> Int64 {
        var status = stat()
        return stat("\(database)-wal", &status) == 0 ? Int64(status.st_size) : 0
    }
}

/// Ends a read of ours that keeps a crowded log from being emptied.
///
/// SQLite asks between two steps of a statement, so what is ended fails as that statement's error.
final class ReadGuard {
    private let path: String
    private let bounds: LogBounds
    private let beganAt = uptimeMilliseconds()
    private var hasEnded = false

    private init(_ path: String, _ bounds: LogBounds) {
        self.path = path
        self.bounds = bounds
    }

    /// Runs one read of the database at a path under a guard.
    ///
    /// - Throws: what the read throws; `unavailable` if it was ended, whatever it made of that.
    static func over<Value>(
        _ database: Database, at path: String, _ bounds: LogBounds, _ body: () throws -> Value
    ) throws -> Value {
        guard let handle = database.sqliteConnection else { throw StoreError.engine("closed") }
        let watch = ReadGuard(path, bounds)
        sqlite3_progress_handler(
            handle, Limits.walReadSteps,
            { context in
                guard let context else { return 0 }
                return Unmanaged<ReadGuard>.fromOpaque(context).takeUnretainedValue().verdict()
            }, Unmanaged.passUnretained(watch).toOpaque())
        // The pointer is not retained: nobody asks any more when the guard goes.
        defer { sqlite3_progress_handler(handle, 0, nil, nil) }
        return try withExtendedLifetime(watch) {
            let result = Result { try body() }
            guard !watch.hasEnded else { throw told }
            return try result.get()
        }
    }

    private static let told = Failure(
        .unavailable,
        "This read was ended: while it looked at one moment, so much was written that the store's "
            + "log outgrew its bound. Ask again when less is written.",
        retryAfterMilliseconds: Limits.walPauseMilliseconds)

    private func verdict() -> Int32 {
        guard uptimeMilliseconds() - beganAt >= UInt64(max(0, bounds.readMilliseconds)),
            LogBounds.logBytes(of: path) > bounds.crowdedBytes
        else { return 0 }
        hasEnded = true
        return 1
    }
}

/// Watches the log for the writer, on whose thread alone it is used.
struct LogKeeper {
    private let database: String
    private let bounds: LogBounds
    private var attemptedAt: UInt64?
    /// Health told the log's size up to here; growth is told again when it has doubled.
    private var toldBytes: Int64 = 0

    /// Keeps the log of a database.
    init(_ database: String, _ bounds: LogBounds) {
        self.database = database
        self.bounds = bounds
    }

    /// The log's size now, in bytes.
    var bytes: Int64 { LogBounds.logBytes(of: database) }

    /// Whether to try to empty a log of this size now.
    mutating func isAttemptDue(_ bytes: Int64) -> Bool {
        guard bytes > bounds.calmBytes else { return false }
        let now = uptimeMilliseconds()
        if let attemptedAt, now - attemptedAt < UInt64(max(0, bounds.pauseMilliseconds)) {
            return false
        }
        attemptedAt = now
        return true
    }

    /// How a store stands whose log has this size.
    func health(_ bytes: Int64) -> StoreHealth {
        guard bytes > bounds.crowdedBytes else { return .writable }
        return .crowded(
            "The store's log has grown to \(max(1, bytes >> 20)) MiB, which a long read keeps. One "
                + "of ours is ended by itself; if this stays, another program reads the store "
                + "without end: find it with fuser on \(database) and end it. The log shrinks "
                + "with the next write.")
    }

    /// Whether this size is worth a line in the log: once when it is crowded, then at each
    /// doubling, and once when it is over.
    mutating func isNews(_ bytes: Int64) -> Bool {
        if bytes <= bounds.crowdedBytes {
            defer { toldBytes = 0 }
            return toldBytes > 0
        }
        guard toldBytes == 0 || bytes / 2 >= toldBytes else { return false }
        toldBytes = bytes
        return true
    }
}

/// The machine's monotonic clock, in milliseconds: bounds of one process need no other.
private func uptimeMilliseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
}
