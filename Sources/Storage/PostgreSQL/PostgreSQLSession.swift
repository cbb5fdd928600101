internal import Logging
internal import Metrics
internal import TollgateKernel

/// How writes on PostgreSQL try again: pure, so that time and chance come from outside.
struct RetryPolicy: Sendable {
    /// Whether a write that was undone so often takes its turn instead of racing.
    func takesTurn(afterAttempts attempts: Int) -> Bool {
        attempts >= Limits.storeRacingAttempts
    }

    /// How long to wait before the next attempt; `random` makes equal losers unequal.
    func pauseMicroseconds(afterAttempts attempts: Int, random: UInt64) -> UInt32 {
        let window = min(
            Limits.storeRetryMicroseconds << UInt64(min(attempts, 10) - 1),
            Limits.storeRetryMaximumMicroseconds)
        return UInt32(random % (window + 1))
    }
}

/// What one thread of the pool works with: its connection, and the number it writes under.
///
/// Used by that thread alone.
final class PostgreSQLSession {
    private let target: PostgreSQLTarget
    private let purpose: Purpose
    private let environment: PostgreSQLEnvironment
    /// Takes the reads that cannot be done here.
    private let fallback: (@Sendable (PendingWrite) -> Void)?
    private var live: PostgreSQLConnection?
    private var attempts: PostgreSQLAttempts
    private let policy = RetryPolicy()

    /// What a session is for.
    enum Purpose: Hashable, Sendable {
        case writing
        case reading
    }

    init(
        _ target: PostgreSQLTarget, _ purpose: Purpose, _ environment: PostgreSQLEnvironment,
        fallback: (@Sendable (PendingWrite) -> Void)? = nil
    ) {
        self.fallback = fallback
        self.target = target
        self.purpose = purpose
        self.environment = environment
        attempts = PostgreSQLAttempts(writer: environment.writerNumber())
    }

    /// Does what was asked and settles it.
    func run(_ work: PendingWrite) {
        switch purpose {
        case .writing: write(work)
        case .reading: read(work)
        }
    }

    /// Closes the connection.
    func close() { live = nil }

    // MARK: Reading

    private func read(_ work: PendingWrite) {
        // A connection that died while it lay idle shows it only now; and a replica that catches up
        // undoes a read whose rows are cleared away (40001).
        for attempt in 1...Limits.storeReadAttempts {
            if attempt > 1 { pause(beforeAttempt: attempt) }
            guard let connection = connected() else { break }
            connection.forgetTrouble()
            let began = (try? connection.execute(Self.beginReading)) != nil
            if began {
                let succeeded = work.apply(StoredTransaction(.postgreSQL(connection)))
                let wasUndone = connection.trouble == .serialization
                let isBehind = fallback != nil && connection.trouble == .missingSchema
                _ = try? connection.execute(connection.isFailedTransaction ? "ROLLBACK" : "COMMIT")
                if isBehind { break }
                if !wasUndone, succeeded || connection.isUsable { return work.settle(.committed) }
            }
            if !connection.isUsable { abandon() }
        }
        if let fallback { fallback(work) } else { work.settle(.failed(unavailable)) }
    }

    private func pause(beforeAttempt attempt: Int) {
        environment.retried.increment()
        environment.pause(
            policy.pauseMicroseconds(
                afterAttempts: attempt - 1, random: environment.random.number()))
    }

    // MARK: Writing

    /// How one attempt at a write ended.
    private enum Attempt {
        /// It is settled: its outcome may leave.
        case settled
        /// Nothing was changed; another attempt may succeed.
        case again
        /// Nothing was changed, and trying again would not help.
        case refused(Failure)
        /// COMMIT was sent and nobody knows.
        case inDoubt
    }

    private func write(_ work: PendingWrite) {
        var takenBefore: String?
        let end = environment.elapsed() + .milliseconds(environment.patience.writeMilliseconds)
        for attempt in 1...Limits.storeAttempts {
            if attempt > 1 {
                guard environment.elapsed() < end else { break }
                pause(beforeAttempt: attempt)
            }
            guard let connection = connected() else { return work.settle(.failed(unavailable)) }
            switch run(work, on: connection, attempt: attempt, takenBefore: takenBefore) {
            case .settled:
                work.settle(.committed)
                return environment.reached(.settled)
            case .refused(let failure): return work.settle(.failed(failure))
            case .inDoubt: return work.settle(verdict())
            case .again:
                if case .takenKey(let key) = connection.trouble { takenBefore = key }
                if !connection.isUsable { abandon() }
            }
        }
        work.settle(
            .failed(
                Failure(
                    .unavailable, "Too many changes meet on the same rows; try again.",
                    retryAfterMilliseconds: Limits.pendingWritesRetryMilliseconds)))
    }

