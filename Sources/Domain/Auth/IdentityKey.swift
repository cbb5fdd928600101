package import Cryptography
internal import TollgateKernel

/// The store's key for digests of people: with it an openid, a login code or a source becomes a
/// number that nobody without the key can test guesses against.
///
/// Every use has its own label in front, so that a digest of one kind is never one of another.
package struct IdentityKey: Sendable {
    private let key: [UInt8]

    /// Wraps a key; nil if it is shorter than ``Limits/identityKeyBytes``.
    package init?(_ key: [UInt8]) {
        guard key.count >= Limits.identityKeyBytes else { return nil }
        self.key = key
    }

    /// What tells this key from another without telling anything of it, 32 bytes.
    package func fingerprint() throws(CryptographyError) -> [UInt8] { try digest("fingerprint") }

    /// What an account is found by, 32 bytes.
    package func openIDDigest(_ openID: String) throws(CryptographyError) -> [UInt8] {
        try digest("openid", openID)
    }

    /// What stands in the place of an openid's digest when the account was deleted, 32 bytes: no
    /// openid has it.
    package func placeholderDigest(account: String) throws(CryptographyError) -> [UInt8] {
        try digest("deleted-account", account)
    }

    /// What a received push is remembered by, 32 bytes: what tells pushes apart holds the openid.
    package func pushDigest(_ key: String) throws(CryptographyError) -> [UInt8] {
        try digest("push", key)
    }

    /// What a login code is found by, 32 bytes.
    package func loginCodeDigest(_ code: LoginCodeText) throws(CryptographyError) -> [UInt8] {
        try digest("login-code", code.characters)
    }

    /// What wrong guesses are counted by, 32 bytes: one for all addresses of a ``GuessSource``.
    package func sourceDigest(_ source: String) throws(CryptographyError) -> [UInt8] {
        try digest("source", GuessSource.counted(source))
    }

    /// What one person's wrong answers to login attempts are counted by, 32 bytes.
    package func replySourceDigest(openID: String) throws(CryptographyError) -> [UInt8] {
        try digest("reply-source", openID)
    }

    /// The code for one push of one person: the same push gets the same code again, without the
    /// code being stored in clear.
    ///
    /// - Parameters:
    ///   - pushKey: what identifies the push.
    ///   - attempt: 0, or one more if the code before is somebody else's live one.
    package func deriveLoginCode(pushKey: String, openID: String, attempt: Int64)
        throws(CryptographyError) -> LoginCodeText
    {
        let bytes = try digest("derive-login-code", pushKey, openID, String(attempt))
        guard let code = LoginCodeText.make(from: bytes) else {
            throw .library("HMAC gave fewer than 40 bits")
        }
        return code
    }

    /// HMAC-SHA256 over the label and every field, each behind its length in four bytes.
    private func digest(_ fields: String...) throws(CryptographyError) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in ["tollgate.identity.1"] + fields {
            let length = UInt32(truncatingIfNeeded: field.utf8.count)
            withUnsafeBytes(of: length.bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: field.utf8)
        }
        return try HMACSHA256.authenticate(bytes, key: key)
    }
}
