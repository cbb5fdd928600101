package import Chat
package import TollgateKernel

/// Streams answers from providers that speak OpenAI's chat completions (payments reference, 1.10).
///
/// An answer counts as whole only when `[DONE]` was seen: the providers' own libraries take a cut
/// stream for a finished one.
package struct OpenAICompatibleGateway: ModelGateway {
    private let transfers: HTTPTransfers
    private let clock: any WallClock
    private let timeouts: TransferTimeouts

    /// What suits models that think before they speak.
    package static let defaultTimeouts = TransferTimeouts(
        connectMilliseconds: 5_000, firstByteMilliseconds: 60_000, idleMilliseconds: 60_000,
        totalMilliseconds: 600_000)

    /// Makes a gateway; `clock` is what dates in `Retry-After` are compared with.
    package init(
        transfers: HTTPTransfers, clock: any WallClock,
        timeouts: TransferTimeouts = OpenAICompatibleGateway.defaultTimeouts
    ) {
        self.transfers = transfers
        self.clock = clock
        self.timeouts = timeouts
    }

    package func stream(
        _ request: ModelRequest, from endpoint: ModelEndpoint,
        onEvent: (ModelEvent) async throws -> Void
    ) async throws {
        let outgoing = OutgoingRequest(
            .post, url: endpoint.baseURL + "/chat/completions",
            headers: [
                ("Authorization", "Bearer \(endpoint.apiKey)"),
                ("Content-Type", "application/json"), ("Accept", "text/event-stream"),
                ("X-Request-Id", request.correlationID),
            ],
            body: Self.body(of: request), timeouts: timeouts, acceptsCompression: true)
        let failure: ModelGatewayFailure?
        do {
            failure = try await transfers.withResponse(to: outgoing) { head, body in
                if let refusal = try await refusal(head, body) { return refusal }
                try await Self.relay(body, onEvent)
                return nil
            }
        } catch let error as TransferFailure {
            // Our own fullness says nothing about the channel.
            if error.kind == .tooMany { throw Self.tooMany }
            throw ModelGatewayFailure(error)
        }
        if let failure { throw failure }
    }

    private static let tooMany = Failure(
        .unavailable, "Too many answers are under way here; ask again in a moment.",
        retryAfterMilliseconds: Limits.outgoingRetryMilliseconds)

    private static func body(of request: ModelRequest) -> [UInt8] {
        let messages = request.messages.map { message -> JSONValue in
            ["role": .string(message.role.rawValue), "content": .string(message.content)]
        }
        let value: JSONValue = [
            "model": .string(request.upstreamModel), "messages": .array(messages),
            "stream": true, "stream_options": ["include_usage": true],
            "max_tokens": .integer(request.maxTokens),
        ]
        return value.encoded()
    }

    /// Why this answer is not the stream asked for; nil if it is.
    private func refusal(_ head: ResponseHead, _ body: IncomingBody) async throws
        -> ModelGatewayFailure?
    {
        guard head.status != 200 else {
            guard head.mediaType != "text/event-stream" else { return nil }
            return ModelGatewayFailure(
                .malformed, status: 200, message: "The provider answered with no event stream")
        }
        var text: [UInt8] = []
        // An error is worth reporting even if its body breaks off.
        while text.count < Limits.modelErrorBytes {
            do {
                guard let piece = try await body.next() else { break }
                text += piece
            } catch is TransferFailure {
                break
            }
        }
        let error = ProviderError(body: text)
        return ModelGatewayFailure(
            error.kind(forStatus: head.status), status: head.status,
            message: "The provider answered \(head.status)\(error.description)",
            retryAfterMilliseconds: head.retryAfterMilliseconds(now: clock.now()))
    }

    private static func relay(
        _ body: IncomingBody, _ onEvent: (ModelEvent) async throws -> Void
    ) async throws {
        var parser = ServerSentEvents()
        var answer = AnswerInProgress()
        while let piece = try await body.next() {
            var events: [ServerSentEvents.Event] = []
            var failure: ModelGatewayFailure?
            do {
                try parser.append(piece, to: &events)
            } catch {
                failure = ModelGatewayFailure(
                    .malformed, status: 200, message: "An event is too large")
            }
            let news = answer.take(events)
            // What arrived before the fault is delivered, and will be billed.
            if !news.text.isEmpty { try await onEvent(.delta(news.text)) }
            if let failure = news.failure ?? failure { throw failure }
            if let end = news.end { return try await onEvent(end) }
        }
        throw ModelGatewayFailure(
            .truncated, status: 200,
            message: parser.isInsideEvent
                ? "The stream ended inside an event" : "The stream ended without [DONE]")
    }
}

