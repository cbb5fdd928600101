/// Reads JSON token by token, strictly by RFC 8259.
struct JSONScanner {
    private let bytes: [UInt8]
    private var index = 0

    /// Reads from the text's start.
    init(_ text: String) { bytes = Array(text.utf8) }

    /// The next byte that is no white space, left unread; nil at the end.
    mutating func peek() -> UInt8? {
        while index < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[index]) { index += 1 }
        return index < bytes.count ? bytes[index] : nil
    }

    /// Passes over a punctuation mark if it is next.
    mutating func skip(_ mark: Unicode.Scalar) -> Bool {
        guard let byte = peek(), byte == UInt8(ascii: mark) else { return false }
        index += 1
        return true
    }

    /// Passes over a punctuation mark that must be next.
    mutating func expect(_ mark: Unicode.Scalar) throws(WireError) {
        guard skip(mark) else { throw unexpected("expected \(mark)") }
    }

    /// Makes sure that nothing but white space follows.
    mutating func expectEnd() throws(WireError) {
        guard peek() == nil else { throw unexpected("expected the end") }
    }

    /// Passes over `null`, `true` or `false` if it is next.
    mutating func skip(word: StaticString) -> Bool {
        _ = peek()
        let count = word.utf8CodeUnitCount
        guard bytes.count - index >= count else { return false }
        for place in 0..<count where bytes[index + place] != word.utf8Start[place] { return false }
        index += count
        return true
    }

    /// An error at the present place.
    func unexpected(_ reason: String) -> WireError {
        .malformed("JSON, byte \(index): \(reason)")
    }

    /// A number as it is written.
    mutating func number() throws(WireError) -> String {
        _ = peek()
        let start = index
        if at("-") { index += 1 }
        if at("0") {
            index += 1
        } else {
            try digits()
        }
        if at(".") {
            index += 1
            try digits()
        }
        if at("e") || at("E") {
            index += 1
            if at("+") || at("-") { index += 1 }
            try digits()
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private func at(_ mark: Unicode.Scalar) -> Bool {
        index < bytes.count && bytes[index] == UInt8(ascii: mark)
    }

    private mutating func digits() throws(WireError) {
        let start = index
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index += 1 }
        guard index > start else { throw unexpected("expected a digit") }
    }
}

// MARK: - Texts

extension JSONScanner {
    /// A text, its escapes resolved.
    mutating func text() throws(WireError) -> String {
        try expect("\"")
        var result: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                // The bytes come from a String and escapes are checked, so they are UTF-8.
                return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"):
                index += 1
                result += try escape()
            case 0..<0x20: throw unexpected("a control character must be escaped")
            default:
                result.append(byte)
                index += 1
            }
        }
        throw unexpected("a text is cut off")
    }

    private mutating func escape() throws(WireError) -> [UInt8] {
        guard index < bytes.count else { throw unexpected("an escape is cut off") }
        let symbol = bytes[index]
        index += 1
        switch symbol {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [symbol]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(try unicodeEscape().utf8)
        default: throw unexpected("no such escape")
        }
    }

    /// What `\u` and four digits mean, or two of them that are a surrogate pair.
    private mutating func unicodeEscape() throws(WireError) -> String {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return String(scalar) }
        guard first < 0xdc00, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { throw unexpected("half a surrogate pair") }
        index += 2
        let second = try hexadecimal()
        guard (0xdc00...0xdfff).contains(second),
            let scalar = Unicode.Scalar(0x1_0000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { throw unexpected("half a surrogate pair") }
        return String(scalar)
    }

    private mutating func hexadecimal() throws(WireError) -> UInt32 {
        guard bytes.count - index >= 4 else { throw unexpected("an escape is cut off") }
        var result: UInt32 = 0
        for byte in bytes[index..<(index + 4)] {
            guard byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw unexpected("no hexadecimal digit")
            }
            result = result << 4 | UInt32(digit)
        }
        index += 4
        return result
    }
}
