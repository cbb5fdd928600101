internal import Synchronization
internal import TollgateKernel

/// One transfer as its two sides share it.
///
/// The transfer thread puts in what arrives, the caller's task takes it out. Neither waits for the
/// other while holding the lock.
final class Transfer: Sendable {
    /// How the caller wants the answer.
    enum Delivery: Sendable {
        /// Woken once, at the end.
        case whole
        /// Woken whenever something arrived; the socket is left alone while the buffer is full.
        case streamed
    }

    /// What the transfer thread says when it lets go of the transfer.
    enum End: Sendable {
        case complete
        case failed(TransferFailure)
    }

    /// What a reader gets.
    enum News: Sendable {
        case bytes([UInt8])
        case end
    }

    /// What became of bytes offered by the transfer thread.
    enum Acceptance { case taken, pause, tooLarge }

    private struct State {
        var head: ResponseHead?
        var buffer: [UInt8] = []
        var received = 0
        var isPaused = false
        var isDiscarding = false
        var isCancelled = false
        var end: End?
        var reader: CheckedContinuation<Void, Never>?
        var closer: CheckedContinuation<Void, Never>?
    }

    let number: UInt64
    let request: OutgoingRequest
    let delivery: Delivery
    private let state = Mutex(State())

    init(number: UInt64, request: OutgoingRequest, delivery: Delivery) {
        self.number = number
        self.request = request
        self.delivery = delivery
    }
}

// MARK: The transfer thread's side

extension Transfer {
    func receive(_ head: ResponseHead) { state.withLock { $0.head = head } }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Acceptance {
        state.withLock { state in
            guard !state.isDiscarding else { return .taken }
            let limit: Int
            switch delivery {
            case .whole: limit = Limits.outgoingResponseBytes
            case .streamed: limit = Limits.outgoingStreamBytes
            }
            guard state.received + bytes.count <= limit else { return .tooLarge }
            // A buffer that has something takes no more than the limit; an empty one takes any
            // piece, so that no piece is too large to get through.
            if case .streamed = delivery, !state.buffer.isEmpty,
                state.buffer.count + bytes.count > Limits.outgoingBufferedBytes
            {
                state.isPaused = true
                return .pause
            }
            // A streamed answer comes in many small pieces, of which most are taken together.
            if state.buffer.isEmpty {
                state.buffer.reserveCapacity(max(bytes.count, Limits.outgoingPieceBytes))
            }
            state.buffer.append(contentsOf: bytes)
            state.received += bytes.count
            return .taken
        }
    }

    /// Wakes the reader if it waits for what has arrived.
    func announce() {
        guard case .streamed = delivery else { return }
        let reader = state.withLock { $0.reader.take() }
        reader?.resume()
    }

    /// Drops what arrives from now on.
    func discard() {
        state.withLock { state in
            state.isDiscarding = true
            state.buffer = []
        }
    }

    func finish(_ end: End) {
        let waiters = state.withLock { state in
            if state.end == nil { state.end = end }
            return (state.reader.take(), state.closer.take())
        }
        waiters.0?.resume()
        waiters.1?.resume()
    }
}

// MARK: The caller's side

extension Transfer {
    /// Waits for the head of the answer.
    func head() async throws -> ResponseHead {
        while true {
            await arrival { $0.head != nil || $0.end != nil }
            let (head, end) = state.withLock { ($0.head, $0.end) }
            if let head { return head }
            try Task.checkCancellation()
            if let end { throw Self.failureBeforeHead(end) }
        }
    }

    /// Waits for the next piece of the body; `resume` is called when the socket was left alone.
    func next(resume: () -> Void) async throws -> News {
        while true {
            await arrival { !$0.buffer.isEmpty || $0.end != nil }
            try Task.checkCancellation()
            let (bytes, wasPaused, end) = state.withLock { state in
                let bytes = state.buffer
                state.buffer = []
                let wasPaused = state.isPaused
                state.isPaused = false
                return (bytes, wasPaused, state.end)
            }
            if wasPaused { resume() }
            if !bytes.isEmpty { return .bytes(bytes) }
            switch end {
            case .complete: return .end
            case .failed(let failure): throw failure
            case nil: continue
            }
        }
    }

    /// Waits for the whole answer.
    func whole() async throws -> OutgoingResponse {
        await arrival { $0.end != nil }
        let (head, body, end) = state.withLock { ($0.head, $0.buffer, $0.end) }
        switch end {
        case .complete:
            guard let head else { throw Self.failureBeforeHead(.complete) }
            return OutgoingResponse(head: head, body: body)
        case .failed(let failure):
            throw failure
        case nil:
            throw CancellationError()
        }
    }

    /// Whether the transfer thread has let go of the transfer.
    var hasEnded: Bool { state.withLock { $0.end != nil } }

    /// Waits, whether the task is cancelled or not, until the transfer thread has let go.
    func ended(afterAsking ask: () -> Void) async {
        ask()
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                guard state.end == nil else { return true }
                state.closer = continuation
                return false
            }
            if ended { continuation.resume() }
        }
    }

    private static func failureBeforeHead(_ end: End) -> TransferFailure {
        if case .failed(let failure) = end { return failure }
        return TransferFailure(.malformed, "The answer ended before its head")
    }

    /// Returns when the condition holds, something arrived, or the task was cancelled.
    private func arrival(_ holds: (borrowing State) -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    guard !holds(state), !state.isCancelled else { return true }
                    state.reader = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            let reader = state.withLock { state in
                state.isCancelled = true
                return state.reader.take()
            }
            reader?.resume()
        }
    }
}
