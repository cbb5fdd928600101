/// One answer, ready to be sent whole or in chunks.
struct ChatCompletionAnswer: Sendable {
    var id: String
    var createdSeconds: Int64
    var model: String
    var promptTokens: Int
    /// The answer's tokens after `max_tokens`; joined they are its text.
    var tokens: [String]
    /// `stop`, or `length` if `max_tokens` cut it.
    var finishReason: String
    /// Whether each chunk carries `usage`, as `stream_options.include_usage` makes it.
    var includesUsage: Bool

    private static let fingerprint: JSONValue = "fp_tollgate_sandbox"

    /// Composes the answer to a request.
    init(to request: ChatCompletionRequest, id: String, createdSeconds: Int64) {
        let tokens = Tokens.split(Composer.answer(to: request.messages))
        let limit = request.maxTokens ?? tokens.count
        self.id = id
        self.createdSeconds = createdSeconds
        model = request.model
        promptTokens = Tokens.count(request.messages)
        self.tokens = Array(tokens.prefix(limit))
        finishReason = limit < tokens.count ? "length" : "stop"
        includesUsage = request.includesUsage
    }

    /// `usage`, as both forms carry it.
    var usage: JSONValue {
        [
            "prompt_tokens": .integer(Int64(promptTokens)),
            "completion_tokens": .integer(Int64(tokens.count)),
            "total_tokens": .integer(Int64(promptTokens + tokens.count)),
            "prompt_tokens_details": ["cached_tokens": 0, "audio_tokens": 0],
            "completion_tokens_details": [
                "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            ],
        ]
    }

    /// The object of an answer that is not streamed.
    func whole(withUsage: Bool) -> JSONValue {
        var members: [JSONValue.Member] = head(object: "chat.completion")
        members.append(
            .init(
                name: "choices",
                value: [
                    [
                        "index": 0,
                        "message": [
                            "role": "assistant", "content": .string(tokens.joined()),
                            "refusal": nil, "annotations": [],
                        ],
                        "logprobs": nil,
                        "finish_reason": .string(finishReason),
                    ]
                ]))
        if withUsage { members.append(.init(name: "usage", value: usage)) }
        return .object(members)
    }

    /// Every event of the stream in order, without `data: ` and without `[DONE]`: the role, each
    /// token, the finish reason, and the usage if it was asked for and is not left out.
    func chunks(omittingUsage: Bool) -> [JSONValue] {
        var chunks = [
            chunk(delta: ["role": "assistant", "content": "", "refusal": nil], finish: nil)
        ]
        chunks += tokens.map { chunk(delta: ["content": .string($0)], finish: nil) }
        chunks.append(chunk(delta: [:], finish: .string(finishReason)))
        if includesUsage, !omittingUsage {
            chunks.append(
                .object(
                    head(object: "chat.completion.chunk") + [
                        .init(name: "choices", value: []), .init(name: "usage", value: usage),
                    ]))
        }
        return chunks
    }

    private func chunk(delta: JSONValue, finish: JSONValue) -> JSONValue {
        var members = head(object: "chat.completion.chunk")
        members.append(
            .init(
                name: "choices",
                value: [["index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish]]))
        if includesUsage { members.append(.init(name: "usage", value: nil)) }
        return .object(members)
    }

    private func head(object: String) -> [JSONValue.Member] {
        [
            .init(name: "id", value: .string(id)),
            .init(name: "object", value: .string(object)),
            .init(name: "created", value: .integer(createdSeconds)),
            .init(name: "model", value: .string(model)),
            .init(name: "service_tier", value: "default"),
            .init(name: "system_fingerprint", value: Self.fingerprint),
        ]
    }
}
