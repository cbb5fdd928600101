internal import Dispatch
internal import Synchronization
internal import TollgateKernel

/// Threads with a connection each, and the work that waits for one of them.
///
/// libpq blocks while it waits: so it has threads of its own, and no event loop and no thread of
/// the cooperative pool ever waits for the database.
final class PostgreSQLPool: Sendable {
    private let workers: [Worker]
    private let environment: PostgreSQLEnvironment
    private let timers = DispatchQueue(label: "tollgate.store.postgresql.timers")
    private let state: Mutex<State>

    private struct State {
        var waiting: [Waiting] = []
        /// Where `waiting` begins: removing from the front of an array moves all of it.
        var first = 0
        var idle: [Int]
        var isClosed = false
        /// Somebody will look for work that has waited too long.
        var isExpiryDue = false
        var closers: [CheckedContinuation<Void, Never>] = []
        var workerCount: Int

        var count: Int { waiting.count - first }
        var isAtRest: Bool { idle.count == workerCount && count == 0 }

        /// Takes out what has waited longer than `limit`; how long until the next will have.
        mutating func expire(
            at now: Duration, after limit: Duration
        ) -> (late: [PendingWrite], next: Duration?) {
            var late: [PendingWrite] = []
            while first < waiting.count, now - waiting[first].since >= limit, let next = next() {
                late.append(next.work)
            }
            let wait = first < waiting.count ? waiting[first].since + limit - now : nil
            isExpiryDue = wait != nil
            return (late, wait)
        }

        mutating func next() -> Waiting? {
            guard first < waiting.count else { return nil }
            defer {
                first += 1
                if first == waiting.count {
                    waiting.removeAll(keepingCapacity: true)
                    first = 0
                } else if first >= Limits.pendingWrites {
                    waiting.removeFirst(first)
                    first = 0
                }
            }
            return waiting[first]
        }
    }

    private enum Admission {
        case waits(mustExpire: Bool)
        case wakes(Int)
        case full
        case closed
    }

    private struct Waiting {
        let work: PendingWrite
        let since: Duration
    }

    private final class Worker: @unchecked Sendable {
        // Unchecked: the session is touched on `thread` alone.
        let thread: DispatchQueue
        let session: PostgreSQLSession

        init(_ label: String, _ session: PostgreSQLSession) {
            thread = DispatchQueue(label: label)
            self.session = session
        }
    }

    /// Makes a pool whose reads `fallback` does where this one cannot; nothing connects yet.
    init(
        _ target: PostgreSQLTarget, _ purpose: PostgreSQLSession.Purpose, count: Int,
        _ environment: PostgreSQLEnvironment, fallback: PostgreSQLPool? = nil
    ) {
        self.environment = environment
        workers = (0..<count).map { number in
            Worker(
                "tollgate.store.postgresql.\(number)",
                PostgreSQLSession(
                    target, purpose, environment, fallback: fallback.map { $0.submit }))
        }
        state = Mutex(State(idle: Array(0..<count), workerCount: count))
    }

    /// What waits for a connection.
    var backlog: Int { state.withLock { $0.count } }

    /// Hands work in, or tells its caller at once why not.
    func submit(_ work: PendingWrite) {
        let since = environment.elapsed()
        let admission = state.withLock { state -> Admission in
            if state.isClosed { return .closed }
            if state.count >= Limits.pendingWrites { return .full }
            state.waiting.append(Waiting(work: work, since: since))
            if let idle = state.idle.popLast() { return .wakes(idle) }
            defer { state.isExpiryDue = true }
            return .waits(mustExpire: !state.isExpiryDue)
        }
        switch admission {
        case .waits(let mustExpire):
            if mustExpire { expireLater(after: queueLimit) }
        case .wakes(let number):
            let worker = workers[number]
            worker.thread.async { self.drain(number) }
        case .full: work.settle(.failed(Self.busy))
        case .closed: work.settle(.failed(Failure(.unavailable, "The store is closing.")))
        }
    }

    /// Settles what waits and closes the connections.
    func close() async {
        await withCheckedContinuation { continuation in
            let isAtRest = state.withLock { state in
                state.isClosed = true
                if !state.isAtRest { state.closers.append(continuation) }
                return state.isAtRest
            }
            if isAtRest { continuation.resume() }
        }
        for worker in workers {
            await withCheckedContinuation { continuation in
                worker.thread.async {
                    worker.session.close()
                    continuation.resume()
                }
            }
        }
    }

    private static var busy: Failure {
        Failure(
            .unavailable, "Too much waits for the database; try again.",
            retryAfterMilliseconds: Limits.pendingWritesRetryMilliseconds)
    }

    private func drain(_ number: Int) {
        while let next = nextOrRest(number) { workers[number].session.run(next.work) }
    }

    private var queueLimit: Duration { .milliseconds(environment.patience.queueMilliseconds) }

    /// Tells those who have waited too long, also while every connection is taken up: their callers
    /// have given up by now, and nothing was done for them.
    private func expireLater(after pause: Duration) {
        let milliseconds = Int(pause / .milliseconds(1)) + 1
        timers.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [weak self] in
            guard let self else { return }
            let (late, next) = state.withLock {
                $0.expire(at: self.environment.elapsed(), after: self.queueLimit)
            }
            for work in late { work.settle(.failed(Self.busy)) }
            if let next { expireLater(after: next) }
        }
    }

    private func nextOrRest(_ number: Int) -> Waiting? {
        var closers: [CheckedContinuation<Void, Never>] = []
        let next = state.withLock { state -> Waiting? in
            if let next = state.next() { return next }
            state.idle.append(number)
            if state.isClosed, state.isAtRest { swap(&closers, &state.closers) }
            return nil
        }
        for closer in closers { closer.resume() }
        return next
    }
}
