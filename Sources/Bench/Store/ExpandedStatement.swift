/// A value bound to a statement.
enum BoundValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case text([UInt8])
    case bytes([UInt8])
}

/// Reads the parameters of a statement out of its text with the values filled in, as
/// `sqlite3_expanded_sql` gives it.
///
/// Both texts are equal but for the places of parameters, where the second has a literal.
enum ExpandedStatement {
    /// The values in the order of SQLite's parameter numbers, which is that of first appearance;
    /// nil if the two texts do not belong together or hold what we never bind.
    static func values(text: String, expanded: String) -> [BoundValue]? {
        var reader = Reader(text: Array(text.utf8), expanded: Array(expanded.utf8))
        return reader.read()
    }

    private struct Reader {
        let text: [UInt8]
        let expanded: [UInt8]
        var place = 0
        var other = 0

        mutating func read() -> [BoundValue]? {
            var seen: Set<[UInt8]> = []
            var values: [BoundValue] = []
            var isQuoted = false
            while place < text.count {
                let byte = text[place]
                if byte == UInt8(ascii: "'") { isQuoted.toggle() }
                guard byte == UInt8(ascii: "$"), !isQuoted else {
                    guard other < expanded.count, expanded[other] == byte else { return nil }
                    place += 1
                    other += 1
                    continue
                }
                let name = takeName()
                guard let value = takeLiteral() else { return nil }
                if seen.insert(name).inserted { values.append(value) }
            }
            return other == expanded.count ? values : nil
        }

        private mutating func takeName() -> [UInt8] {
            let start = place
            place += 1
            while place < text.count, (0x30...0x39).contains(text[place]) { place += 1 }
            return Array(text[start..<place])
        }

        private mutating func takeLiteral() -> BoundValue? {
            guard other < expanded.count else { return nil }
            switch expanded[other] {
            case UInt8(ascii: "'"): return takeText().map { .text($0) }
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                other += 1
                return takeText().flatMap(Self.bytes(hexadecimal:)).map { .bytes($0) }
            case UInt8(ascii: "N"):
                guard expanded[other...].starts(with: "NULL".utf8) else { return nil }
                other += 4
                return .null
            default: return takeInteger()
            }
        }

        /// A quoted text; two quotes in it stand for one.
        private mutating func takeText() -> [UInt8]? {
            guard other < expanded.count, expanded[other] == UInt8(ascii: "'") else { return nil }
            other += 1
            var result: [UInt8] = []
            while other < expanded.count {
                let byte = expanded[other]
                other += 1
                guard byte == UInt8(ascii: "'") else {
                    result.append(byte)
                    continue
                }
                guard other < expanded.count, expanded[other] == byte else { return result }
                result.append(byte)
                other += 1
            }
            return nil
        }

        private mutating func takeInteger() -> BoundValue? {
            let start = other
            if expanded[other] == UInt8(ascii: "-") { other += 1 }
            while other < expanded.count, (0x30...0x39).contains(expanded[other]) { other += 1 }
            return Int64(String(decoding: expanded[start..<other], as: UTF8.self))
                .map { .integer($0) }
        }

        private static func bytes(hexadecimal digits: [UInt8]) -> [UInt8]? {
            guard digits.count.isMultiple(of: 2) else { return nil }
            var result: [UInt8] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                let pair = String(decoding: digits[index...index + 1], as: UTF8.self)
                guard let byte = UInt8(pair, radix: 16) else { return nil }
                result.append(byte)
            }
            return result
        }
    }
}
