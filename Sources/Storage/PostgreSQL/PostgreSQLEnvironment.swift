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
    /// How long is waited for what.
    let patience: PostgreSQLPatience
    private let clock: any WallClock
    private let monotonicClock: any MonotonicClock
    private let commitFault: CommitFault?
    private let commits = Atomic<Int64>(0)
    private let state = Mutex(State())

    private struct State {
        var health = StoreHealth.writable
        var failures = 0
        var nextAttempt = Duration.zero
    }

    init(
        clock: any WallClock, monotonicClock: any MonotonicClock, random: any RandomSource,
        patience: PostgreSQLPatience, commitFault: CommitFault?, logger: Logger
    ) {
        self.patience = patience
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
            commitFault: nil, logger: logger)
    }

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
    var health: StoreHealth { state.withLock { $0.health } }

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