/// What is known of an answer between its events.
private struct AnswerInProgress {
    private static let endMark = Array("[DONE]".utf8)

    private var finishReason: String?
    private var usage: TokenUsage?
    private var hasText = false

    /// What came to light in one arrival.
    struct News {
        /// Text of all its deltas: what arrives together leaves together, in one message.
        var text = ""
        /// The end of the answer; what follows it is passed over.
        var end: ModelEvent?
        /// Why nothing after the text counts.
        var failure: ModelGatewayFailure?
    }

    /// Takes the events of one arrival.
    mutating func take(_ events: [ServerSentEvents.Event]) -> News {
        var news = News()
        for event in events where news.end == nil {
            do throws(ModelGatewayFailure) {
                switch try take(event) {
                case .delta(let text): news.text += text
                case .finished(let reason, let usage):
                    news.end = .finished(reason: reason, usage: usage)
                case nil: break
                }
            } catch {
                news.failure = error
                break
            }
        }
        return news
    }

    /// What the caller is to be told of an event, if anything.
    private mutating func take(
        _ event: ServerSentEvents.Event
    ) throws(ModelGatewayFailure) -> ModelEvent? {
        if event.data == Self.endMark { return try end() }
        let chunk: ChatChunk
        do {
            chunk = try ChatChunk(parsing: event.data)
        } catch {
            throw ModelGatewayFailure(
                .malformed, status: 200, message: "An event is not the JSON of such a provider")
        }
        if let error = chunk.error {
            throw ModelGatewayFailure(
                error.kind ?? .serverError, status: 200,
                message: "The provider broke off\(error.description)")
        }
        finishReason = chunk.finishReason ?? finishReason
        hasText = hasText || !chunk.content.isEmpty
        // Some count anew with every event: the last count is the whole. One of no tokens for the
        // answer takes back none before it.
        if let counted = chunk.usage, usage == nil || counted.completionTokens > 0 {
            usage = counted
        }
        return chunk.content.isEmpty ? nil : .delta(chunk.content)
    }

    /// The end that `[DONE]` says, unless the reason given before it says that this is none.
    private func end() throws(ModelGatewayFailure) -> ModelEvent {
        switch finishReason {
        case "network_error", "insufficient_system_resource":
            throw ModelGatewayFailure(
                .truncated, status: 200, message: "The provider broke the answer off itself")
        default: break
        }
        // Text that cost no token: our estimate is better.
        let counted = usage.flatMap { hasText && $0.completionTokens == 0 ? nil : $0 }
        return .finished(reason: Self.reasons[finishReason ?? ""] ?? "unknown", usage: counted)
    }

    /// Why an answer ended, in OpenAI's words; Zhipu says `sensitive` (payments reference, 1.10).
    private static let reasons = [
        "stop": "stop", "length": "length", "content_filter": "content_filter",
        "sensitive": "content_filter", "tool_calls": "tool_calls", "function_call": "tool_calls",
    ]
}

extension ProviderError {
    /// The kind of failure of an answer with this error and an HTTP status other than 200.
    fileprivate func kind(forStatus status: Int) -> ModelGatewayFailure.Kind {
        switch status {
        case 401, 402, 403: .rejectedKey
        case 404, 405, 410: kind == .rejectedKey ? .rejectedKey : .unknownModel
        case 408: .timedOut
        case 409, 425: .overloaded
        case 429: kind == .rejectedKey ? .rejectedKey : .overloaded
        case 400..<500:
            switch kind {
            case .rejectedKey: .rejectedKey
            case .overloaded: .overloaded
            case .unknownModel: .unknownModel
            default: .invalidRequest
            }
        case 500..<600: kind == .overloaded ? .overloaded : .serverError
        default: .malformed
        }
    }
}

extension ModelGatewayFailure {
    /// What a failure of the transfer means for an answer.
    fileprivate init(_ failure: TransferFailure) {
        switch failure.kind {
        case .unreachable, .shutDown: self.init(.unreachable, message: failure.message)
        case .timedOut: self.init(.timedOut, message: failure.message)
        case .interrupted: self.init(.truncated, message: failure.message)
        case .tooLarge, .malformed: self.init(.malformed, message: failure.message)
        case .tooMany: self.init(.unreachable, message: failure.message)
        case .invalidRequest:
            // The address and key of the channel are wrong, not the conversation.
            self.init(.unreachable, message: failure.message)
        }
    }
}
