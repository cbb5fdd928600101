internal import TollgateKernel

/// The text of a login code: eight Crockford base32 characters, 40 bits, printed `K7QM-4T2X`.
///
/// It is a secret until used: its description hides it.
package struct LoginCodeText: Hashable, Sendable, CustomStringConvertible {
    /// The eight characters in upper case, without a hyphen.
    package let characters: String

    private init(characters: String) { self.characters = characters }

    /// As people see it, with a hyphen in the middle.
    package var printed: String { "\(characters.prefix(4))-\(characters.suffix(4))" }

    package var description: String { "(login code)" }

    /// Makes a code of the first 40 bits of secret bytes; nil if there are fewer.
    package static func make(from secretBytes: [UInt8]) -> LoginCodeText? {
        guard secretBytes.count >= 5 else { return nil }
        var rest = secretBytes.prefix(5).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        var symbols = [UInt8](repeating: 0, count: 8)
        for index in symbols.indices.reversed() {
            symbols[index] = CrockfordBase32.alphabet[Int(rest & 31)]
            rest >>= 5
        }
        return LoginCodeText(characters: String(decoding: symbols, as: UTF8.self))
    }

    /// Reads what somebody typed; nil if it is no code.
    ///
    /// Letter case, spaces and hyphens do not matter; O reads as 0, I and L as 1, full-width forms
    /// (as Chinese keyboards type them) as their ASCII counterparts.
    package static func parse(typed text: String) -> LoginCodeText? {
        // Four times the printed length is more than any person's spacing.
        guard text.unicodeScalars.count <= 36 else { return nil }
        var symbols: [UInt8] = []
        for scalar in text.unicodeScalars {
            let narrow =
                (0xff01...0xff5e).contains(scalar.value) ? scalar.value - 0xfee0 : scalar.value
            if narrow == 0x2d || (0x2010...0x2015).contains(narrow)
                || scalar.properties.isWhitespace
            {
                continue
            }
            guard let symbol = UInt8(exactly: narrow), let value = CrockfordBase32.value(of: symbol)
            else { return nil }
            symbols.append(CrockfordBase32.alphabet[Int(value)])
        }
        guard symbols.count == 8 else { return nil }
        return LoginCodeText(characters: String(decoding: symbols, as: UTF8.self))
    }
}
