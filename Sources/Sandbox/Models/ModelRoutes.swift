internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TollgateKernel

/// The OpenAI-compatible interface of each channel.
struct ModelRoutes: Sendable {
    let provider: ModelProvider
    let clock: any WallClock
    let random: any RandomSource

    /// Adds `/chat/completions` and `/models` under each channel's path.
    func add(to router: Router<SandboxContext>) {
        for channel in provider.channels.values {
            router.post("\(channel.basePath)/chat/completions") { request, context in
                try await complete(request, context, on: channel)
            }
            router.get("\(channel.basePath)/models") { request, _ in
                list(request, on: channel)
            }
        }
    }

    private func list(_ request: Request, on channel: ModelChannel) -> Response {
        if let refusal = refusal(of: request, on: channel) { return answer(refusal) }
        let models = provider.models.map { name -> JSONValue in
            [
                "id": .string(name), "object": "model", "created": 1_735_689_600,
                "owned_by": "tollgate-sandbox",
            ]
        }
        return .json(["object": "list", "data": .array(models)], headers: headers())
    }

    private func complete(
        _ request: Request, _ context: SandboxContext, on channel: ModelChannel
    ) async throws -> Response {
        let switches = provider.switches(of: channel.name)
        var call = ModelCall(
            number: 0, channel: channel.name, model: "",
            clientRequestID: request.headers[.clientRequestID],
            startedAtMilliseconds: clock.now().milliseconds, promptTokens: 0, completionTokens: 0,
            status: 200, outcome: .running)
        if switches.closesConnection {
            call.status = 0
            call.outcome = .disturbed
            _ = provider.begin(call)
            try await context.channel.close()
            return Response(status: .internalServerError)
        }
        do {
            if let refusal = refusal(of: request, on: channel) { throw refusal }
            if let status = switches.failStatus {
                throw ModelProviderError.asked(status: status, code: switches.failCode)
            }
            let wanted = try ChatCompletionRequest(body: try await request.wholeBody())
            call.model = wanted.model
            call.promptTokens = Tokens.count(wanted.messages)
            try check(wanted, promptTokens: call.promptTokens)
            let answer = ChatCompletionAnswer(
                to: wanted, id: "chatcmpl-" + random.letters(29),
                createdSeconds: clock.now().seconds)
            let stream = ChatCompletionStream(
                answer: answer, switches: switches, provider: provider,
                callNumber: provider.begin(call), channel: context.channel,
                client: try await ClientWatch.state(of: context.channel))
            return wanted.isStreamed
                ? stream.response(headers: headers())
                : try await stream.wholeResponse(headers: headers())
        } catch let refusal as ModelProviderError {
            call.status = refusal.status
            call.outcome = .refused
            _ = provider.begin(call)
            return self.answer(refusal, retryAfterSeconds: switches.retryAfterSeconds)
        }
    }

    private func refusal(of request: Request, on channel: ModelChannel) -> ModelProviderError? {
        let authorization = request.headers[.authorization] ?? ""
        guard authorization.lowercased().hasPrefix("bearer ") else {
            return .invalidRequest(
                "You didn't provide an API key. You need to provide your API key in an "
                    + "Authorization header using Bearer auth (i.e. Authorization: Bearer "
                    + "YOUR_KEY).", parameter: nil, status: 401)
        }
        let key = authorization.dropFirst("bearer ".count)
        guard key == channel.key else {
            return .invalidRequest(
                "Incorrect API key provided: \(key.prefix(3))***.", parameter: nil, status: 401,
                code: "invalid_api_key")
        }
        return nil
    }

    private func check(_ wanted: ChatCompletionRequest, promptTokens: Int)
        throws(ModelProviderError)
    {
        guard provider.models.contains(wanted.model) else {
            throw .invalidRequest(
                "The model `\(wanted.model)` does not exist or you do not have access to it.",
                parameter: nil, status: 404, code: "model_not_found")
        }
        guard promptTokens <= Limits.sandboxContextTokens else {
            throw .invalidRequest(
                "This model's maximum context length is \(Limits.sandboxContextTokens) tokens. "
                    + "However, your messages resulted in \(promptTokens) tokens.",
                parameter: "messages", code: "context_length_exceeded")
        }
    }

    private func answer(_ refusal: ModelProviderError, retryAfterSeconds: Int? = nil) -> Response {
        var headers = headers()
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        return .json(refusal.body, status: refusal.status, headers: headers)
    }

    private func headers() -> HTTPFields {
        var headers: HTTPFields = [.openAIVersion: "2020-10-01"]
        headers[.clientRequestID] = "req_" + random.letters(32).lowercased()
        return headers
    }
}

extension HTTPField.Name {
    static var clientRequestID: HTTPField.Name { named("x-request-id") }
    fileprivate static var openAIVersion: HTTPField.Name { named("openai-version") }

    /// A name known to be a token; anything else is a defect of this program.
    static func named(_ name: String) -> HTTPField.Name {
        guard let field = HTTPField.Name(name) else {
            preconditionFailure("not a header's name: \(name)")
        }
        return field
    }
}
