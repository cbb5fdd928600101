internal import Hummingbird
internal import NIOCore
internal import ServiceLifecycle
internal import TollgateKernel

/// Sends one answer at the channel's pace, as badly as its switches say.
struct ChatCompletionStream: Sendable {
    let answer: ChatCompletionAnswer
    let switches: ChannelSwitches
    let provider: ModelProvider
    let callNumber: Int64
    let channel: any Channel
    let client: ClientWatch.State

    /// The client closed the connection.
    private struct ClientLeft: Error {}
    /// A switch ended the stream.
    private struct Disturbed: Error {}

    /// The answer as `text/event-stream`.
    func response(headers: HTTPFields) -> Response {
        var headers = headers
        headers[.contentType] = "text/event-stream; charset=utf-8"
        headers[.cacheControl] = "no-cache"
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                do {
                    try await send(to: &writer)
                    provider.update(callNumber) { $0.outcome = .finished }
                    try await writer.finish(nil)
                } catch is Disturbed {
                    provider.update(callNumber) { $0.outcome = .disturbed }
                    if switches.cutsCleanly { return try await writer.finish(nil) }
                    try await channel.close()
                } catch {
                    provider.update(callNumber) { $0.outcome = .clientLeft }
                    throw error
                }
            })
    }

    /// The answer as one object, after the time that writing it takes.
    func wholeResponse(headers: HTTPFields) async throws -> Response {
        let seconds = Double(answer.tokens.count) / pace
        do {
            try await pause(until: .now + firstTokenDelay + (isInstant ? .zero : .seconds(seconds)))
        } catch {
            provider.update(callNumber) { $0.outcome = .clientLeft }
            throw error
        }
        provider.update(callNumber) { call in
            call.outcome = .finished
            call.completionTokens = answer.tokens.count
        }
        return .json(answer.whole(withUsage: !switches.omitsUsage), headers: headers)
    }

    @concurrent private func send(to writer: inout any ResponseBodyWriter) async throws {
        let start = ContinuousClock.now + firstTokenDelay
        let chunks = answer.chunks(omittingUsage: switches.omitsUsage)
        for (index, chunk) in chunks.enumerated() {
            if index == switches.cutsAfterChunks { throw Disturbed() }
            if index == switches.stallsAfterChunks { try await stall() }
            if !isInstant {
                try await pause(until: start + .seconds(Double(index) / pace))
            }
            guard !client.hasLeft else { throw ClientLeft() }
            try await writer.write(ByteBuffer(string: "data: \(chunk.text)\n\n"))
            // The first chunk is the role, those after it one token each.
            let sentTokens = min(index, answer.tokens.count)
            provider.update(callNumber) { $0.completionTokens = sentTokens }
        }
        try await writer.write(ByteBuffer(string: "data: [DONE]\n\n"))
    }

    private var isInstant: Bool { switches.isInstant }
    private var pace: Double { max(0.1, switches.tokensPerSecond ?? provider.tokensPerSecond) }
    private var firstTokenDelay: Duration {
        isInstant ? .zero : .milliseconds(provider.firstTokenMilliseconds)
    }

    private func stall() async throws {
        try await pause(until: .now + .milliseconds(Limits.sandboxStallMilliseconds))
        throw Disturbed()
    }

    /// Waits; ends early when the sandbox is shutting down, which then must not wait for an answer
    /// that takes its time.
    private func pause(until deadline: ContinuousClock.Instant) async throws {
        while ContinuousClock.now < deadline, !Task.isShuttingDownGracefully {
            guard !client.hasLeft else { throw ClientLeft() }
            let check = ContinuousClock.now + .milliseconds(Limits.sandboxClientCheckMilliseconds)
            try await Task.sleep(until: min(deadline, check), clock: .continuous)
        }
    }
}
