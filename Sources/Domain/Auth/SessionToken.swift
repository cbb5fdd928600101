internal import Cryptography

/// The secret of a login session: 256 random bits, sent as `authorization: Bearer …`.
///
/// Only its digest is stored. Its description hides it.
package struct SessionToken: Hashable, Sendable, CustomStringConvertible {
    /// Bytes of the secret.
    package static let secretBytes = 32
    private static let characters = 43
    private static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private let secret: [UInt8]

    /// Wraps 32 fresh random bytes; nil for any other number.
    package init?(secret: [UInt8]) {
        guard secret.count == Self.secretBytes else { return nil }
        self.secret = secret
    }

    /// Reads what ``text`` gave; nil for anything else.
    ///
    /// A token has one text only.
    package init?(text: String) {
        guard text.utf8.count == Self.characters else { return nil }
        var secret: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for symbol in text.utf8 {
            guard let value = Self.alphabet.firstIndex(of: symbol) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                secret.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        // 43 symbols carry 258 bits; the two left over must be zero.
        guard bits & 3 == 0 else { return nil }
        self.init(secret: secret)
    }

    /// Makes a token of 32 fresh random bytes; nil for any other number.
    package static func make(from randomBytes: [UInt8]) -> SessionToken? {
        SessionToken(secret: randomBytes)
    }

    /// What is sent: 43 characters of base64url (RFC 4648, section 5) without padding.
    package var text: String {
        var symbols: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in secret {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                symbols.append(Self.alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        // 256 bits leave four, which fill up with zeros.
        symbols.append(Self.alphabet[Int(bits << 2 & 63)])
        return String(decoding: symbols, as: UTF8.self)
    }

    /// What is stored: SHA-256 of the secret's 32 bytes.
    package var digest: [UInt8] {
        get throws(CryptographyError) { try SHA256.hash(secret) }
    }

    package var description: String { "(session token)" }
}
