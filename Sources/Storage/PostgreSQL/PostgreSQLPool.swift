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
    private let state: Mutex<State>

    private struct State {
        var waiting: [Waiting] = []
        /// Where `waiting` begins: removing from the front of an array moves all of it.
        var first = 0
        var idle: [Int]
        var isClosed = false
        var closers: [CheckedContinuation<Void, Never>] = []
        var workerCount: Int

        var count: Int { waiting.count - first }
        var isAtRest: Bool { idle.count == workerCount && count == 0 }

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
        case waits
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

    init(
        _ target: PostgreSQLTarget, _ purpose: PostgreSQLSession.Purpose, count: Int,
        _ environment: PostgreSQLEnvironment
    ) {
        self.environment = environment
        workers = (0..<count).map { number in
            Worker(
                "tollgate.store.postgresql.\(number)",
                PostgreSQLSession(target, purpose, environment))
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
            return state.idle.popLast().map { .wakes($0) } ?? .waits
        }
        switch admission {
        case .waits: break
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
        while let next = nextOrRest(number) {
            // Whoever waited so long has given up by now; nothing was done for them.
            if environment.elapsed() - next.since > .milliseconds(Limits.storeQueueMilliseconds) {
                next.work.settle(.failed(Self.busy))
            } else {
                workers[number].session.run(next.work)
            }
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