    private func run(
        _ work: PendingWrite, on connection: PostgreSQLConnection, attempt: Int,
        takenBefore: String?
    ) -> Attempt {
        connection.forgetTrouble()
        let takesTurn = policy.takesTurn(afterAttempts: attempt - 1)
        defer { if takesTurn { _ = try? connection.execute(Self.leaveTurn) } }
        do throws(StoreError) {
            // Before BEGIN: a transaction sees the state of its first statement.
            if takesTurn { try connection.execute(Self.takeTurn) }
            try connection.execute(attempts.begin(at: environment.now()))
        } catch {
            return undone(connection, error)
        }
        environment.reached(.begun)
        let succeeded = work.apply(StoredTransaction(.postgreSQL(connection)))
        environment.reached(.applied)
        switch connection.trouble {
        case .serialization, .lost: return undone(connection, .engine("undone"))
        // A taken key is looked at again: a transaction that could not be seen yet may have taken
        // it, and this time the closure finds what it made. Who then asks for the same key once
        // more would always do so; another one was lost to somebody else again, as are places in
        // an account's history while several servers write it.
        case .takenKey(let key) where !succeeded && key != takenBefore:
            return undone(connection, .engine("taken"))
        default: break
        }
        guard succeeded else {
            rollBack(connection)
            return .settled
        }
        guard !connection.isFailedTransaction else {
            work.fail(StoreError.engine("a statement failed and its closure went on"))
            rollBack(connection)
            return .settled
        }
        work.announceApplied()
        environment.reached(.announced)
        return commit(connection)
    }

    private func commit(_ connection: PostgreSQLConnection) -> Attempt {
        let fault = environment.faultOfNextCommit()
        if fault == .beforeCommit { return .inDoubt }
        environment.reached(.committing)
        let end = connection.commit { environment.reached(.sent) }
        if case .committed = end { environment.reached(.committed) }
        switch end {
        case .committed: return fault == .afterCommit ? .inDoubt : .settled
        case .undone(let error): return undone(connection, error)
        case .inDoubt(let error):
            environment.logger.error(
                "store: a commit was not answered", metadata: ["error": "\(error)"])
            return .inDoubt
        }
    }

    /// Undoes what is left, and tells whether another attempt makes sense.
    private func undone(_ connection: PostgreSQLConnection, _ error: StoreError) -> Attempt {
        guard connection.isUsable else { return .again }
        rollBack(connection)
        guard connection.trouble == nil else { return .again }
        environment.logger.error("store: a write was undone", metadata: ["error": "\(error)"])
        return .refused(Failure(.unavailable, "The store could not keep the change; try again."))
    }

    private func rollBack(_ connection: PostgreSQLConnection) {
        if !connection.isOutsideTransaction { _ = try? connection.execute("ROLLBACK") }
    }

    // MARK: Connecting

    /// The connection, opened if need be; nil while the server does not answer.
    private func connected() -> PostgreSQLConnection? {
        if let live {
            if live.isUsable { return live }
            abandon()
        }
        guard environment.mayConnect() else { return nil }
        return opened()
    }

    /// Opens a connection whose statements may take so long; the server ends them, and we give up
    /// a little later.
    private func opened(statementMilliseconds: Int64? = nil) -> PostgreSQLConnection? {
        let limit = statementMilliseconds ?? usualStatementMilliseconds
        do throws(StoreError) {
            let connection = try PostgreSQLConnection(
                target, waitMilliseconds: limit + Limits.storeAnswerMarginMilliseconds,
                isForWriting: purpose == .writing)
            try connection.execute(Self.settings(purpose, statementMilliseconds: limit))
            live = connection
            environment.connected()
            return connection
        } catch {
            environment.failed("\(error)")
            return nil
        }
    }

