internal import COpenSSL
internal import TollgateKernel

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D) with a 12-byte nonce and a 16-byte tag.
///
/// A nonce must never be used twice with one key; making it is the caller's part.
package enum AES256GCM {
    /// Bytes of a key.
    package static let keyBytes = 32
    /// Bytes of a nonce.
    package static let nonceBytes = 12
    /// Bytes of the tag at the end of a sealed message.
    package static let tagBytes = 16

    /// Encrypts; the answer is the ciphertext with the tag appended, as WeChat Pay has it.
    ///
    /// - Parameters:
    ///   - plaintext: may be empty.
    ///   - key: 32 bytes.
    ///   - nonce: 12 bytes.
    ///   - associatedData: authenticated, not encrypted; may be empty.
    package static func seal(
        _ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], associatedData: [UInt8] = []
    ) throws(CryptographyError) -> [UInt8] {
        try check(key: key, nonce: nonce, lengths: plaintext.count, associatedData.count)
        guard let context = EVP_CIPHER_CTX_new() else { throw .takingQueue("EVP_CIPHER_CTX_new") }
        defer { EVP_CIPHER_CTX_free(context) }
        var sealed = [UInt8](repeating: 0, count: plaintext.count + tagBytes)
        var tag = [UInt8](repeating: 0, count: tagBytes)
        var written: Int32 = 0
        // 12 bytes is the mode's own nonce length, so it need not be set. An update with a null
        // output is associated data; one without bytes is skipped because Swift's empty array may
        // be a null pointer.
        guard EVP_EncryptInit_ex2(context, Algorithm.aes256GCM.pointer, key, nonce, nil) == 1,
            associatedData.isEmpty
                || EVP_EncryptUpdate(
                    context, nil, &written, associatedData, Int32(associatedData.count)) == 1,
            plaintext.isEmpty
                || EVP_EncryptUpdate(
                    context, &sealed, &written, plaintext, Int32(plaintext.count)) == 1,
            EVP_EncryptFinal_ex(context, &tag, &written) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagBytes), &tag) == 1
        else { throw .takingQueue("AES-256-GCM seal") }
        sealed.replaceSubrange(plaintext.count..., with: tag)
        return sealed
    }

    /// Checks the tag and decrypts what ``seal(_:key:nonce:associatedData:)`` made.
    ///
    /// - Throws: ``CryptographyError/authenticationFailed`` if anything was changed.
    package static func open(
        _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], associatedData: [UInt8] = []
    ) throws(CryptographyError) -> [UInt8] {
        try check(key: key, nonce: nonce, lengths: sealed.count, associatedData.count)
        guard sealed.count >= tagBytes else { throw .authenticationFailed }
        guard let context = EVP_CIPHER_CTX_new() else { throw .takingQueue("EVP_CIPHER_CTX_new") }
        defer { EVP_CIPHER_CTX_free(context) }
        let length = sealed.count - tagBytes
        var tag = Array(sealed[length...])
        var plaintext = [UInt8](repeating: 0, count: length)
        var written: Int32 = 0
        guard EVP_DecryptInit_ex2(context, Algorithm.aes256GCM.pointer, key, nonce, nil) == 1,
            associatedData.isEmpty
                || EVP_DecryptUpdate(
                    context, nil, &written, associatedData, Int32(associatedData.count)) == 1,
            length == 0
                || EVP_DecryptUpdate(context, &plaintext, &written, sealed, Int32(length)) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagBytes), &tag) == 1
        else { throw .takingQueue("AES-256-GCM open") }
        var rest = [UInt8](repeating: 0, count: tagBytes)
        guard EVP_DecryptFinal_ex(context, &rest, &written) == 1 else {
            ERR_clear_error()
            throw .authenticationFailed
        }
        return plaintext
    }

    private static func check(key: [UInt8], nonce: [UInt8], lengths: Int...)
        throws(CryptographyError)
    {
        guard key.count == keyBytes else { throw .unsuitableKey("AES-256 needs 32 bytes") }
        guard nonce.count == nonceBytes else { throw .unsuitableNonce }
        guard lengths.allSatisfy({ $0 <= Limits.cryptographyInputBytes }) else {
            throw .unsuitableLength
        }
    }
}
