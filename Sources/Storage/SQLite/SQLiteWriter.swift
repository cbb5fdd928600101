internal import Application
internal import Dispatch
internal import Logging
internal import Metrics
internal import Synchronization
internal import TollgateKernel

/// Writes batches: BEGIN, one closure after the other, COMMIT; the next batch is whatever
/// arrived while the last one synced, and what arrives while it runs.
final class SQLiteWriter: @unchecked Sendable {
    // Unchecked: `live`, `markKeeper`, `logKeeper`, `copiesWithCommits`, `batchNumber`,
    // `batchesSetApart` and `isDiskDoubtful` belong to `thread`, on which alone they are touched.
    private let folder: StoreFolder
    private let turnstile: Turnstile
    private let commitFault: CommitFault?
    private let logger: Logger
    private let attempts: WriteAttempts
    private let thread = DispatchQueue(label: "tollgate.store.writer")
    private let waiting = WriteQueue()
    private let state = Mutex(StoreHealth.writable)
    private let batchSizes = Recorder(label: "tollgate_store_batch_writes")
    private let commitTimes = Timer(label: "tollgate_store_batch_seconds")
    private let logSize = Gauge(label: "tollgate_store_log_bytes")
    private var live: WriterConnection?
    private var markKeeper: StoreMarkKeeper?
    private var logKeeper: LogKeeper
    private let copier: LogCopier
    /// Whether the live connection moves the log with its commits, as a new one does.
    private var copiesWithCommits = true
    private var batchNumber: Int64 = 0
    /// So many batches to come set their closures apart: one failed halfway not long ago.
    private var batchesSetApart = 0
    /// A COMMIT failed, and no checkpoint has proved the disk since.
    private var isDiskDoubtful = false

    init(
        connection: WriterConnection, folder: StoreFolder, turnstile: Turnstile,
        attempts: WriteAttempts, markKeeper: StoreMarkKeeper?, commitFault: CommitFault?,
        logBounds: LogBounds, logger: Logger
    ) {
        live = connection
        logKeeper = LogKeeper(folder.database, logBounds)
        copier = LogCopier(folder.database)
        self.markKeeper = markKeeper
        self.folder = folder
        self.turnstile = turnstile
        self.attempts = attempts
        self.commitFault = commitFault
        self.logger = logger
    }

    /// Whether the disk takes writes.
    var health: StoreHealth { state.withLock { $0 } }

    /// Writes that wait for their batch.
    var backlog: Int { waiting.count }

    /// Hands a write in, or tells its caller at once why not.
    func submit(_ write: PendingWrite) {
        switch waiting.append(write) {
        case .waits: break
        case .waitsForDrain: thread.async { self.drain() }
        case .full:
            write.settle(
                .failed(
                    Failure(
                        .unavailable, "Too many changes wait for the disk; try again.",
                        retryAfterMilliseconds: Limits.pendingWritesRetryMilliseconds)))
        case .closed: write.settle(.failed(Failure(.unavailable, "The store is closing.")))
        }
    }

    /// Refuses new writes and settles what waits.
    func settleAll() async { await waiting.close() }

    /// Settles what waits and closes the connection.
    func close() async {
        await settleAll()
        await withCheckedContinuation { continuation in
            thread.async {
                // Nobody may have the file open when this returns.
                self.copier.stop()
                if let live = self.live { self.markKeeper?.note(live, isLast: true) }
                self.live?.close()
                self.live = nil
                continuation.resume()
            }
        }
    }

    private func drain() {
        while true {
            let batch = waiting.nextBatch()
            if batch.isEmpty { return }
            run(batch)
        }
    }

