internal import Glibc
internal import Logging
internal import Metrics
internal import Synchronization
internal import TollgateKernel

/// What the sessions of one store share: clock, chance, and whether the server answers.
final class PostgreSQLEnvironment: Sendable {
    /// Where failures are told.
    let logger: Logger
    /// Chance; seeded in tests.
    let random: any RandomSource
    /// Attempts that had to be made again.
    let retried = Counter(label: "tollgate_store_retried_attempts_total")
    private let offsetGauge = Gauge(label: "tollgate_store_clock_offset_milliseconds")
    /// How long is waited for what.
    let patience: PostgreSQLPatience
    /// How far the clocks may be apart.
    let clockLimits: PostgreSQLClockLimits
    private let clock: any WallClock
    private let monotonicClock: any MonotonicClock
    private let commitFault: CommitFault?
    private let commits = Atomic<Int64>(0)
    private let state = Mutex(State())
    private let doubts = Mutex(Doubts())
    private let isClosed = Atomic(false)

    private struct State {
        var health = StoreHealth.writable
        var failures = 0
        var nextAttempt = Duration.zero
    }

    /// What the last look at the server found, whether or not it answers now.
    private struct Doubts: Equatable {
        var clock: String?
        /// The clock is so far off that nothing may begin by it either.
        var isClockRefused = false
        var standbys: String?
    }

    init(
        clock: any WallClock, monotonicClock: any MonotonicClock, random: any RandomSource,
        patience: PostgreSQLPatience, clockLimits: PostgreSQLClockLimits,
        commitFault: CommitFault?, logger: Logger
    ) {
        self.patience = patience
        self.clockLimits = clockLimits
        self.clock = clock
        self.monotonicClock = monotonicClock
        self.random = random
        self.commitFault = commitFault
        self.logger = logger
    }

    /// The same for the sessions of another server.
    func forReplica() -> PostgreSQLEnvironment {
        PostgreSQLEnvironment(
            clock: clock, monotonicClock: monotonicClock, random: random, patience: patience,
            clockLimits: clockLimits, commitFault: nil, logger: logger)
    }

    /// Whether the store is closing: what takes long ends.
    var isClosing: Bool { isClosed.load(ordering: .relaxed) }

    /// The store is closing.
    func close() { isClosed.store(true, ordering: .relaxed) }

    /// The present moment, for rows.
    func now() -> Timestamp { clock.now() }

    /// Time that never steps.
    func elapsed() -> Duration { monotonicClock.elapsed() }

    /// A number no other session has.
    func writerNumber() -> Int64 { Int64(random.number() >> 1) }

    /// Waits on the calling thread, which must be the store's own.
    func pause(_ microseconds: UInt32) { usleep(microseconds) }

    /// What a test wants to become of the next COMMIT.
    func faultOfNextCommit() -> CommitFault.Kind? {
        commitFault?.kind(commits.wrappingAdd(1, ordering: .relaxed).newValue)
    }

    /// Tells a test how far a write has come.
    func reached(_ point: CommitPoint) { commitFault?.reached(point) }

    /// Whether a test keeps sessions from connecting again.
    var refusesReopening: Bool { commitFault?.refusesReopening() ?? false }

    /// Whether the server answers.
    var health: StoreHealth {
        let health = state.withLock { $0.health }
        let doubts = doubts.withLock { [$0.clock, $0.standbys] }.compactMap(\.self)
        guard health == .writable, !doubts.isEmpty else { return health }
        return .degraded(doubts.joined(separator: " "))
    }

    /// Why nothing may be ended by this machine's clock; nil if it may.
    var clockTrouble: String? { doubts.withLock { $0.clock } }

    /// Why nothing may begin by this machine's clock; nil if it may.
    var clockRefusal: String? { doubts.withLock { $0.isClockRefused ? $0.clock : nil } }

    /// Looks at the server's clock and standbys; how far the clocks are apart.
    @discardableResult
    func look(at connection: PostgreSQLConnection) throws(StoreError) -> PostgreSQLClockOffset {
        let offset = try PostgreSQLClockOffset.measure(connection, self)
        let standbys = try PostgreSQLStandbys.look(connection)
        offsetGauge.record(offset.milliseconds)
        var found = Doubts(clock: nil, standbys: standbys.sentence)
        if offset.certainMilliseconds > clockLimits.doubtedMilliseconds {
            found.isClockRefused = offset.certainMilliseconds > clockLimits.refusedMilliseconds
            let what =
                found.isClockRefused
                ? "no chat begins and nothing is ended by time" : "nothing is ended by time"
            found.clock = "\(offset.sentence): \(what) until the wrong one is set right."
        }
        let before = doubts.withLock { doubts in
            defer { doubts = found }
            return doubts
        }
        let isWorse = before.clock == nil || found.isClockRefused && !before.isClockRefused
        if isWorse, let trouble = found.clock {
            logger.error("store: the clocks differ", metadata: ["reason": "\(trouble)"])
        } else if before.clock != nil, found.clock == nil {
            logger.notice("store: the clocks agree again")
        }
        if before.standbys == nil, let trouble = found.standbys {
            logger.warning("store: no standby is synchronous", metadata: ["reason": "\(trouble)"])
        }
        return offset
    }

    /// Whether enough time has passed since the last failure: callers are told at once meanwhile.
    func mayConnect() -> Bool {
        let now = elapsed()
        return state.withLock { $0.failures == 0 || now >= $0.nextAttempt }
    }

    /// A connection was made.
    func connected() {
        let wasFailing = state.withLock { state in
            defer { state = State() }
            return state.failures > 0
        }
        if wasFailing { logger.notice("store: PostgreSQL answers again") }
    }

    /// No connection could be made: the pause before the next attempt doubles, with jitter.
    func failed(_ reason: String) {
        let now = elapsed()
        let jitter = Int64(random.number() % 100)
        let failures = state.withLock { state in
            state.failures += 1
            state.health = .failing(reason)
            let window = min(
                Limits.storeReconnectMilliseconds << Int64(min(state.failures, 10) - 1),
                Limits.storeReconnectMaximumMilliseconds)
            state.nextAttempt = now + .milliseconds(window / 2 + window * jitter / 200)
            return state.failures
        }
        // Once an outage, not once a call.
        if failures == 1 {
            logger.error("store: not writable", metadata: ["reason": "\(reason)"])
        }
    }
}
