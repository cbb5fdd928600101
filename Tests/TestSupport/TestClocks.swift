import Synchronization
package import TollgateKernel

/// A clock that tests move.
package final class TestClock: WallClock {
    private let moment: Mutex<Timestamp>

    /// Makes a clock that stands.
    package init(_ start: Timestamp = Timestamp(seconds: 1_790_000_000)) { moment = Mutex(start) }

    package func now() -> Timestamp { moment.withLock { $0 } }

    /// Moves it, backwards if negative.
    package func advance(milliseconds: Int64) {
        moment.withLock { $0 = $0.adding(milliseconds: milliseconds) }
    }
}

/// A monotonic clock that stands until a test moves it; then those who slept long enough wake.
package final class TestMonotonicClock: MonotonicClock {
    private struct Sleeper {
        let due: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var elapsed = Duration.zero
        var next = 0
        var sleepers: [Int: Sleeper] = [:]
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Makes a clock at zero.
    package init() {}

    package func elapsed() -> Duration { state.withLock { $0.elapsed } }

    /// How many sleep just now.
    package var sleepers: Int { state.withLock { $0.sleepers.count } }

    /// Moves the clock and wakes whose time has come.
    package func advance(by duration: Duration) {
        let woken = state.withLock { state -> [Sleeper] in
            state.elapsed += duration
            let due = state.sleepers.filter { $0.value.due <= state.elapsed }
            for key in due.keys { state.sleepers[key] = nil }
            return Array(due.values)
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    package func sleep(for duration: Duration) async throws {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enlist(number, duration, continuation)
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let sleeper = state.sleepers.removeValue(forKey: number) else {
                    state.cancelled.insert(number)
                    return nil
                }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    private func enlist(
        _ number: Int, _ duration: Duration, _ continuation: CheckedContinuation<Void, any Error>
    ) {
        let isCancelled = state.withLock { state in
            if state.cancelled.remove(number) != nil { return true }
            state.sleepers[number] = Sleeper(
                due: state.elapsed + duration, continuation: continuation)
            return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
    }
}
