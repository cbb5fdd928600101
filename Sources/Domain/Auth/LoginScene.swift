internal import Cryptography

/// What the QR code of a login attempt carries: its name in public, and nothing that signs in.
///
/// 128 random bits behind a mark, so that codes an operator prints for other ends are told apart.
/// Whoever sees the QR code can scan it; the session goes to who holds the attempt's secret.
package struct LoginScene: Hashable, Sendable, CustomStringConvertible {
    /// Random bytes of a scene.
    package static let randomBytes = 16
    private static let mark = "login-"

    /// The text, 38 characters; WeChat takes 64.
    package let text: String

    /// Makes a scene of 16 fresh random bytes; nil for any other number.
    package init?(randomBytes: [UInt8]) {
        guard randomBytes.count == Self.randomBytes else { return nil }
        text = Self.mark + Hexadecimal.encode(randomBytes)
    }

    /// Reads what ``text`` gave; nil for anything else.
    package init?(text: String) {
        guard text.hasPrefix(Self.mark) else { return nil }
        let digits = text.utf8.dropFirst(Self.mark.utf8.count)
        guard digits.count == 2 * Self.randomBytes,
            digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.text = text
    }

    package var description: String { text }
}

/// What whoever began a login attempt keeps to themselves: 256 random bits.
///
/// Only its digest is stored. Its description hides it.
package struct LoginAttemptSecret: Hashable, Sendable, CustomStringConvertible {
    private let token: SessionToken

    /// Wraps 32 fresh random bytes; nil for any other number.
    package init?(randomBytes: [UInt8]) {
        guard let token = SessionToken(secret: randomBytes) else { return nil }
        self.token = token
    }

    /// Reads what ``text`` gave; nil for anything else.
    package init?(text: String) {
        guard let token = SessionToken(text: text) else { return nil }
        self.token = token
    }

    /// What is sent, 43 characters.
    package var text: String { token.text }

    /// What is stored: SHA-256 of the secret's 32 bytes.
    package var digest: [UInt8] {
        get throws(CryptographyError) { try token.digest }
    }

    package var description: String { "(login attempt's secret)" }
}
