internal import Glibc
internal import TollgateKernel

/// Why a text is not the JSON expected.
enum JSONError: Error, Hashable, Sendable {
    /// Not JSON as RFC 8259 defines it; the offset in bytes.
    case malformed(Int)
    /// Valid so far, but a value is of another kind than asked for.
    case unexpectedKind(Int)
    /// Nested deeper, or holding more values, than ``Limits`` allow.
    case tooLarge
    /// The same member twice in one object.
    case duplicateMember(String)
}

/// Reads a JSON text from front to back without building a tree.
///
/// Chat answers come as thousands of small texts of which two members matter; walking past the rest
/// costs a fraction of decoding it. Everything passed over is checked to be JSON all the same.
struct JSONScanner {
    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0
    /// Bit n is set once the container at depth n had a member: the next needs a comma before it.
    private var hasMembers: UInt64 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// What kind of value comes next.
    enum Kind { case object, array, string, number, boolean, null }

    mutating func kind() throws(JSONError) -> Kind {
        skipSpace()
        guard index < bytes.count else { throw .malformed(index) }
        switch bytes[index] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        default: throw .malformed(index)
        }
    }

    // MARK: Containers

    /// Steps into an object.
    mutating func enterObject() throws(JSONError) {
        guard try kind() == .object else { throw .unexpectedKind(index) }
        try enter()
    }

    /// The name of the next member, whose value must be read or skipped; nil after the last.
    mutating func nextMember() throws(JSONError) -> String? {
        guard try next(closing: UInt8(ascii: "}")) else { return nil }
        guard try kind() == .string else { throw .malformed(index) }
        let name = try string()
        skipSpace()
        try take(UInt8(ascii: ":"))
        return name
    }

    /// Steps into an array.
    mutating func enterArray() throws(JSONError) {
        guard try kind() == .array else { throw .unexpectedKind(index) }
        try enter()
    }

    /// Whether another element comes, which must be read or skipped.
    mutating func nextElement() throws(JSONError) -> Bool {
        try next(closing: UInt8(ascii: "]"))
    }

    /// Checks that nothing but white space is left.
    mutating func end() throws(JSONError) {
        skipSpace()
        guard index == bytes.count, depth == 0 else { throw .malformed(index) }
    }

    private mutating func enter() throws(JSONError) {
        index += 1
        depth += 1
        guard depth <= Limits.jsonDepth else { throw .tooLarge }
        hasMembers &= ~(1 << UInt64(depth))
    }

    private mutating func next(closing: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        guard index < bytes.count else { throw .malformed(index) }
        if bytes[index] == closing {
            index += 1
            depth -= 1
            return false
        }
        let bit: UInt64 = 1 << UInt64(depth)
        if hasMembers & bit != 0 { try take(UInt8(ascii: ",")) }
        hasMembers |= bit
        return true
    }

    // MARK: Scalars

    /// Reads `null` if it comes next.
    mutating func takeNull() throws(JSONError) -> Bool {
        guard try kind() == .null else { return false }
        try word("null")
        return true
    }

    mutating func boolean() throws(JSONError) -> Bool {
        guard try kind() == .boolean else { throw .unexpectedKind(index) }
        let isTrue = bytes[index] == UInt8(ascii: "t")
        try word(isTrue ? "true" : "false")
        return isTrue
    }

    /// The text of a number, exactly as written.
    mutating func number() throws(JSONError) -> String {
        String(decoding: bytes[try numberRange()], as: UTF8.self)
    }

    /// A string; half a surrogate pair becomes U+FFFD, as in every decoder of text.
    mutating func string() throws(JSONError) -> String {
        guard try kind() == .string else { throw .unexpectedKind(index) }
        let start = index + 1
        var place = start
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                index = place + 1
                guard let text = Self.text(bytes[start..<place]) else { throw .malformed(start) }
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start, firstEscape: place)
            case 0..<0x20: throw .malformed(place)
            default: place += 1
            }
        }
        throw .malformed(place)
    }

    /// Passes over the next value.
    mutating func skip() throws(JSONError) {
        switch try kind() {
        case .object:
            try enterObject()
            while try next(closing: UInt8(ascii: "}")) {
                guard try kind() == .string else { throw .malformed(index) }
                try skipString()
                skipSpace()
                try take(UInt8(ascii: ":"))
                try skip()
            }
        case .array:
            try enterArray()
            while try nextElement() { try skip() }
        case .string: try skipString()
        case .number: _ = try numberRange()
        case .boolean: _ = try boolean()
        case .null: try word("null")
        }
    }
}

