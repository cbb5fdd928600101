import Chat
import Synchronization
import TollgateKernel

/// A provider that does what a test says, channel by channel.
final class ScriptedModels: ModelGateway {
    /// One thing a channel does.
    enum Step: Sendable {
        case event(ModelEvent)
        case fail(ModelGatewayFailure.Kind)
        /// Waits until the test opens this gate, or the call is cancelled.
        case wait(Gate)
    }

    private struct State {
        var scripts: [String: [Step]] = [:]
        var asked: [String] = []
        var requests: [ModelRequest] = []
        var cancelled = 0
    }

    private let state = Mutex(State())

    /// What a channel does from now on; a channel without a script answers “ok”.
    func script(_ channel: String, _ steps: [Step]) {
        state.withLock { $0.scripts[channel] = steps }
    }

    /// Channels in the order they were asked.
    var asked: [String] { state.withLock { $0.asked } }
    /// What they were asked.
    var requests: [ModelRequest] { state.withLock { $0.requests } }
    /// Calls that ended by cancellation.
    var cancelled: Int { state.withLock { $0.cancelled } }

    func stream(
        _ request: ModelRequest, from endpoint: ModelEndpoint,
        onEvent: (ModelEvent) async throws -> Void
    ) async throws {
        let steps = state.withLock { state -> [Step] in
            state.asked.append(endpoint.channel)
            state.requests.append(request)
            return state.scripts[endpoint.channel]
                ?? [.event(.delta("ok")), .event(.finished(reason: "stop", usage: Self.usage))]
        }
        do {
            for step in steps {
                try Task.checkCancellation()
                switch step {
                case .event(let event): try await onEvent(event)
                case .fail(let kind): throw ModelGatewayFailure(kind, message: "scripted")
                case .wait(let gate): try await gate.wait()
                }
            }
        } catch is CancellationError {
            state.withLock { $0.cancelled += 1 }
            throw CancellationError()
        }
    }

    static let usage = TokenUsage(promptTokens: 5, completionTokens: 7)
}

/// Something a test opens; waiting for it can be cancelled.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }

    func wait() async throws {
        for await _ in stream {}
        try Task.checkCancellation()
    }
}
