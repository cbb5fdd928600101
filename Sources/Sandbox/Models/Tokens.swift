/// The sandbox's own way of cutting text into tokens: a plain rule that counts like real ones do,
/// so that what is streamed and what is billed agree to the token.
///
/// A Han, kana or hangul character is a token, a run of letters or digits gives one token for each
/// six, everything else one each; the white space before a token belongs to it. Joined, the tokens
/// are the text.
enum Tokens {
    /// Characters of a Latin word in one token.
    private static let wordCharacters = 6

    /// Cuts a text.
    static func split(_ text: String) -> [String] {
        var tokens: [String] = []
        var pending = ""
        var letters = 0
        func flush() {
            if !pending.isEmpty { tokens.append(pending) }
            pending = ""
            letters = 0
        }
        for character in text {
            if character.isWhitespace {
                if letters > 0 { flush() }
                pending.append(character)
            } else if isWide(character) || !(character.isLetter || character.isNumber) {
                if letters > 0 { flush() }
                pending.append(character)
                flush()
            } else {
                if letters == wordCharacters { flush() }
                pending.append(character)
                letters += 1
            }
        }
        flush()
        return tokens
    }

    /// Tokens of a conversation: four around each message and three before the answer, as
    /// OpenAI's chat format has it.
    static func count(_ messages: [ChatCompletionRequest.Message]) -> Int {
        messages.reduce(3) { $0 + 4 + split($1.content).count }
    }

    /// Whether a character is written without spaces around it and counts alone.
    static func isWide(_ character: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first else { return false }
        switch scalar.value {
        case 0x2e80...0x9fff, 0xac00...0xd7af, 0xf900...0xfaff, 0xff00...0xffef, 0x20000...0x3134f:
            return true
        default:
            return false
        }
    }
}
