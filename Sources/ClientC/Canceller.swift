import Synchronization

/// What stands behind a `tollgate_canceller`: ends calls from any thread.
final class Canceller: Sendable {
    private struct State {
        var isUsed = false
        var lastCall: UInt = 0
        var calls: [UInt: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Takes a call in, which is cancelled at once if the canceller has been used; the number to
    /// end it by.
    func begin(_ cancel: @escaping @Sendable () -> Void) -> UInt {
        let (number, isUsed) = state.withLock { state in
            state.lastCall += 1
            state.calls[state.lastCall] = cancel
            return (state.lastCall, state.isUsed)
        }
        if isUsed { cancel() }
        return number
    }

    /// The call has returned.
    func end(_ number: UInt) { state.withLock { $0.calls[number] = nil } }

    /// Cancels the calls that run and all that begin later.
    func cancel() {
        let calls = state.withLock { state in
            state.isUsed = true
            return Array(state.calls.values)
        }
        for cancel in calls { cancel() }
    }
}
