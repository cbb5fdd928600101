/// How a channel of the model provider behaves; the default is well.
package struct ChannelSwitches: Codable, Hashable, Sendable {
    /// Answer every request with this HTTP status and OpenAI's error for it.
    package var failStatus: Int?
    /// The `code` of that error, such as `insufficient_quota`; nil for the status's usual one.
    package var failCode: String?
    /// `retry-after` in seconds to send with a failure.
    package var retryAfterSeconds: Int?
    /// Close the connection instead of answering.
    package var closesConnection = false
    /// Close the connection in the middle of a stream, after so many chunks.
    package var cutsAfterChunks: Int?
    /// With ``cutsAfterChunks``: end the HTTP answer properly, but without `[DONE]`.
    package var cutsCleanly = false
    /// Say nothing more after so many chunks, and keep the connection open.
    package var stallsAfterChunks: Int?
    /// Leave the usage out, although it was asked for.
    package var omitsUsage = false
    /// Answer without any pause.
    package var isInstant = false
    /// The pace of this channel; nil for the configured one.
    package var tokensPerSecond: Double?

    /// The statuses that ``failStatus`` may be.
    package static let failures = 400...599

    /// Whether they are such as a channel can keep.
    var arePossible: Bool {
        failStatus.map(Self.failures.contains) ?? true
            && [cutsAfterChunks, stallsAfterChunks].allSatisfy { ($0 ?? 0) >= 0 }
    }

    /// Makes a channel that behaves well.
    package init() {}

    /// Reads switches; what is absent is off.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        failStatus = try values.decodeIfPresent(Int.self, forKey: .failStatus)
        failCode = try values.decodeIfPresent(String.self, forKey: .failCode)
        retryAfterSeconds = try values.decodeIfPresent(Int.self, forKey: .retryAfterSeconds)
        closesConnection =
            try values.decodeIfPresent(Bool.self, forKey: .closesConnection) ?? false
        cutsAfterChunks = try values.decodeIfPresent(Int.self, forKey: .cutsAfterChunks)
        cutsCleanly = try values.decodeIfPresent(Bool.self, forKey: .cutsCleanly) ?? false
        stallsAfterChunks = try values.decodeIfPresent(Int.self, forKey: .stallsAfterChunks)
        omitsUsage = try values.decodeIfPresent(Bool.self, forKey: .omitsUsage) ?? false
        isInstant = try values.decodeIfPresent(Bool.self, forKey: .isInstant) ?? false
        tokensPerSecond = try values.decodeIfPresent(Double.self, forKey: .tokensPerSecond)
    }
}

/// One channel of the model provider: an address prefix with a key of its own.
package struct ModelChannel: Hashable, Sendable {
    /// The part of the path after `/openai`: `a` stands for `/openai/a/v1`, nothing for
    /// `/openai/v1`.
    package var name: String
    /// The bearer key it accepts.
    package var key: String
    /// Its behaviour until somebody switches it.
    package var switches: ChannelSwitches

    /// Makes a channel.
    package init(name: String, key: String, switches: ChannelSwitches = ChannelSwitches()) {
        self.name = name
        self.key = key
        self.switches = switches
    }

    /// The path that a client's base address ends with, such as `/openai/a/v1`.
    package var basePath: String { name.isEmpty ? "/openai/v1" : "/openai/\(name)/v1" }
}

/// What became of one call of the model provider, for looking at.
package struct ModelCall: Codable, Hashable, Sendable {
    /// How it ended.
    package enum Outcome: String, Codable, Hashable, Sendable {
        /// Still streaming.
        case running
        /// Answered to the end.
        case finished
        /// Refused with an error.
        case refused
        /// Cut or stalled because a switch said so.
        case disturbed
        /// The client left before the end.
        case clientLeft = "client_left"
    }

    /// A number that counts up.
    package var number: Int64
    /// The channel's name.
    package var channel: String
    /// The model asked for; empty if the request could not be read.
    package var model: String
    /// The client's `x-request-id`, if it sent one.
    package var clientRequestID: String?
    /// When it came, in milliseconds since 1970.
    package var startedAtMilliseconds: Int64
    /// Tokens of the conversation.
    package var promptTokens: Int
    /// Tokens that were handed to the connection.
    package var completionTokens: Int
    /// The HTTP status; zero if the connection was closed instead.
    package var status: Int
    /// How it ended.
    package var outcome: Outcome
}
