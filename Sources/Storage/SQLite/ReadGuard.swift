internal import GRDB
internal import GRDBSQLite
internal import Logging
internal import Metrics
internal import Synchronization
internal import TollgateKernel

/// Ends a read of ours that keeps a crowded log from being emptied, and an audit that nobody wants
/// any more.
///
/// SQLite asks between two steps of a statement, so what is ended fails as that statement's error.
final class ReadGuard {
    private let path: String
    private let bounds: LogBounds
    private let wish: ReadWish
    private let beganAt = uptimeMilliseconds()
    private var isCrowding = false
    private var end: LongReadEnd?
    /// Whether the statements are an audit's.
    private var isAtLength = false

    private init(_ path: String, _ bounds: LogBounds, _ wish: ReadWish) {
        self.path = path
        self.bounds = bounds
        self.wish = wish
    }

    /// Whether its caller and the store still want the read.
    var isWanted: Bool { wish.end == nil }

    /// Lets the statements that `body` runs be ended by their caller's leaving and the store's end.
    func atLength<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        isAtLength = true
        defer { isAtLength = false }
        return try body()
    }

    /// Runs one read of the database at a path under a guard.
    ///
    /// - Throws: what the read throws; why it was ended, if it was, whatever it made of that.
    static func over<Value>(
        _ database: Database, at path: String, _ bounds: LogBounds, _ record: LongReads? = nil,
        _ wish: ReadWish = ReadWish(), _ body: (ReadGuard) throws -> Value
    ) throws -> Value {
        guard let handle = database.sqliteConnection else { throw StoreError.engine("closed") }
        let watch = ReadGuard(path, bounds, wish)
        sqlite3_progress_handler(
            handle, Limits.walReadSteps,
            { context in
                guard let context else { return 0 }
                return Unmanaged<ReadGuard>.fromOpaque(context).takeUnretainedValue().verdict()
            }, Unmanaged.passUnretained(watch).toOpaque())
        // The pointer is not retained: nobody asks any more when the guard goes.
        defer { sqlite3_progress_handler(handle, 0, nil, nil) }
        return try withExtendedLifetime(watch) {
            let result = Result { try body(watch) }
            if let end = watch.end { throw end.failure }
            guard !watch.isCrowding else {
                record?.wasEnded(bounds)
                throw told(bounds)
            }
            let value = try result.get()
            if watch.age >= bounds.longReadMilliseconds { record?.cameToItsEnd() }
            return value
        }
    }

    private static func told(_ bounds: LogBounds) -> Failure {
        Failure(
            .unavailable,
            "This read was ended: while it looked at one moment, so much was written that the "
                + "store's log outgrew its bound. \(bounds.advice)",
            retryAfterMilliseconds: Limits.walPauseMilliseconds)
    }

    private var age: Int64 { Int64(uptimeMilliseconds() - beganAt) }

    private func verdict() -> Int32 {
        if isAtLength, let end = wish.end {
            self.end = end
            return 1
        }
        guard age >= bounds.readMilliseconds, LogBounds.logBytes(of: path) > bounds.crowdedBytes
        else { return 0 }
        isCrowding = true
        return 1
    }
}

/// Whether somebody still wants a read: its caller, and the store that it reads.
final class ReadWish: Sendable {
    private let isAbandoned = Atomic(false)
    private let closing: ReadWish?

    /// One that ends with the store's, if that is given.
    init(of store: ReadWish? = nil) { closing = store }

    /// Nobody wants it any more.
    func abandon() { isAbandoned.store(true, ordering: .relaxed) }

    /// Why an audit is to end; nil while it may go on.
    var end: LongReadEnd? {
        if let closing, closing.end != nil { return .closing }
        return isAbandoned.load(ordering: .relaxed) ? .abandoned : nil
    }
}

/// Remembers what became of the last long reads: one that is ended is asked for again, and if that
/// is ended too, audits and backups may never come to their end at this rate of writes.
final class LongReads: Sendable {
    private let endedInARow = Mutex(0)
    private let ended = Counter(label: "tollgate_store_reads_ended_total")
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    /// A long read was ended.
    func wasEnded(_ bounds: LogBounds) {
        ended.increment()
        let count = endedInARow.withLock { count in
            count += 1
            return count
        }
        guard count >= Limits.longReadsEndedInARow else { return }
        logger.warning(
            "store: long reads are ended one after the other",
            metadata: ["reads": "\(count)", "advice": "\(bounds.advice)"])
    }

    /// A long read came to its end.
    func cameToItsEnd() { endedInARow.withLock { $0 = 0 } }

    /// What the store's health says of them; nil if there is nothing to say.
    func sentence(_ bounds: LogBounds) -> String? {
        let count = endedInARow.withLock { $0 }
        guard count >= Limits.longReadsEndedInARow else { return nil }
        return "The last \(count) long reads (an audit, a backup) were ended, each because so much "
            + "was written meanwhile that the store's log outgrew its bound; nothing is lost. "
            + "\(bounds.advice) This is told until one has come to its end."
    }
}
