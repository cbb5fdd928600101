package import TollgateKernel

/// A question as the rule chain passes it on.
package struct ChatQuestion: Hashable, Sendable {
    /// The model asked for.
    package var model: ModelName
    /// The conversation, oldest first.
    package var messages: [ChatMessage]
    /// The most tokens the answer may have; zero is the model's own limit.
    package var maxTokens: Int64

    /// Makes a question.
    package init(model: ModelName, messages: [ChatMessage], maxTokens: Int64) {
        self.model = model
        self.messages = messages
        self.maxTokens = maxTokens
    }
}

/// Bounds of a question, checked before anything is stored or asked.
package enum QuestionLimits {
    /// Reads turns as they arrive, roles as text, and checks them.
    ///
    /// - Throws: `invalid_request` with what is wrong and where.
    package static func messages(from turns: [(role: String, content: String)]) throws(Failure)
        -> [ChatMessage]
    {
        guard turns.count <= Limits.chatTurns else { throw tooManyTurns() }
        var messages: [ChatMessage] = []
        for (index, turn) in turns.enumerated() {
            guard let role = ChatMessage.Role(rawValue: turn.role) else {
                throw Failure(
                    .invalidRequest,
                    "Turn \(index + 1) has an unknown role; use system, user or assistant.")
            }
            messages.append(ChatMessage(role: role, content: turn.content))
        }
        try validate(messages)
        return messages
    }

    /// Checks a conversation: 1 to 256 turns, none empty, 256 KiB in all, the last one the user's.
    ///
    /// - Throws: `invalid_request` with what is wrong and where.
    package static func validate(_ turns: [ChatMessage]) throws(Failure) {
        guard let last = turns.last else {
            throw Failure(.invalidRequest, "The question is empty; send at least one turn.")
        }
        guard turns.count <= Limits.chatTurns else { throw tooManyTurns() }
        var bytes = 0
        for (index, turn) in turns.enumerated() {
            guard turn.content.unicodeScalars.contains(where: { !$0.properties.isWhitespace })
            else { throw Failure(.invalidRequest, "Turn \(index + 1) is empty.") }
            bytes += turn.content.utf8.count
        }
        guard bytes <= Limits.chatBytes else {
            throw Failure(
                .invalidRequest,
                "The conversation is longer than \(Limits.chatBytes / 1_024) KiB; shorten it.")
        }
        guard last.role == .user else {
            throw Failure(.invalidRequest, "The last turn must be the user's.")
        }
    }

    /// Checks the asked-for length of an answer: zero (the model's own limit) or positive.
    ///
    /// - Throws: `invalid_request`.
    package static func validate(maxTokens: Int64) throws(Failure) {
        guard (0...Limits.chatMaxTokens).contains(maxTokens) else {
            throw Failure(
                .invalidRequest,
                "max_tokens must be between 0 (the model's limit) and \(Limits.chatMaxTokens).")
        }
    }

    private static func tooManyTurns() -> Failure {
        Failure(
            .invalidRequest,
            "A question can have at most \(Limits.chatTurns) turns; drop the oldest.")
    }
}

/// The bytes that tell one question from another; callers store their SHA-256.
package enum RequestFingerprint {
    /// A label, then every field behind its length in four bytes (big-endian), so that no two
    /// different questions have the same bytes.
    package static func canonicalBytes(
        model: ModelName, turns: [ChatMessage], maxTokens: Int64
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(turns.reduce(128) { $0 + $1.content.utf8.count + 16 })
        func append(_ text: String) {
            let length = UInt32(truncatingIfNeeded: text.utf8.count)
            withUnsafeBytes(of: length.bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: text.utf8)
        }
        append("tollgate.question.1")
        append(model.rawValue)
        append(String(maxTokens))
        for turn in turns {
            append(turn.role.rawValue)
            append(turn.content)
        }
        return bytes
    }
}
