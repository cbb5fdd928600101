/// A refusal of the model provider, in OpenAI's form.
struct ModelProviderError: Error, Hashable, Sendable {
    var status: Int
    var message: String
    var type: String
    var parameter: String?
    var code: String?

    /// `{"error":{…}}`, with the four members that OpenAI always sends.
    var body: JSONValue {
        [
            "error": [
                "message": .string(message),
                "type": .string(type),
                "param": .optional(parameter),
                "code": .optional(code),
            ]
        ]
    }

    /// The request makes no sense.
    static func invalidRequest(
        _ message: String, parameter: String?, status: Int = 400, code: String? = nil
    ) -> ModelProviderError {
        ModelProviderError(
            status: status, message: message, type: "invalid_request_error", parameter: parameter,
            code: code)
    }

    /// What a channel that was told to fail answers with.
    static func asked(status: Int, code: String?) -> ModelProviderError {
        let (message, type, usualCode): (String, String, String?) =
            switch status {
            case 401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
            case 403:
                ("You are not allowed to sample from this model.", "invalid_request_error", nil)
            case 429 where code == "insufficient_quota":
                (
                    "You exceeded your current quota, please check your plan and billing details.",
                    "insufficient_quota", nil
                )
            case 429: ("Rate limit reached for requests.", "requests", "rate_limit_exceeded")
            case 503:
                ("The engine is currently overloaded, please try again later.", "server_error", nil)
            case 400..<500: ("The request was refused.", "invalid_request_error", nil)
            default: ("The server had an error processing your request.", "server_error", nil)
            }
        return ModelProviderError(
            status: status, message: message, type: type, parameter: nil, code: code ?? usualCode)
    }
}
