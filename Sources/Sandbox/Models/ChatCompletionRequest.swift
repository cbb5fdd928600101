internal import Foundation
internal import TollgateKernel

/// The body of `POST /chat/completions`, as far as the sandbox heeds it.
struct ChatCompletionRequest: Hashable, Sendable {
    /// One message; a content of several parts is joined from its text parts.
    struct Message: Hashable, Sendable {
        var role: String
        var content: String
    }

    var model: String
    var messages: [Message]
    var isStreamed: Bool
    var includesUsage: Bool
    var maxTokens: Int?

    private static let roles: Set<String> = [
        "developer", "system", "user", "assistant", "tool", "function",
    ]

    /// Reads and checks a body the way OpenAI does; the refusals are its own sentences.
    init(body: [UInt8]) throws(ModelProviderError) {
        guard let json = JSONValue(parsing: body), case .object = json else {
            throw .invalidRequest(
                "We could not parse the JSON body of your request. (HINT: This likely means you "
                    + "aren't using your HTTP library correctly. The OpenAI API expects a JSON "
                    + "payload, but what was sent was not valid JSON.)", parameter: nil)
        }
        guard let model = json["model"]?.stringValue, !model.isEmpty else {
            throw .invalidRequest("you must provide a model parameter", parameter: "model")
        }
        self.model = model
        messages = try Self.messages(in: json)
        isStreamed = try Self.flag(json["stream"], named: "stream")
        includesUsage = try Self.flag(
            json["stream_options"]?["include_usage"], named: "stream_options.include_usage")
        maxTokens = try Self.maxTokens(in: json)
    }

    private static func messages(in json: JSONValue) throws(ModelProviderError) -> [Message] {
        guard case .array(let elements) = json["messages"] else {
            throw .invalidRequest("Missing required parameter: 'messages'.", parameter: "messages")
        }
        guard !elements.isEmpty else {
            throw .invalidRequest(
                "Invalid 'messages': empty array. Expected an array with minimum length 1, but "
                    + "got an empty array instead.", parameter: "messages")
        }
        var messages: [Message] = []
        for (index, element) in elements.enumerated() {
            let place = "messages[\(index)]"
            guard let role = element["role"]?.stringValue, roles.contains(role) else {
                throw .invalidRequest("Invalid value for '\(place).role'.", parameter: place)
            }
            messages.append(Message(role: role, content: try content(of: element, at: place)))
        }
        return messages
    }

    private static func content(of message: JSONValue, at place: String)
        throws(ModelProviderError) -> String
    {
        switch message["content"] {
        case .string(let text): return text
        case .array(let parts): return parts.compactMap { $0["text"]?.stringValue }.joined()
        case .null, nil: return ""
        default:
            throw .invalidRequest("Invalid type for '\(place).content'.", parameter: place)
        }
    }

    private static func flag(_ value: JSONValue?, named name: String)
        throws(ModelProviderError) -> Bool
    {
        switch value {
        case .bool(let flag): return flag
        case .null, nil: return false
        default:
            throw .invalidRequest(
                "Invalid type for '\(name)': expected a boolean.", parameter: name)
        }
    }

    private static func maxTokens(in json: JSONValue) throws(ModelProviderError) -> Int? {
        for name in ["max_completion_tokens", "max_tokens"] {
            switch json[name] {
            case .null, nil: continue
            case .integer(let count) where (1...Int64(Int32.max)).contains(count):
                return Int(count)
            default:
                throw .invalidRequest(
                    "Invalid '\(name)': expected an integer, at least 1.", parameter: name)
            }
        }
        return nil
    }
}