    /// Runs a batch that begins with `first`.
    ///
    /// - Parameter mayBeJoined: Whether what arrives meanwhile runs in it too.
    private func run(_ first: [PendingWrite], mayBeJoined: Bool = true) {
        guard let live = live ?? reopened() else {
            return settle(first, .failed(Failure(.unavailable, "The store cannot be written.")))
        }
        batchNumber += 1
        let number = batchNumber
        let began = DispatchTime.now().uptimeNanoseconds
        let isSetApart = batchesSetApart > 0
        if isSetApart { batchesSetApart -= 1 }
        var writes = first
        let end = ran(&writes, on: live, number, isSetApart: isSetApart, mayBeJoined: mayBeJoined)
        switch end {
        case .committed:
            commitTimes.recordNanoseconds(
                Int64(DispatchTime.now().uptimeNanoseconds - began))
            batchSizes.record(writes.count)
            settle(writes, .committed)
            commitFault?.reached(.settled)
            markKeeper?.note(live)
            tendLog(live)
        case .notBegun(let error):
            // Locked by a foreign tool, or a broken connection: the next batch opens a new one.
            live.close()
            self.live = nil
            _ = recorded(.failing("\(error)"))
            settle(
                writes,
                .failed(
                    Failure(
                        .unavailable, "The store cannot be written now; try again.",
                        retryAfterMilliseconds: Limits.storeRetryMilliseconds)))
        case .undone(let error):
            guard writes.count > 1 else {
                logger.error("store: a write was undone", metadata: ["error": "\(error)"])
                return settle(
                    writes, .failed(Failure(.unavailable, "The store could not keep the change.")))
            }
            // One of them may be the cause; alone, it fails alone.
            for write in writes { run([write], mayBeJoined: false) }
        case .inDoubt(let error):
            logger.error("store: a commit failed", metadata: ["error": "\(error)"])
            isDiskDoubtful = true
            // The log's fate is decided alone.
            copier.stop()
            settle(writes, verdictAfterReopening(number))
        }
    }

    private func settle(_ writes: [PendingWrite], _ verdict: BatchVerdict) {
        for write in writes { write.settle(verdict) }
    }

    /// - Parameter writes: What the batch begins with; then all that ran in it.
    private func ran(
        _ writes: inout [PendingWrite], on live: WriterConnection, _ number: Int64,
        isSetApart: Bool, mayBeJoined: Bool
    ) -> BatchEnd {
        do throws(StoreError) {
            return try turnstile.pass {
                let end = try? live.use { connection throws(StoreError) in
                    var batch = Batch(
                        connection, attempts, commitFault, writes: writes,
                        joining: { mayBeJoined ? self.waiting.joining(atMost: $0) : [] })
                    let end = batch.run(number: number, isSetApart: isSetApart)
                    writes = batch.writes
                    // Whoever makes closures fail on purpose costs a batch its second run once in
                    // a while, not each time.
                    if batch.hasFailedHalfway { batchesSetApart = Limits.batchesSetApart }
                    return end
                }
                return end ?? .notBegun(.engine("closed"))
            }
        } catch {
            return .notBegun(error)
        }
    }

    /// Finds out what became of a batch whose COMMIT failed.
    ///
    /// The connection is thrown away (its page cache may lie), then the number is looked up. The
    /// answer counts only once everything in the log was copied into the database and synced there:
    /// after a failed sync the kernel may call pages clean that never reached the disk, so what the
    /// log shows, and what would be appended to it, may be gone after a power cut.
    private func verdictAfterReopening(_ number: Int64) -> BatchVerdict {
        live?.close()
        live = nil
        var pauseMilliseconds: UInt32 = 20
        for _ in 0..<Limits.storeReopenAttempts {
            if let lastNumber = probedLastBatch() {
                return lastNumber == number
                    ? .committed
                    : .failed(
                        Failure(.unavailable, "The disk refused the change; nothing was changed."))
            }
            pause(milliseconds: pauseMilliseconds)
            pauseMilliseconds *= 2
        }
        return .failed(
            Failure(
                .unknownOutcome,
                "The disk failed while saving; it is not known whether the change was made."))
    }

