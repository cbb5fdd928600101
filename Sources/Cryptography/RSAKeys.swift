internal import COpenSSL
internal import TollgateKernel

/// Owns one reference to an `EVP_PKEY`.
///
/// Sendable although it holds a pointer: the key is complete when this is made and only read after
/// that; OpenSSL allows any number of threads to sign and verify with one key, each in a context of
/// its own, which is what ``RSAPrivateKey`` and ``RSAPublicKey`` do.
final class KeyHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over a reference; refuses keys that are not RSA, or too weak or too large.
    init(taking pointer: OpaquePointer) throws(CryptographyError) {
        self.pointer = pointer
        // The deinitialiser runs for a throwing initialiser too once all properties are set.
        guard EVP_PKEY_get_base_id(pointer) == EVP_PKEY_RSA else {
            throw .unsuitableKey("RSA expected")
        }
        guard Limits.rsaKeyBits.contains(Int(EVP_PKEY_get_bits(pointer))) else {
            throw .unsuitableKey("RSA of 2048 to 8192 bits expected")
        }
    }

    deinit { EVP_PKEY_free(pointer) }
}

/// An RSA key that signs with SHA-256 and PKCS#1 v1.5 padding (RFC 8017, section 8.2).
package struct RSAPrivateKey: Sendable, CustomStringConvertible {
    let handle: KeyHandle

    /// Reads an unencrypted PEM text, PKCS#8 or PKCS#1.
    package init(pem: String) throws(CryptographyError) {
        let input = try MemoryText(pem)
        // With no callback OpenSSL asks the terminal for the pass phrase of an encrypted key.
        let refuse:
            @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) ->
                Int32 = { _, _, _, _ in -1 }
        guard let key = PEM_read_bio_PrivateKey(input.pointer, nil, refuse, nil) else {
            ERR_clear_error()
            throw .malformed("private key")
        }
        handle = try KeyHandle(taking: key)
    }

    private init(handle: KeyHandle) { self.handle = handle }

    /// Makes a fresh key; takes some 100 ms for 2,048 bits, so never on an event loop.
    package static func generate(bits: Int = 2_048) throws(CryptographyError) -> RSAPrivateKey {
        guard Limits.rsaKeyBits.contains(bits) else {
            throw .unsuitableKey("RSA of 2048 to 8192 bits expected")
        }
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else {
            throw .takingQueue("EVP_PKEY_CTX_new_id")
        }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1,
            EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(bits)) == 1,
            EVP_PKEY_keygen(context, &key) == 1, let key
        else { throw .takingQueue("RSA key generation") }
        return RSAPrivateKey(handle: try KeyHandle(taking: key))
    }

    /// The public half.
    package var publicKey: RSAPublicKey { RSAPublicKey(handle: handle) }

    /// Signs; some 0.7 ms for 2,048 bits, so never on an event loop.
    package func sign(_ message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard message.count <= Limits.cryptographyInputBytes else { throw .unsuitableLength }
        guard let context = EVP_MD_CTX_new() else { throw .takingQueue("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        var length = Int(EVP_PKEY_get_size(handle.pointer))
        var signature = [UInt8](repeating: 0, count: length)
        guard
            EVP_DigestSignInit(context, nil, Algorithm.sha256.pointer, nil, handle.pointer) == 1,
            EVP_DigestSign(context, &signature, &length, message, message.count) == 1
        else { throw .takingQueue("RSA sign") }
        signature.removeLast(signature.count - length)
        return signature
    }

    /// The key as an unencrypted PKCS#8 PEM text; store it readable by its owner alone.
    package func pem() throws(CryptographyError) -> String {
        let output = try MemoryText()
        guard
            PEM_write_bio_PKCS8PrivateKey(output.pointer, handle.pointer, nil, nil, 0, nil, nil)
                == 1
        else { throw .takingQueue("PEM_write_bio_PKCS8PrivateKey") }
        return try output.contents()
    }

    /// Names the kind alone, so that a log never holds the key.
    package var description: String { "RSAPrivateKey" }
}

/// An RSA key that checks signatures made by ``RSAPrivateKey/sign(_:)``.
package struct RSAPublicKey: Sendable {
    let handle: KeyHandle

    init(handle: KeyHandle) { self.handle = handle }

    /// Reads a PEM text that begins with `BEGIN PUBLIC KEY`.
    package init(pem: String) throws(CryptographyError) {
        let input = try MemoryText(pem)
        guard let key = PEM_read_bio_PUBKEY(input.pointer, nil, nil, nil) else {
            ERR_clear_error()
            throw .malformed("public key")
        }
        handle = try KeyHandle(taking: key)
    }

    /// Whether the signature is this key's over the message; some 30 µs.
    package func isValid(signature: [UInt8], for message: [UInt8]) throws(CryptographyError)
        -> Bool
    {
        guard message.count <= Limits.cryptographyInputBytes else { throw .unsuitableLength }
        guard signature.count == Int(EVP_PKEY_get_size(handle.pointer)) else { return false }
        guard let context = EVP_MD_CTX_new() else { throw .takingQueue("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        guard
            EVP_DigestVerifyInit(context, nil, Algorithm.sha256.pointer, nil, handle.pointer) == 1
        else { throw .takingQueue("EVP_DigestVerifyInit") }
        let verdict = EVP_DigestVerify(
            context, signature, signature.count, message, message.count)
        ERR_clear_error()
        return verdict == 1
    }

    /// The key as a PEM text.
    package func pem() throws(CryptographyError) -> String {
        let output = try MemoryText()
        guard PEM_write_bio_PUBKEY(output.pointer, handle.pointer) == 1 else {
            throw .takingQueue("PEM_write_bio_PUBKEY")
        }
        return try output.contents()
    }
}
