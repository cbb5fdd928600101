/// One turn of a conversation.
package struct ChatMessage: Hashable, Sendable {
    /// Who speaks.
    package enum Role: String, Hashable, Sendable, CaseIterable {
        case system
        case user
        case assistant
    }

    /// Who speaks.
    package var role: Role
    /// What is said, in UTF-8.
    package var content: String

    /// Makes a turn.
    package init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}

/// Tokens of one answer, as the provider counted them.
package struct TokenUsage: Hashable, Sendable {
    /// Tokens of the prompt.
    package var promptTokens: Int64
    /// Tokens of the answer.
    package var completionTokens: Int64

    /// Makes a count; negative numbers are the provider's defect and are read as zero.
    package init(promptTokens: Int64, completionTokens: Int64) {
        self.promptTokens = max(0, promptTokens)
        self.completionTokens = max(0, completionTokens)
    }
}

/// A provider's endpoint and key, resolved for one call.
package struct ModelEndpoint: Sendable {
    /// The interface the provider speaks.
    package enum Kind: String, Hashable, Sendable {
        /// `POST {base}/chat/completions` as OpenAI documents it.
        case openAICompatible = "openai"
    }

    /// The channel's stable key, for logs and metrics.
    package var channel: String
    /// The interface.
    package var kind: Kind
    /// Such as `https://api.openai.com/v1`, without a slash at its end.
    package var baseURL: String
    /// The bearer key; never logged.
    package var apiKey: String

    /// Makes an endpoint.
    package init(channel: String, kind: Kind, baseURL: String, apiKey: String) {
        self.channel = channel
        self.kind = kind
        self.baseURL = baseURL
        self.apiKey = apiKey
    }
}

/// What is asked of a provider.
package struct ModelRequest: Sendable {
    /// The provider's own name of the model.
    package var upstreamModel: String
    /// The conversation, oldest first.
    package var messages: [ChatMessage]
    /// The most tokens the answer may have; always sent.
    package var maxTokens: Int64
    /// Sent as `x-request-id`, so that both sides' logs meet.
    package var correlationID: String

    /// Makes a request.
    package init(
        upstreamModel: String, messages: [ChatMessage], maxTokens: Int64, correlationID: String
    ) {
        self.upstreamModel = upstreamModel
        self.messages = messages
        self.maxTokens = maxTokens
        self.correlationID = correlationID
    }
}

/// What a provider's stream says.
package enum ModelEvent: Hashable, Sendable {
    /// A piece of the answer's text, whole characters only, never empty.
    case delta(String)
    /// The answer is complete (`[DONE]` was seen). The reason is `stop`, `length`,
    /// `content_filter`, `tool_calls` or `unknown`. Usage is nil if the provider gave none that
    /// makes sense.
    case finished(reason: String, usage: TokenUsage?)
}

/// Why a provider gave no (whole) answer.
package struct ModelGatewayFailure: Error, Hashable, Sendable {
    /// The kind of failure, which decides about failover.
    package enum Kind: String, Hashable, Sendable {
        /// Connection refused, name not found, TLS failure.
        case unreachable
        /// No byte within the time allowed, or a stall between bytes.
        case timedOut = "timed_out"
        /// 429 or an overload code: another channel may do.
        case overloaded
        /// 5xx.
        case serverError = "server_error"
        /// 401, 403, insufficient quota: this key is no good; another channel may do.
        case rejectedKey = "rejected_key"
        /// 404, 405, 410: no such model or no such interface there; another channel has its own
        /// address and its own name for the model.
        case unknownModel = "unknown_model"
        /// 400, 413, 422: the request itself is refused; another channel will refuse it too.
        case invalidRequest = "invalid_request"
        /// The stream ended without `[DONE]`, or inside an event.
        case truncated
        /// Not the answer of such a provider: wrong content type, broken JSON, a line too long.
        case malformed
    }

    /// What kind.
    package var kind: Kind
    /// The HTTP status, if one came.
    package var status: Int?
    /// A sentence for the operator; no keys, no prompt.
    package var message: String
    /// `Retry-After`, if the provider sent one that makes sense.
    package var retryAfterMilliseconds: Int64?

    /// Makes a failure.
    package init(
        _ kind: Kind, status: Int? = nil, message: String, retryAfterMilliseconds: Int64? = nil
    ) {
        self.kind = kind
        self.status = status
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// Whether it may be the key's doing alone: another key at the same provider may be welcome,
    /// or have more models.
    package var concernsKey: Bool {
        kind == .rejectedKey || kind == .overloaded || kind == .unknownModel
    }

    /// Whether the next channel may be asked, as long as no token has left.
    package var allowsFailover: Bool { kind != .invalidRequest }
}

/// Asks providers for streamed answers.
///
/// Implemented over libcurl in Gateways.
package protocol ModelGateway: Sendable {
    /// Starts one streamed answer and gives each event to `onEvent` in order.
    ///
    /// Returns after `.finished` was delivered. Back-pressure: the next event waits until `onEvent`
    /// returns. Cancelling the task, or an error from `onEvent`, closes the upstream connection
    /// before this returns; the error is rethrown as it is.
    ///
    /// - Throws: ``ModelGatewayFailure``; a `Failure` with `.unavailable` if too many answers are
    ///   under way here, which says nothing about the provider; `CancellationError`; or what
    ///   `onEvent` threw.
    func stream(
        _ request: ModelRequest, from endpoint: ModelEndpoint,
        onEvent: (ModelEvent) async throws -> Void
    ) async throws
}