    /// Keeps the log small, and tells if somebody is in the way.
    ///
    /// The batch is settled: nobody waits for this but the next one.
    private func tendLog(_ live: WriterConnection) {
        let bytes = logKeeper.bytes
        let isCopiedApart = logKeeper.isCopiedApart(bytes)
        if isCopiedApart == copiesWithCommits { setCopying(live, withCommits: !isCopiedApart) }
        if logKeeper.isAttemptDue(bytes) {
            if isCopiedApart {
                copier.begin { outcome in self.thread.async { self.wasCopied(outcome) } }
            } else {
                shortenLog(live)
            }
        }
        tellOfLog()
    }

    /// The log was copied apart: what is left is little.
    private func wasCopied(_ outcome: LogCopier.Outcome) {
        guard let live else { return }
        switch outcome {
        case .copied: shortenLog(live)
        case .kept: break
        case .failed(let error):
            logger.warning("store: the log was not copied", metadata: ["error": "\(error)"])
        }
        let isCopiedApart = logKeeper.isCopiedApart(logKeeper.bytes)
        if isCopiedApart == copiesWithCommits { setCopying(live, withCommits: !isCopiedApart) }
        tellOfLog()
    }

    private func setCopying(_ live: WriterConnection, withCommits copies: Bool) {
        do throws(StoreError) {
            try live.copiesWithCommits(copies)
            copiesWithCommits = copies
        } catch {
            logger.warning("store: the log's copying", metadata: ["error": "\(error)"])
        }
    }

    private func shortenLog(_ live: WriterConnection) {
        do throws(StoreError) {
            // What can be copied without a turn is copied before it: others write meanwhile.
            _ = try live.use { used throws(StoreError) in try LogCopier.copy(on: used) }
            let shortened = try turnstile.pass { () -> Result<Void, StoreError> in
                do throws(StoreError) {
                    return .success(
                        try live.use { used throws(StoreError) in
                            try attempts.shortenLog(on: used)
                        })
                } catch {
                    return .failure(error)
                }
            }
            try shortened.get()
        } catch {
            logger.warning("store: the log was not emptied", metadata: ["error": "\(error)"])
        }
    }

    private func tellOfLog() {
        let bytes = logKeeper.bytes
        logSize.record(bytes)
        let health = logKeeper.health(bytes)
        state.withLock { $0 = health }
        guard logKeeper.isNews(bytes) else { return }
        logger.warning(
            "store: the log's size", metadata: ["bytes": "\(bytes)", "health": "\(health)"])
    }

    private func reopened() -> WriterConnection? {
        probedLastBatch() == nil ? nil : live
    }

    private func probedLastBatch() -> Int64? {
        if commitFault?.refusesReopening() == true { return recorded(.failing("reopening")) }
        do throws(StoreError) {
            let connection = try WriterConnection(path: folder.database)
            do throws(StoreError) {
                let result = try turnstile.pass { () -> Result<Int64, StoreError> in
                    do throws(StoreError) {
                        return .success(
                            try connection.use { used throws(StoreError) in
                                if isDiskDoubtful { try attempts.emptyLog(on: used) }
                                return try attempts.probe(on: used)
                            })
                    } catch {
                        return .failure(error)
                    }
                }
                let last = try result.get()
                live = connection
                copiesWithCommits = true
                isDiskDoubtful = false
                state.withLock { $0 = .writable }
                return last
            } catch {
                connection.close()
                throw error
            }
        } catch {
            return recorded(.failing("\(error)"))
        }
    }

    private func recorded(_ health: StoreHealth) -> Int64? {
        logger.error("store: not writable", metadata: ["health": "\(health)"])
        state.withLock { $0 = health }
        return nil
    }
}

/// Whether a store takes writes.
package enum StoreHealth: Hashable, Sendable {
    /// It does.
    case writable
    /// It does, but its log outgrew its bound: what is in the way, in a sentence.
    case crowded(String)
    /// It does, but what it rests on is not as it should be: what, in a sentence.
    case degraded(String)
    /// The last attempt failed; each batch tries again.
    case failing(String)

    /// How it stands, in a sentence.
    package var sentence: String {
        switch self {
        case .writable: "It takes writes."
        case .crowded(let sentence), .degraded(let sentence): "It takes writes. \(sentence)"
        case .failing(let reason): "It refuses writes: \(reason)."
        }
    }
}
