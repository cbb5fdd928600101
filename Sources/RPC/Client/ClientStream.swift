import DequeModule
import NIOCore
import Synchronization
import TollgateKernel

/// The receiving end of a stream: keeps what arrived until it is read.
///
/// Bounded by the server's window: it is told how far the reader is only as messages are read.
final class ClientStream: IncomingStream {
    private struct State {
        var messages: Deque<[UInt8]> = []
        var consumed: Int64 = 0
        var buffered = 0
        var end: Result<Void, any Error>?
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let connection: ClientConnection
    private let call: ClientCall

    init(connection: ClientConnection, call: ClientCall) {
        self.connection = connection
        self.call = call
    }

    func next() async throws -> [UInt8]? {
        while true {
            try Task.checkCancellation()
            let step = state.withLock { state -> Step in
                if let message = state.messages.popFirst() {
                    state.consumed += Int64(message.count)
                    state.buffered -= message.count
                    let caughtUp = state.messages.isEmpty
                    return .message(message, consumed: state.consumed, caughtUp: caughtUp)
                }
                return state.end.map { .end($0) } ?? .wait
            }
            switch step {
            case .message(let message, let consumed, let caughtUp):
                connection.submit(.consumed(call, consumed, caughtUp: caughtUp))
                return message
            case .end(let result):
                try result.get()
                return nil
            case .wait:
                await waitForMore()
            }
        }
    }

    private enum Step {
        case message([UInt8], consumed: Int64, caughtUp: Bool)
        case end(Result<Void, any Error>)
        case wait
    }

    private func waitForMore() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    let mayWait =
                        state.messages.isEmpty && state.end == nil && !Task.isCancelled
                        && state.reader == nil
                    if mayWait { state.reader = continuation }
                    return !mayWait
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            cancel()
        }
    }

    func cancel() {
        end(.failure(CancellationError()))
        connection.submit(.cancel(call))
    }

    // MARK: From the connection

    /// Takes in a message; false if so much is unread that the server cannot have kept its window.
    func deliver(_ message: [UInt8]) -> Bool {
        let (reader, isBounded) = state.withLock { state in
            guard state.end == nil else { return (nil as CheckedContinuation<Void, Never>?, true) }
            state.messages.append(message)
            state.buffered += message.count
            defer { state.reader = nil }
            return (state.reader, state.buffered <= Limits.rpcStreamUnreadBytes)
        }
        reader?.resume()
        return isBounded
    }

    /// Ends the stream after what was delivered; the first end counts.
    func end(_ result: Result<Void, any Error>) {
        let reader = state.withLock { state in
            if state.end == nil { state.end = result }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }
}
