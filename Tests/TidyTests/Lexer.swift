/// One word or symbol of Swift, where it stands.
struct Token: Hashable, Sendable {
    /// What a token is.
    enum Kind: Sendable {
        case word
        case number
        case symbol
        case string
    }

    var kind: Kind
    /// The word, the number, or the one character of a symbol; a string literal's text is `"`.
    var text: String
    /// Counted from 1.
    var line: Int
    /// Whether white space, a comment or the file's start stands before it.
    var followsSpace: Bool
}

/// A Swift source cut into tokens and comments: enough to judge style without a compiler.
///
/// Strings, comments and regular expressions never count as code; the code inside a string's
/// interpolations does.
struct LexedSource: Sendable {
    private(set) var tokens: [Token] = []
    /// The comments' text by line; a block comment stands at each line it covers.
    private(set) var comments: [Int: String] = [:]

    /// The lines on which code stands.
    private(set) var codeLines: Set<Int> = []

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var followsSpace = true

    /// Reads a source; text that is not Swift gives some tokens, never a trap.
    init(_ text: String) {
        bytes = Array(text.utf8)
        lexCode(insideInterpolation: false)
        codeLines = Set(tokens.map(\.line))
    }

    // MARK: Code

    private mutating func lexCode(insideInterpolation: Bool) {
        var depth = 0
        while let byte = peek() {
            if insideInterpolation {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if depth == 0 { return }
                    depth -= 1
                }
            }
            lexOne(byte)
        }
    }

    private mutating func lexOne(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\n"), UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
            advance()
            followsSpace = true
        case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
            lexLineComment()
        case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
            lexBlockComment()
        case UInt8(ascii: "/") where startsRegularExpression():
            lexRegularExpression(pounds: 0)
        case UInt8(ascii: "\""):
            lexString(pounds: 0)
        case UInt8(ascii: "#"):
            lexPound()
        case UInt8(ascii: "`"):
            lexQuotedName()
        case _ where Self.isWord(byte):
            lexWord()
        default:
            append(.symbol, String(UnicodeScalar(byte)), line)
            advance()
        }
    }

    private mutating func lexWord() {
        let start = position
        while let byte = peek(), Self.isWord(byte) { advance() }
        let first = bytes[start]
        let kind: Token.Kind = (0x30...0x39).contains(first) ? .number : .word
        append(kind, String(decoding: bytes[start..<position], as: UTF8.self), line)
    }

    /// A name in backticks, which may be a keyword or a whole sentence.
    private mutating func lexQuotedName() {
        let start = position
        advance()
        while let byte = peek(), byte != UInt8(ascii: "`"), byte != UInt8(ascii: "\n") { advance() }
        advance()
        append(.word, String(decoding: bytes[start..<position], as: UTF8.self), line)
    }

    /// `#"…"#`, `#/…/#`, or a directive such as `#if`.
    private mutating func lexPound() {
        var pounds = 0
        while peek(pounds) == UInt8(ascii: "#") { pounds += 1 }
        switch peek(pounds) {
        case UInt8(ascii: "\""):
            for _ in 0..<pounds { advance() }
            lexString(pounds: pounds)
        case UInt8(ascii: "/"):
            for _ in 0..<pounds { advance() }
            lexRegularExpression(pounds: pounds)
        default:
            append(.symbol, "#", line)
            advance()
        }
    }

    // MARK: Comments

    private mutating func lexLineComment() {
        let start = position
        while let byte = peek(), byte != UInt8(ascii: "\n") { advance() }
        comments[line, default: ""] += String(decoding: bytes[start..<position], as: UTF8.self)
        followsSpace = true
    }

    private mutating func lexBlockComment() {
        var depth = 0
        var start = position
        repeat {
            if peek() == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
                depth += 1
                advance()
            } else if peek() == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                depth -= 1
                advance()
            } else if peek() == UInt8(ascii: "\n") {
                note(start)
                start = position + 1
            }
            advance()
        } while depth > 0 && peek() != nil
        note(start)
        followsSpace = true
    }

    private mutating func note(_ start: Int) {
        guard start < position else { return }
        comments[line, default: ""] += String(decoding: bytes[start..<position], as: UTF8.self)
    }

    // MARK: Strings and regular expressions

    private mutating func lexString(pounds: Int) {
        append(.string, "\"", line)
        let quotes = peek(1) == UInt8(ascii: "\"") && peek(2) == UInt8(ascii: "\"") ? 3 : 1
        for _ in 0..<quotes { advance() }
        while let byte = peek() {
            if byte == UInt8(ascii: "\""), closes(quotes: quotes, pounds: pounds) {
                for _ in 0..<quotes + pounds { advance() }
                break
            }
            if byte == UInt8(ascii: "\n"), quotes == 1 { break }
            guard byte == UInt8(ascii: "\\"), hasPounds(pounds, from: 1) else {
                advance()
                continue
            }
            let next = peek(1 + pounds)
            for _ in 0..<2 + pounds { advance() }
            if next == UInt8(ascii: "(") {
                lexCode(insideInterpolation: true)
                advance()
            }
        }
        followsSpace = false
    }

    private func closes(quotes: Int, pounds: Int) -> Bool {
        for offset in 0..<quotes where peek(offset) != UInt8(ascii: "\"") { return false }
        return hasPounds(pounds, from: quotes)
    }

    private func hasPounds(_ pounds: Int, from offset: Int) -> Bool {
        for place in 0..<pounds where peek(offset + place) != UInt8(ascii: "#") { return false }
        return true
    }

    /// Whether a slash here begins a bare regular expression: after something that takes a value,
    /// directly followed by no space, and closed on its line.
    private func startsRegularExpression() -> Bool {
        guard let last = tokens.last, last.kind == .symbol, "=(,:[".contains(last.text) else {
            return false
        }
        guard let next = peek(1), next != UInt8(ascii: " "), next != UInt8(ascii: "=") else {
            return false
        }
        var offset = 1
        while let byte = peek(offset), byte != UInt8(ascii: "\n") {
            if byte == UInt8(ascii: "/"), peek(offset - 1) != UInt8(ascii: "\\") { return true }
            offset += 1
        }
        return false
    }

    private mutating func lexRegularExpression(pounds: Int) {
        append(.string, "\"", line)
        advance()
        while let byte = peek() {
            if byte == UInt8(ascii: "\\") {
                advance()
            } else if byte == UInt8(ascii: "/"), hasPounds(pounds, from: 1) {
                for _ in 0..<1 + pounds { advance() }
                break
            } else if byte == UInt8(ascii: "\n"), pounds == 0 {
                break
            }
            advance()
        }
        followsSpace = false
    }

    // MARK: Bytes

    private func peek(_ offset: Int = 0) -> UInt8? {
        position + offset < bytes.count ? bytes[position + offset] : nil
    }

    private mutating func advance() {
        guard position < bytes.count else { return }
        if bytes[position] == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private mutating func append(_ kind: Token.Kind, _ text: String, _ line: Int) {
        tokens.append(Token(kind: kind, text: text, line: line, followsSpace: followsSpace))
        followsSpace = false
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), 0x80...0xff: true
        default: false
        }
    }
}
