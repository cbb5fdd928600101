internal import Chat

/// The error object of an OpenAI-compatible provider, of which the codes alone are kept: the
/// message may quote keys or the prompt.
struct ProviderError: Hashable, Sendable {
    /// Such as `rate_limit_exceeded`, or Zhipu's `1302`; empty if none was sent.
    var code = ""
    /// Such as `insufficient_quota`; empty if none was sent.
    var type = ""

    /// Makes an error without codes.
    init() {}

    /// Reads an error object; nil for `null`.
    init?(reading scanner: inout JSONScanner) throws(JSONError) {
        switch try scanner.kind() {
        case .null:
            _ = try scanner.takeNull()
            return nil
        case .object: break
        default:
            try scanner.skip()
            return
        }
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            switch name {
            case "code": code = try Self.word(&scanner)
            case "type": type = try Self.word(&scanner)
            default: try scanner.skip()
            }
        }
    }

    /// Reads the body of an answer that is an error; without codes if it is not in this form.
    init(body: [UInt8]) {
        self = (try? Self.member(of: body)) ?? ProviderError()
    }

    private static func member(of body: [UInt8]) throws(JSONError) -> ProviderError? {
        var scanner = JSONScanner(body)
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            if name == "error" { return try ProviderError(reading: &scanner) }
            try scanner.skip()
        }
        return nil
    }

    /// The codes for an operator's eyes, or nothing.
    var description: String {
        let words = [type, code].filter { !$0.isEmpty }
        return words.isEmpty ? "" : " (\(words.joined(separator: ", ")))"
    }

    /// What the codes say; nil if they are none we know.
    var kind: ModelGatewayFailure.Kind? { Self.kinds[code] ?? Self.kinds[type] }

    /// OpenAI's codes and types, and Zhipu's numbers (payments reference, section 1.10).
    private static let kinds: [String: ModelGatewayFailure.Kind] = [
        "insufficient_quota": .rejectedKey, "billing_hard_limit_reached": .rejectedKey,
        "invalid_api_key": .rejectedKey, "account_deactivated": .rejectedKey,
        "authentication_error": .rejectedKey, "permission_error": .rejectedKey,
        "rate_limit_exceeded": .overloaded, "rate_limit_error": .overloaded,
        "overloaded_error": .overloaded, "engine_overloaded": .overloaded,
        "server_error": .serverError, "api_error": .serverError,
        "invalid_request_error": .invalidRequest, "context_length_exceeded": .invalidRequest,
        "content_policy_violation": .invalidRequest, "content_filter": .invalidRequest,
        "1000": .rejectedKey, "1001": .rejectedKey, "1002": .rejectedKey, "1003": .rejectedKey,
        "1004": .rejectedKey, "1113": .rejectedKey, "1304": .rejectedKey, "1308": .rejectedKey,
        "1310": .rejectedKey,
        "1302": .overloaded, "1303": .overloaded, "1305": .overloaded, "1312": .overloaded,
        "model_not_found": .unknownModel, "1211": .unknownModel,
        "1210": .invalidRequest, "1212": .invalidRequest,
        "1213": .invalidRequest, "1214": .invalidRequest, "1215": .invalidRequest,
        "1261": .invalidRequest, "1301": .invalidRequest,
        "500": .serverError, "1234": .serverError,
    ]

    /// A code as a plain word: letters, digits and a few signs, at most 64, whatever was sent.
    private static func word(_ scanner: inout JSONScanner) throws(JSONError) -> String {
        let text: String
        switch try scanner.kind() {
        case .string: text = try scanner.string()
        case .number: text = try scanner.number()
        default:
            try scanner.skip()
            return ""
        }
        let allowed = text.utf8.filter { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || byte == 0x5f || byte == 0x2d || byte == 0x2e
        }
        return String(decoding: allowed.prefix(64), as: UTF8.self)
    }
}
