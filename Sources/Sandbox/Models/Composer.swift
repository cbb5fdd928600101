/// Writes the answers: the same conversation always gets the same answer, in the question's
/// language, and the answer says what it was asked.
enum Composer {
    /// The whole answer to a conversation.
    static func answer(to messages: [ChatCompletionRequest.Message]) -> String {
        let questions = messages.filter { $0.role == "user" }
        let question = questions.last?.content.trimmed ?? ""
        let isChinese = question.contains(where: Tokens.isWide)
        if let count = countWanted(by: question) {
            return (1...count).map(String.init).joined(separator: isChinese ? "，" : ", ")
        }
        let seed = fingerprint(of: question)
        let words = isChinese ? chinese : english
        guard !question.isEmpty else { return words.nothingAsked }
        var sentences = [words.opening(excerpt(of: question), seed)]
        if questions.count > 1 { sentences.append(words.turn(questions.count)) }
        let start = Int(seed % UInt64(words.advice.count))
        for offset in 0..<3 {
            sentences.append(words.advice[(start + offset) % words.advice.count])
        }
        sentences.append(words.closing)
        return sentences.joined(separator: words.separator)
    }

    /// What is said in one language.
    private struct Words: Sendable {
        var opening: @Sendable (_ question: String, _ seed: UInt64) -> String
        var turn: @Sendable (_ number: Int) -> String
        var advice: [String]
        var closing: String
        var nothingAsked: String
        var separator: String
    }

    private static let chinese = Words(
        opening: { question, seed in
            ["你问的是「\(question)」，", "关于「\(question)」，", "先看「\(question)」这个问题："][
                Int(seed / 7 % 3)] + "我的建议如下。"
        },
        turn: { "这是我们对话中的第 \($0) 个问题，前面的内容我也一并考虑了。" },
        advice: [
            "第一步，把目标写成一句话，这样容易判断做没做到。",
            "可以先做一个最小的版本，当天就能试，再根据结果改进。",
            "把已经知道的和还需要查证的分开列出来，能省下不少时间。",
            "留意最容易出错的环节，提前想好出错以后怎么恢复。",
            "找一个做过的人聊十分钟，往往比多读十页资料更有用。",
            "每完成一步就记下数字，下一步才有比较的依据。",
        ],
        closing: "如果你告诉我更多背景，我可以说得更具体。",
        nothingAsked: "你好！请告诉我你想了解什么。",
        separator: "")

    private static let english = Words(
        opening: { question, seed in
            [
                "You asked: “\(question)”.", "On “\(question)”:",
                "Let us look at “\(question)” together.",
            ][Int(seed / 7 % 3)] + " Here is what I would do."
        },
        turn: { "This is question \($0) of our conversation; I kept the earlier ones in mind." },
        advice: [
            "Write the goal down in one sentence, so that you can tell when it is reached.",
            "Build the smallest version that can be tried today, and improve it by what you see.",
            "List what you know apart from what you still have to check; it saves time.",
            "Look at the step most likely to fail, and decide beforehand how to recover.",
            "Ten minutes with someone who has done it are worth ten pages of reading.",
            "Note a number after each step, so that the next one can be compared with it.",
        ],
        closing: "Tell me more about your situation and I can be more specific.",
        nothingAsked: "Hello! Tell me what you would like to know.",
        separator: " ")

    /// "count to 40" and "数到40" ask for a long answer of known length.
    private static func countWanted(by question: String) -> Int? {
        let lowered = question.lowercased()
        for phrase in ["count to ", "数到 ", "数到"] {
            guard let range = lowered.firstRange(of: phrase) else { continue }
            let digits = lowered[range.upperBound...].prefix { $0.isASCII && $0.isNumber }
            if let count = Int(digits), (1...100_000).contains(count) { return count }
        }
        return nil
    }

    private static func excerpt(of question: String) -> String {
        let line = question.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.count <= 60 ? line : line.prefix(60) + "…"
    }

    /// FNV-1a, 64 bits: the same on every machine and in every process, unlike `Hasher`.
    private static func fingerprint(of text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

extension String {
    /// The text without white space at both ends.
    var trimmed: String {
        let start = drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }
}
