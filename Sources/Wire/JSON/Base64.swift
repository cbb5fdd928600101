/// Base64 as proto3 JSON has it: standard and padded when written, either alphabet when read.
///
/// Source: RFC 4648, sections 4 and 5.
enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The text of the bytes.
    static func encode(_ bytes: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                let index = Int(bits >> UInt32(18 - 6 * place) & 63)
                result.append(isPadding ? UInt8(ascii: "=") : alphabet[index])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The bytes of a text, padded or not; nil if it is no base64.
    static func decode(_ text: String) -> [UInt8]? {
        var symbols = Array(text.utf8)
        let padding = symbols.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2, padding == 0 || symbols.count.isMultiple(of: 4) else { return nil }
        symbols.removeLast(padding)
        guard symbols.count % 4 != 1 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(symbols.count * 3 / 4)
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for symbol in symbols {
            guard let value = value(of: symbol) else { return nil }
            bits = bits << 6 | value
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> bitCount))
                bits &= (1 << bitCount) - 1
            }
        }
        // Bits beyond the last byte must be zero, or two texts would mean the same bytes.
        return bits == 0 ? result : nil
    }

    private static func value(of symbol: UInt8) -> UInt32? {
        switch symbol {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(symbol - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(symbol - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(symbol - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