    private var usualStatementMilliseconds: Int64 {
        switch purpose {
        case .writing: environment.patience.statementMilliseconds
        case .reading: environment.patience.readMilliseconds
        }
    }

    /// Lets the connection go, and the number with it: its server process may still hold the row.
    private func abandon() {
        live = nil
        attempts = PostgreSQLAttempts(writer: environment.writerNumber())
    }

    private var unavailable: Failure {
        Failure(
            .unavailable, "The store cannot be reached now; try again.",
            retryAfterMilliseconds: Limits.storeReconnectMaximumMilliseconds)
    }

    /// Finds out what became of a COMMIT that was not answered.
    ///
    /// The probe writes the row that the transaction wrote: it waits until the transaction has
    /// ended, whoever is still working on it, and what it then sees is final.
    private func verdict() -> BatchVerdict {
        live = nil
        let batch = attempts.batch
        var pauseMicroseconds: UInt32 = 20_000
        let patience = environment.patience
        let end = environment.elapsed() + .milliseconds(patience.settleMilliseconds)
        while environment.elapsed() < end {
            if !environment.refusesReopening,
                let connection = opened(statementMilliseconds: patience.probeMilliseconds),
                let last = try? attempts.probe(connection, at: environment.now())
            {
                // The next write has a connection with the usual patience.
                live = nil
                return last == batch
                    ? .committed
                    : .failed(
                        Failure(
                            .unavailable, "The store was lost while saving; nothing was changed."))
            }
            live = nil
            environment.pause(pauseMicroseconds)
            pauseMicroseconds = min(pauseMicroseconds * 2, 2_000_000)
        }
        abandon()
        return .failed(
            Failure(
                .unknownOutcome,
                "The store was lost while saving; it is not known whether the change was made."))
    }
}

extension PostgreSQLSession {
    private static let beginReading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    // The key is Tollgate's own: "TGTR".
    private static let takeTurn = "SELECT pg_advisory_lock(1413960786)"
    private static let leaveTurn = "SELECT pg_advisory_unlock(1413960786)"

    /// What a session sets once.
    ///
    /// Sequential scans are off where a transaction writes: SERIALIZABLE remembers what was read,
    /// and for a scan that is the whole table, so that every two writes would meet. A small table
    /// would be scanned otherwise.
    static func settings(_ purpose: Purpose, statementMilliseconds: Int64) -> String {
        let scans = purpose == .writing ? "off" : "on"
        return """
            SET synchronous_commit = on; SET client_min_messages = warning;
            SET statement_timeout = \(statementMilliseconds);
            SET lock_timeout = \(Limits.storeLockMilliseconds);
            SET idle_in_transaction_session_timeout = \(Limits.storeIdleTransactionMilliseconds);
            SET enable_seqscan = \(scans)
            """
    }
}

/// The row that says how far one session has come.
struct PostgreSQLAttempts {
    /// The session's number.
    let writer: Int64
    /// The number of its transaction, from 1.
    private(set) var batch: Int64 = 0

    init(writer: Int64) { self.writer = writer }

    /// Begins a transaction whose first act is to write its number: one journey for both.
    mutating func begin(at now: Timestamp) -> String {
        batch += 1
        return "BEGIN ISOLATION LEVEL SERIALIZABLE; "
            + Self.record(writer, "\(batch)", now, kept: "excluded.batch")
    }

    /// The number of the last transaction that was kept.
    ///
    /// READ COMMITTED: it must see what the transaction it waited for has left.
    func probe(_ connection: PostgreSQLConnection, at now: Timestamp) throws(StoreError) -> Int64 {
        try connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try connection.execute(Self.record(writer, "0", now, kept: "write_attempts.batch"))
        var last: Int64 = 0
        try connection.forEachRow(
            of: "SELECT batch FROM write_attempts WHERE writer = \(writer)"
        ) { row in last = row.integer(0) }
        guard case .committed = connection.commit() else {
            throw .engine("the probe was not committed")
        }
        return last
    }

    private static func record(
        _ writer: Int64, _ batch: String, _ now: Timestamp, kept: String
    ) -> String {
        """
        INSERT INTO write_attempts (writer, batch, opened_at)
        VALUES (\(writer), \(batch), \(now.milliseconds))
        ON CONFLICT (writer) DO UPDATE SET batch = \(kept), opened_at = excluded.opened_at
        """
    }
}
