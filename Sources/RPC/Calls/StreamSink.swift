internal import DequeModule
package import NIOCore
import Synchronization

/// The sending end of a stream: keeps order, waits while the reader is behind, ends once.
///
/// Safe from any executor. The connection takes what is queued on its event loop.
package final class StreamSink: Sendable {
    private let state: Mutex<State>
    private let wake: @Sendable () -> Void

    private struct State {
        var window: StreamWindow
        var isChannelWritable = true
        var isEnded = false
        var queued: Deque<ByteBuffer> = []
        var waiters: Deque<Waiter> = []
        var nextWaiter: UInt64 = 0

        var isOpen: Bool { window.isOpen && isChannelWritable }

        /// Those who may go on now; each looks again before it writes.
        mutating func takeReadyWaiters() -> Deque<Waiter> {
            guard isOpen || isEnded else { return [] }
            defer { waiters = [] }
            return waiters
        }
    }

    private struct Waiter {
        let number: UInt64
        let continuation: CheckedContinuation<Void, Never>
    }

    /// Makes a sink; `wake` is called whenever the queue may be taken, from any executor.
    init(window: StreamWindow = StreamWindow(), wake: @escaping @Sendable () -> Void) {
        state = Mutex(State(window: window))
        self.wake = wake
    }

    /// Queues one message once the reader is near enough.
    /// - Throws: `CancellationError` if the stream or the task has ended.
    package func write(_ message: ByteBuffer) async throws {
        while true {
            try Task.checkCancellation()
            let isQueued = try state.withLock { state in
                guard !state.isEnded else { throw CancellationError() }
                guard state.isOpen else { return false }
                state.window.wrote(message.readableBytes)
                state.queued.append(message)
                return true
            }
            if isQueued {
                wake()
                return
            }
            await waitForRoom()
        }
    }

    private func waitForRoom() async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGoOn = state.withLock { state in
                    if state.isOpen || state.isEnded || Task.isCancelled { return true }
                    state.waiters.append(Waiter(number: number, continuation: continuation))
                    return false
                }
                if mayGoOn { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.number == number }.map {
                    state.waiters.remove(at: $0)
                }
            }
            waiter?.continuation.resume()
        }
    }

    /// Takes what is queued, in order.
    func takeQueued() -> Deque<ByteBuffer> {
        state.withLock { state in
            defer { state.queued = [] }
            return state.queued
        }
    }

    /// Takes in the peer's FEEDBACK.
    func peerConsumed(_ total: Int64) {
        resume { $0.window.peerConsumed(total) }
    }

    /// Follows the connection's own queue: full or not.
    func channelIsWritable(_ isWritable: Bool) {
        resume { $0.isChannelWritable = isWritable }
    }

    /// Ends the stream for its writers; what is queued can still be taken.
    func end() {
        resume { $0.isEnded = true }
    }

    private func resume(after change: (inout State) -> Void) {
        let ready = state.withLock { state in
            change(&state)
            return state.takeReadyWaiters()
        }
        for waiter in ready { waiter.continuation.resume() }
    }
}
