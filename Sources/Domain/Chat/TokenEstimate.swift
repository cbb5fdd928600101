/// Our own count of tokens, for when a provider tells none; bills made from it are marked
/// estimated.
///
/// The rule: each character of Chinese, Japanese or Korean writing, each full-width form and each
/// emoji is one token; of everything else, four bytes of UTF-8 are one token, rounded up. It is
/// never above the bytes of the text, so never above what was reserved.
package struct TokenEstimate: Hashable, Sendable {
    private var wideCharacters: Int64 = 0
    private var otherBytes: Int64 = 0

    /// Begins with nothing.
    package init() {}

    /// Counts a text.
    package init(_ text: String) { add(text) }

    /// Counts a further piece of the same text: pieces count together as the whole would.
    package mutating func add(_ text: String) {
        for scalar in text.unicodeScalars {
            if Self.isWide(scalar) {
                wideCharacters += 1
            } else {
                otherBytes += Int64(UTF8.width(scalar))
            }
        }
    }

    /// Tokens so far.
    package var tokens: Int64 { wideCharacters + (otherBytes + 3) / 4 }

    /// Tokens of a conversation, with four for each turn's role and separators.
    package static func promptTokens(of messages: [ChatMessage]) -> Int64 {
        messages.reduce(0) { $0 + TokenEstimate($1.content).tokens + 4 }
    }

    /// The usage of a call whose provider told none.
    package static func usage(prompt: [ChatMessage], answer: TokenEstimate) -> TokenUsage {
        TokenUsage(promptTokens: promptTokens(of: prompt), completionTokens: answer.tokens)
    }

    /// Blocks from CJK Radicals (U+2E80) up: CJK, Kana, Hangul syllables, compatibility and
    /// full-width forms, emoji and the ideographic planes; and Hangul Jamo.
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value >= 0x2e80 || (0x1100...0x11ff).contains(scalar.value)
    }
}
