/// Base64 with the standard alphabet and padding (RFC 4648, section 4).
package enum Base64 {
    private static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each symbol; 255 for bytes that are none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, symbol) in alphabet.enumerated() { values[Int(symbol)] = UInt8(value) }
        return values
    }()

    /// Encodes on one line, padded.
    package static func encode(_ bytes: [UInt8]) -> String {
        let length = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: length) { text in
            var place = 0
            var index = 0
            while index < bytes.count {
                let left = bytes.count - index
                let second = left > 1 ? bytes[index + 1] : 0
                let third = left > 2 ? bytes[index + 2] : 0
                let group = UInt32(bytes[index]) << 16 | UInt32(second) << 8 | UInt32(third)
                text[place] = alphabet[Int(group >> 18)]
                text[place + 1] = alphabet[Int(group >> 12 & 63)]
                text[place + 2] = left > 1 ? alphabet[Int(group >> 6 & 63)] : UInt8(ascii: "=")
                text[place + 3] = left > 2 ? alphabet[Int(group & 63)] : UInt8(ascii: "=")
                place += 4
                index += 3
            }
            return length
        }
    }

    /// What to do with the bits after the last whole byte, which an encoder sets to zero.
    package enum TrailingBits: Hashable, Sendable {
        /// Refuse them unless they are zero, so that bytes have one encoding only.
        case mustBeZero
        /// Drop them: WeChat's EncodingAESKey is 43 random symbols, 258 bits for 256.
        case ignored
    }

    /// Decodes strictly: whole groups of four, padding at the end alone, no white space.
    ///
    /// - Returns: nil if the text is not such base64.
    package static func decode(_ text: String, trailingBits: TrailingBits = .mustBeZero)
        -> [UInt8]?
    {
        decode(Array(text.utf8), trailingBits: trailingBits)
    }

    private static func decode(_ symbols: [UInt8], trailingBits: TrailingBits) -> [UInt8]? {
        guard symbols.count % 4 == 0 else { return nil }
        guard !symbols.isEmpty else { return [] }
        let pad = UInt8(ascii: "=")
        let padding =
            symbols[symbols.count - 1] != pad ? 0 : symbols[symbols.count - 2] != pad ? 1 : 2
        var bytes: [UInt8] = []
        bytes.reserveCapacity(symbols.count / 4 * 3)
        var group: UInt32 = 0
        var collected = 0
        for symbol in symbols[..<(symbols.count - padding)] {
            let value = values[Int(symbol)]
            guard value != 255 else { return nil }
            group = group << 6 | UInt32(value)
            collected += 1
            guard collected == 4 else { continue }
            bytes.append(UInt8(truncatingIfNeeded: group >> 16))
            bytes.append(UInt8(truncatingIfNeeded: group >> 8))
            bytes.append(UInt8(truncatingIfNeeded: group))
            group = 0
            collected = 0
        }
        let spare = collected == 2 ? group & 15 : collected == 3 ? group & 3 : 0
        guard spare == 0 || trailingBits == .ignored else { return nil }
        switch collected {
        case 2: bytes.append(UInt8(truncatingIfNeeded: group >> 4))
        case 3:
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
        default: break
        }
        return bytes
    }
}
