package import Cryptography

/// The official account's signature over a callback (`reference` section 1.9).
///
/// SHA-1 in hexadecimal over token, timestamp and nonce (and the sealed message, in aes mode),
/// sorted by bytes and joined. SHA-1 is the interface's choice; the secret token is what protects.
package enum CallbackSignature {
    /// The signature of these parts.
    package static func make(
        token: String, timestamp: String, nonce: String, sealed: String? = nil
    ) throws(CryptographyError) -> String {
        let parts = [token, timestamp, nonce] + (sealed.map { [$0] } ?? [])
        let sorted = parts.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        return Hexadecimal.encode(try SHA1.hash(Array(sorted.joined())))
    }

    /// Whether `signature` is right, compared in constant time.
    package static func isValid(
        _ signature: String, token: String, timestamp: String, nonce: String,
        sealed: String? = nil
    ) -> Bool {
        guard
            let expected = try? make(
                token: token, timestamp: timestamp, nonce: nonce, sealed: sealed)
        else { return false }
        return ConstantTime.areEqual(expected, signature)
    }
}
