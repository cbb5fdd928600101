internal import Cryptography
package import TollgateKernel

/// What a program sends to call on an account's behalf: the key's id, which may be shown, and 256
/// random bits, which may not.
///
/// Its text is `tg-`, the id's 13 characters, a hyphen and the secret's 43. Only the digest is
/// stored. Its description hides the secret.
package struct APIKeySecret: Hashable, Sendable, CustomStringConvertible {
    /// How every key begins, so that people and scanners know one when they see it.
    package static let mark = "tg-"

    /// The key.
    package let id: APIKeyID
    private let token: SessionToken

    /// Makes the secret of a key from 32 fresh random bytes; nil for any other number.
    package init?(id: APIKeyID, randomBytes: [UInt8]) {
        guard let token = SessionToken(secret: randomBytes) else { return nil }
        self.id = id
        self.token = token
    }

    /// Reads what ``text`` gave; nil for anything else.
    package init?(text: String) {
        guard text.hasPrefix(Self.mark) else { return nil }
        let rest = text.dropFirst(Self.mark.utf8.count)
        guard let hyphen = rest.firstIndex(of: "-"),
            let id = APIKeyID(text: String(rest[..<hyphen])),
            let token = SessionToken(text: String(rest[rest.index(after: hyphen)...]))
        else { return nil }
        self.id = id
        self.token = token
    }

    /// What is sent, 60 characters.
    package var text: String { "\(id.shown)-\(token.text)" }

    /// What is stored: SHA-256 of the secret's 32 bytes.
    package var digest: [UInt8] {
        get throws(CryptographyError) { try token.digest }
    }

    package var description: String { "(API key \(id.shown))" }
}

extension APIKeyID {
    /// What lists show of a key: `tg-` and 13 characters, as its secret begins.
    package var shown: String { APIKeySecret.mark + description }

    /// Reads what ``shown`` gave; nil for anything else.
    package init?(shown text: String) {
        guard text.hasPrefix(APIKeySecret.mark) else { return nil }
        self.init(text: String(text.dropFirst(APIKeySecret.mark.utf8.count)))
    }
}
