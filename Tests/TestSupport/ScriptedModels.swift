package import Chat
import Synchronization
import TollgateKernel

/// A provider that does what a test says, channel by channel.
package final class ScriptedModels: ModelGateway {
    /// One thing a channel does.
    package enum Step: Sendable {
        case event(ModelEvent)
        case fail(ModelGatewayFailure.Kind)
        /// Waits until the test opens this gate, or the call is cancelled.
        case wait(Gate)
    }

    private struct State {
        var scripts: [String: [Step]] = [:]
        var asked: [String] = []
        var requests: [ModelRequest] = []
        var keys: [String] = []
        var cancelled = 0
    }

    private let state = Mutex(State())

    /// Makes a provider without scripts.
    package init() {}

    /// What a channel does from now on; a channel without a script answers “ok”.
    package func script(_ channel: String, _ steps: [Step]) {
        state.withLock { $0.scripts[channel] = steps }
    }

    /// Channels in the order they were asked.
    package var asked: [String] { state.withLock { $0.asked } }
    /// What they were asked.
    package var requests: [ModelRequest] { state.withLock { $0.requests } }
    /// The keys they were asked with.
    package var keys: [String] { state.withLock { $0.keys } }
    /// Calls that ended by cancellation.
    package var cancelled: Int { state.withLock { $0.cancelled } }

    package func stream(
        _ request: ModelRequest, from endpoint: ModelEndpoint,
        onEvent: (ModelEvent) async throws -> Void
    ) async throws {
        let steps = state.withLock { state -> [Step] in
            state.asked.append(endpoint.channel)
            state.requests.append(request)
            state.keys.append(endpoint.apiKey)
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

    /// What an answer without a script uses.
    package static let usage = TokenUsage(promptTokens: 5, completionTokens: 7)
}

/// Something a test opens; waiting for it can be cancelled.
package final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// Makes a closed gate.
    package init() { (stream, continuation) = AsyncStream.makeStream() }

    /// Opens it for ever.
    package func open() { continuation.finish() }

    /// Waits until it is open.
    package func wait() async throws {
        for await _ in stream {}
        try Task.checkCancellation()
    }
}
