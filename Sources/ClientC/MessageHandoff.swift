import Dispatch
import Synchronization

/// Hands a stream's messages from its task to the thread that called, one at a time.
///
/// The callback may take as long as it likes: it blocks its caller's thread, none of Swift's.
final class MessageHandoff: Sendable {
    /// What the thread is to do next.
    enum Step: Sendable {
        case message(String)
        case end(CallFailure?)
    }

    private struct State {
        var step: Step?
        var verdict: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())
    private let ready = DispatchSemaphore(value: 0)

    /// From the task: gives a message; true if the next one is wanted.
    func give(_ message: String) async -> Bool {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                state.step = .message(message)
                state.verdict = continuation
            }
            ready.signal()
        }
    }

    /// From the task: there will be no more.
    func finish(_ failure: CallFailure?) {
        state.withLock { $0.step = .end(failure) }
        ready.signal()
    }

    /// From the thread: takes every message; what the stream ended in, nil if it ended well.
    func drain(_ callback: (String) -> Bool) -> CallFailure? {
        while true {
            ready.wait()
            let (step, verdict) = state.withLock { state in
                defer { state = State() }
                return (state.step, state.verdict)
            }
            switch step {
            case .message(let message): verdict?.resume(returning: callback(message))
            case .end(let failure): return failure
            case nil: continue
            }
        }
    }
}