// MARK: Letters and digits

extension JSONScanner {
    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) throws(JSONError) {
        guard index < bytes.count, bytes[index] == byte else { throw .malformed(index) }
        index += 1
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count else { throw .malformed(bytes.count) }
        for offset in 0..<count where bytes[index + offset] != word.utf8Start[offset] {
            throw .malformed(index + offset)
        }
        index += count
    }

    private mutating func skipString() throws(JSONError) {
        index += 1
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return
            case UInt8(ascii: "\\"):
                var ignored: [UInt8] = []
                try escape(into: &ignored)
            case 0..<0x20: throw .malformed(index)
            default: index += 1
            }
        }
        throw .malformed(index)
    }

    private mutating func numberRange() throws(JSONError) -> Range<Int> {
        guard try kind() == .number else { throw .unexpectedKind(index) }
        let start = index
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let digits = index
        try takeDigits()
        // A leading zero stands alone.
        guard bytes[digits] != UInt8(ascii: "0") || index == digits + 1 else {
            throw .malformed(digits)
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            try takeDigits()
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count,
                bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-")
            {
                index += 1
            }
            try takeDigits()
        }
        return start..<index
    }

    private mutating func takeDigits() throws(JSONError) {
        let start = index
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index += 1 }
        guard index > start else { throw .malformed(index) }
    }

    /// The text of bytes that are UTF-8; nil if they are not.
    ///
    /// Decoding repairs what is wrong, which shows in the bytes: many times faster than the
    /// standard library's validating initialiser, which is generic to the last byte.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        bytes.withUnsafeBufferPointer { bytes in
            var text = String(decoding: bytes, as: UTF8.self)
            let isSame = text.withUTF8 { decoded in
                guard decoded.count == bytes.count else { return false }
                guard let left = decoded.baseAddress, let right = bytes.baseAddress else {
                    return true
                }
                return memcmp(left, right, bytes.count) == 0
            }
            return isSame ? text : nil
        }
    }

    private mutating func escapedString(from start: Int, firstEscape: Int) throws(JSONError)
        -> String
    {
        var text = Array(bytes[start..<firstEscape])
        index = firstEscape
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                guard let text = Self.text(text[...]) else { throw .malformed(start) }
                return text
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw .malformed(index)
            default:
                text.append(bytes[index])
                index += 1
            }
        }
        throw .malformed(index)
    }

    /// Reads one escape, or two that make a surrogate pair.
    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard index + 1 < bytes.count else { throw .malformed(bytes.count) }
        let letter = bytes[index + 1]
        if letter == UInt8(ascii: "u") {
            let unit = try codeUnit()
            var scalar = UInt32(unit)
            if (0xd800...0xdbff).contains(unit), index + 1 < bytes.count,
                bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
            {
                let before = index
                let low = try codeUnit()
                if (0xdc00...0xdfff).contains(low) {
                    scalar = 0x1_0000 + (UInt32(unit) - 0xd800) << 10 + (UInt32(low) - 0xdc00)
                } else {
                    index = before
                }
            }
            let character = Unicode.Scalar(scalar) ?? "\u{fffd}"
            text.append(contentsOf: Character(character).utf8)
            return
        }
        guard let plain = Self.plain(escaped: letter) else { throw .malformed(index) }
        text.append(plain)
        index += 2
    }

    private static func plain(escaped letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    private mutating func codeUnit() throws(JSONError) -> UInt16 {
        guard index + 6 <= bytes.count else { throw .malformed(bytes.count) }
        var unit: UInt16 = 0
        for place in (index + 2)..<(index + 6) {
            let digit: UInt8
            switch bytes[place] {
            case 0x30...0x39: digit = bytes[place] - 0x30
            case 0x41...0x46: digit = bytes[place] - 0x41 + 10
            case 0x61...0x66: digit = bytes[place] - 0x61 + 10
            default: throw .malformed(place)
            }
            unit = unit << 4 | UInt16(digit)
        }
        index += 6
        return unit
    }
}
