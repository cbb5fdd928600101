internal import DequeModule
package import NIOCore
import Synchronization
import TollgateKernel
package import TollgateWire

/// The sending end of a stream: keeps order, waits while the reader or the connection is behind,
/// ends once.
///
/// Safe from any executor. The connection takes what is queued on its event loop, a fragment at a
/// time, so that streams take turns.
package final class StreamSink: Sendable {
    private let state: Mutex<State>
    private let tooLarge: Failure
    private let wake: @Sendable () -> Void

    private struct State {
        var window: StreamWindow
        var unsentBytes = 0
        var end: End?
        var finish = Finish.going
        var queued: Deque<ByteBuffer> = []
        var waiters: Deque<Waiter> = []
        var nextWaiter: UInt64 = 0

        var isOpen: Bool { window.isOpen && unsentBytes < Limits.rpcStreamUnsentBytes }

        var hasPieces: Bool { !queued.isEmpty || finish == .asked }

        /// Those who may go on now; each looks again before it writes.
        mutating func takeReadyWaiters() -> Deque<Waiter> {
            guard isOpen || end != nil else { return [] }
            defer { waiters = [] }
            return waiters
        }
    }

    /// Whether the writer has said that nothing more comes.
    private enum Finish { case going, asked, sent }

    private struct Waiter {
        let number: UInt64
        let continuation: CheckedContinuation<Void, Never>
    }

    /// Why nothing more can be written.
    enum End: Sendable {
        /// The call was given up.
        case cancelled
        /// The peer ended the stream with this error.
        case failed(any Error)
        /// The peer ended the stream well before it had everything.
        case done
    }

    /// What the connection sends next.
    enum Piece {
        /// A message or a part of one.
        case fragment(ByteBuffer, hasContinuation: Bool)
        /// Nothing more comes in this direction.
        case finish
    }

    /// Makes a sink; `wake` is called from any executor once there is something to take after there
    /// was nothing.
    init(
        window: StreamWindow = StreamWindow(),
        tooLarge: Failure = .requestTooLarge, wake: @escaping @Sendable () -> Void
    ) {
        state = Mutex(State(window: window))
        self.tooLarge = tooLarge
        self.wake = wake
    }

    /// Queues one message once the reader is near enough; false if the peer wants no more.
    /// - Throws: `CancellationError` if the call was given up or the task cancelled; what the peer
    ///   ended the stream with; what a unary call of such a message ends with, if no reader takes
    ///   one as long.
    @discardableResult
    package func write(_ message: ByteBuffer) async throws -> Bool {
        guard message.readableBytes <= Limits.rpcBodyBytes else { throw RPCError(tooLarge) }
        while true {
            try Task.checkCancellation()
            let step = try state.withLock { state -> Step in
                switch state.end {
                case .cancelled: throw CancellationError()
                case .failed(let error): throw error
                case .done: return .done
                case nil: break
                }
                guard state.finish == .going else { throw CancellationError() }
                guard state.isOpen else { return .wait }
                let wasEmpty = !state.hasPieces
                state.window.wrote(message.readableBytes)
                state.unsentBytes += message.readableBytes + Limits.rpcFrameOverheadBytes
                state.queued.append(message)
                return wasEmpty ? .queuedFirst : .queued
            }
            switch step {
            case .queuedFirst:
                wake()
                return true
            case .queued: return true
            case .done: return false
            case .wait: await waitForRoom()
            }
        }
    }

    private enum Step { case queuedFirst, queued, done, wait }

    /// Queues one message as ``write(_:)-(ByteBuffer)`` does.
    /// - Throws: as that does, and ``WireError`` if the message cannot be written.
    @discardableResult
    package func write(_ message: some WireMessage) async throws -> Bool {
        try await write(message.withEncoded { ByteBuffer(bytes: $0) })
    }

    /// Says that nothing more comes; nothing happens if the stream has ended.
    package func finish() {
        let isFirst = state.withLock { state in
            guard state.finish == .going, state.end == nil else { return false }
            defer { state.finish = .asked }
            return !state.hasPieces
        }
        if isFirst { wake() }
    }

    private func waitForRoom() async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGoOn = state.withLock { state in
                    if state.isOpen || state.end != nil || Task.isCancelled { return true }
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

    // MARK: From the connection

    /// Whether there is something to take.
    var hasPieces: Bool { state.withLock { $0.hasPieces } }

    /// Takes the next fragment, or what comes after the last; nil if there is nothing.
    func takePiece() -> (piece: Piece, hasMore: Bool)? {
        let (piece, hasMore, ready) = state.withLock { state -> (Piece?, Bool, Deque<Waiter>) in
            guard var message = state.queued.popFirst() else {
                guard state.finish == .asked else { return (nil, false, []) }
                state.finish = .sent
                return (.finish, false, [])
            }
            let length = min(message.readableBytes, Limits.rpcFragmentBytes)
            let fragment = message.readSlice(length: length) ?? ByteBuffer()
            let hasContinuation = message.readableBytes > 0
            state.unsentBytes -= length + (hasContinuation ? 0 : Limits.rpcFrameOverheadBytes)
            if hasContinuation { state.queued.prepend(message) }
            return (
                .fragment(fragment, hasContinuation: hasContinuation), state.hasPieces,
                state.takeReadyWaiters()
            )
        }
        for waiter in ready { waiter.continuation.resume() }
        return piece.map { ($0, hasMore) }
    }

    /// Takes in the peer's FEEDBACK.
    func peerConsumed(_ total: Int64) {
        resume { $0.window.peerConsumed(total) }
    }

    /// Takes in what the receiver says before anything is written: how many unread bytes it keeps,
    /// if it tells, and whether messages count in them too.
    func agree(windowBytes: Int64?, chargesMessages: Bool) {
        resume { state in
            if let windowBytes { state.window.limit(to: windowBytes) }
            state.window.chargesMessages = chargesMessages
        }
    }

    /// Ends the stream for its writers; what is queued can still be taken.
    ///
    /// The first end counts.
    func end(_ end: End = .cancelled) {
        resume { state in if state.end == nil { state.end = end } }
    }

    /// Ends the stream for its writers and drops what is queued.
    func discard(_ end: End = .cancelled) {
        resume { state in
            if state.end == nil { state.end = end }
            state.queued = []
            state.unsentBytes = 0
            state.finish = .sent
        }
    }

    private func resume(after change: (inout State) -> Void) {
        let ready = state.withLock { state in
            change(&state)
            return state.takeReadyWaiters()
        }
        for waiter in ready { waiter.continuation.resume() }
    }
}
