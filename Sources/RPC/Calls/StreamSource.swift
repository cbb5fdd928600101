internal import DequeModule
import Synchronization
import TollgateKernel

/// The receiving end of a stream: keeps what arrived until it is read.
///
/// Bounded by its connection, which resets a sender that does not keep the window; the sender is
/// told how far the reader is only as messages are read.
final class StreamSource: IncomingStream {
    private struct State {
        var messages: Deque<[UInt8]> = []
        var consumed: Int64 = 0
        var reported: Int64 = 0
        var unreportedMessages = 0
        var reporting = Reporting()
        var end: Result<Void, any Error>?
        var trailers: [String: String] = [:]
        var reader: CheckedContinuation<Wakening, Never>?
    }

    /// When the connection is told how far the reader is.
    struct Reporting: Hashable, Sendable {
        /// After so many bytes more, each message counted beside its own.
        var everyBytes = Limits.rpcStreamWindowBytes / 4
        /// Also whenever everything that came has been read.
        var whenCaughtUp = false
        /// Each message counts beside its bytes, as it does in the window (E5).
        var chargesMessages = false
    }

    /// Why a reader goes on.
    private enum Wakening {
        /// There may be something to take.
        case look
        /// Another reader waits already.
        case isSecond
    }

    private let state = Mutex(State())
    private let read: @Sendable (_ totalBytes: Int64, _ messages: Int) -> Void
    private let cancelled: @Sendable () -> Void

    /// Makes a source; `read` is told how far the reader is, `cancelled` that it left, both from
    /// any executor.
    init(
        read: @escaping @Sendable (_ totalBytes: Int64, _ messages: Int) -> Void,
        cancelled: @escaping @Sendable () -> Void
    ) {
        self.read = read
        self.cancelled = cancelled
    }

    /// Metadata that came with the stream's end.
    var trailers: [String: String] { state.withLock { $0.trailers } }

    func next() async throws -> [UInt8]? {
        while true {
            try Task.checkCancellation()
            switch state.withLock({ Self.step(&$0) }) {
            case .message(let message, let report):
                if let report { read(report.total, report.messages) }
                return message
            case .end(let result):
                try result.get()
                return nil
            case .wait:
                guard await waitForMore() == .look else { throw Self.secondReader }
            }
        }
    }

    private enum Step {
        case message([UInt8], report: (total: Int64, messages: Int)?)
        case end(Result<Void, any Error>)
        case wait
    }

    private static func step(_ state: inout State) -> Step {
        guard let message = state.messages.popFirst() else {
            return state.end.map { .end($0) } ?? .wait
        }
        let charge = state.reporting.chargesMessages ? Limits.rpcStreamMessageBytes : 0
        state.consumed += Int64(message.count + charge)
        state.unreportedMessages += 1
        let messageBytes = Int64(state.unreportedMessages * Limits.rpcStreamMessageBytes)
        let isDue =
            max(state.consumed - state.reported, messageBytes) >= max(1, state.reporting.everyBytes)
            || state.reporting.whenCaughtUp && state.messages.isEmpty
        guard isDue else { return .message(message, report: nil) }
        defer { state.unreportedMessages = 0 }
        state.reported = state.consumed
        return .message(message, report: (state.consumed, state.unreportedMessages))
    }

    private static let secondReader = RPCError(
        code: RPCError.Code.badResponse,
        text: "Two tasks read one stream at the same time; a stream has one reader")

    private func waitForMore() async -> Wakening {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let wakening = state.withLock { state -> Wakening? in
                    guard state.messages.isEmpty, state.end == nil, !Task.isCancelled else {
                        return .look
                    }
                    guard state.reader == nil else { return .isSecond }
                    state.reader = continuation
                    return nil
                }
                if let wakening { continuation.resume(returning: wakening) }
            }
        } onCancel: {
            cancel()
        }
    }

    func cancel() {
        end(.failure(CancellationError()))
        cancelled()
    }

    // MARK: From the connection

    /// Sets when the connection wants to know how far the reader is.
    func report(_ reporting: Reporting) { state.withLock { $0.reporting = reporting } }

    /// Takes in a message.
    func deliver(_ message: [UInt8]) {
        let reader = state.withLock { state -> CheckedContinuation<Wakening, Never>? in
            guard state.end == nil else { return nil }
            state.messages.append(message)
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: .look)
    }

    /// Ends the stream after what was delivered; the first end counts.
    func end(_ result: Result<Void, any Error>, trailers: [String: String] = [:]) {
        let reader = state.withLock { state in
            if state.end == nil {
                state.end = result
                state.trailers = trailers
            }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: .look)
    }
}
