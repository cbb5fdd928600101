internal import Glibc
internal import TollgateKernel

/// How far a store's write-ahead log may grow while somebody reads.
///
/// A log is begun anew only when nobody reads from it: whoever stays in one moment for long keeps
/// all that is written meanwhile in it.
package struct LogBounds: Hashable, Sendable {
    /// Above this the writer empties the log as soon as a moment without readers allows it.
    package var calmBytes: Int64
    /// Above this the log is copied into the database beside the writes and not between them.
    package var apartBytes: Int64
    /// Above this our own old reads are ended, and the store's health says what is in the way.
    package var crowdedBytes: Int64
    /// How long any read may take, however far the log has grown.
    package var readMilliseconds: Int64
    /// The pause between two attempts to empty the log.
    package var pauseMilliseconds: Int64

    /// Makes bounds; a test gives small ones.
    package init(
        calmBytes: Int64 = Int64(Limits.walFileBytes),
        apartBytes: Int64 = Int64(Limits.walFileBytes),
        crowdedBytes: Int64 = Limits.walCrowdedBytes,
        readMilliseconds: Int64 = Limits.walReadMilliseconds,
        pauseMilliseconds: Int64 = Limits.walPauseMilliseconds
    ) {
        self.calmBytes = calmBytes
        self.apartBytes = apartBytes
        self.crowdedBytes = crowdedBytes
        self.readMilliseconds = readMilliseconds
        self.pauseMilliseconds = pauseMilliseconds
    }

    /// From this age on a read is a long one, in milliseconds: when one comes to its end, audits
    /// and backups can.
    var longReadMilliseconds: Int64 { readMilliseconds / 5 }

    /// What an operator can do whose long reads are ended.
    var advice: String {
        "Let it run when less is written, or give the log more room: it may have "
            + "\(crowdedBytes >> 20) MiB of the disk now, and --store-log-mebibytes gives it more."
    }

    /// The size of the log beside a database, in bytes; 0 if there is none.
    static func logBytes(of database: String) -> Int64 {
        var status = stat()
        return stat("\(database)-wal", &status) == 0 ? Int64(status.st_size) : 0
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

    /// Whether a log of this size is too large to be copied between two writes.
    func isCopiedApart(_ bytes: Int64) -> Bool { bytes > bounds.apartBytes }

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
func uptimeMilliseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
}
