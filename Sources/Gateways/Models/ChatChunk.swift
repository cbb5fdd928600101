internal import Chat
internal import TollgateKernel

/// What one event of an OpenAI-compatible stream says.
struct ChatChunk {
    /// Text of the first choice; empty if the event has none.
    var content = ""
    /// Why the first choice ended, once it has.
    var finishReason: String?
    /// The count of tokens, if this event carries one that makes sense.
    var usage: TokenUsage?
    /// The error, if the event is one.
    var error: ProviderError?

    /// Reads the data of an event, which must be one JSON object.
    init(parsing data: [UInt8]) throws(JSONError) {
        var scanner = JSONScanner(data)
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            switch name {
            case "choices": try readChoices(&scanner)
            case "usage": usage = try Self.readUsage(&scanner) ?? usage
            case "error": error = try ProviderError(reading: &scanner) ?? error
            default: try scanner.skip()
            }
        }
        try scanner.end()
    }

    private mutating func readChoices(_ scanner: inout JSONScanner) throws(JSONError) {
        guard try !scanner.takeNull() else { return }
        var isFirst = true
        try scanner.enterArray()
        while try scanner.nextElement() {
            // One answer is asked for; a provider that sends more choices sends them after it.
            guard isFirst else {
                try scanner.skip()
                continue
            }
            isFirst = false
            try scanner.enterObject()
            while let name = try scanner.nextMember() {
                switch name {
                case "delta": try readDelta(&scanner)
                case "finish_reason":
                    if try !scanner.takeNull() { finishReason = try scanner.string() }
                default: try scanner.skip()
                }
            }
        }
    }

    private mutating func readDelta(_ scanner: inout JSONScanner) throws(JSONError) {
        guard try !scanner.takeNull() else { return }
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            if name == "content", try !scanner.takeNull() {
                content += try scanner.string()
            } else if name != "content" {
                try scanner.skip()
            }
        }
    }

    /// Nil unless both counts are there as plausible numbers: an implausible count is worse than
    /// our own estimate.
    ///
    /// A prompt has at least one token; an answer may have none.
    private static func readUsage(_ scanner: inout JSONScanner) throws(JSONError) -> TokenUsage? {
        guard try scanner.kind() == .object else {
            try scanner.skip()
            return nil
        }
        var prompt: Int64?
        var completion: Int64?
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            switch name {
            case "prompt_tokens": prompt = try readCount(&scanner)
            case "completion_tokens": completion = try readCount(&scanner)
            default: try scanner.skip()
            }
        }
        guard let prompt, let completion, prompt > 0 else { return nil }
        return TokenUsage(promptTokens: prompt, completionTokens: completion)
    }

    private static func readCount(_ scanner: inout JSONScanner) throws(JSONError) -> Int64? {
        guard try scanner.kind() == .number else {
            try scanner.skip()
            return nil
        }
        let count = Int64(try scanner.number())
        return count.flatMap { (0...Limits.plausibleTokens).contains($0) ? $0 : nil }
    }
}
