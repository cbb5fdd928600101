internal import COpenSSL
internal import TollgateKernel

/// AES-256 in cipher block chaining mode (NIST SP 800-38A), without padding of its own.
///
/// It authenticates nothing: only for the official account's messages, whose signature is checked
/// first and which pad to 32 bytes in their own way.
package enum AES256CBC {
    /// Bytes of a key.
    package static let keyBytes = 32
    /// Bytes of a block, and of the initialisation vector.
    package static let blockBytes = 16

    /// Encrypts whole blocks.
    package static func encrypt(
        _ plaintext: [UInt8], key: [UInt8], initializationVector: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try run(plaintext, key: key, initializationVector: initializationVector, encrypting: true)
    }

    /// Decrypts whole blocks.
    package static func decrypt(
        _ ciphertext: [UInt8], key: [UInt8], initializationVector: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try run(ciphertext, key: key, initializationVector: initializationVector, encrypting: false)
    }

    private static func run(
        _ input: [UInt8], key: [UInt8], initializationVector: [UInt8], encrypting: Bool
    ) throws(CryptographyError) -> [UInt8] {
        guard key.count == keyBytes else { throw .unsuitableKey("AES-256 needs 32 bytes") }
        guard initializationVector.count == blockBytes else { throw .unsuitableNonce }
        guard input.count % blockBytes == 0, input.count <= Limits.cryptographyInputBytes else {
            throw .unsuitableLength
        }
        guard !input.isEmpty else { return [] }
        guard let context = EVP_CIPHER_CTX_new() else { throw .takingQueue("EVP_CIPHER_CTX_new") }
        defer { EVP_CIPHER_CTX_free(context) }
        var output = [UInt8](repeating: 0, count: input.count)
        var rest = [UInt8](repeating: 0, count: blockBytes)
        var written: Int32 = 0
        var last: Int32 = 0
        guard
            EVP_CipherInit_ex2(
                context, Algorithm.aes256CBC.pointer, key, initializationVector,
                encrypting ? 1 : 0, nil) == 1,
            EVP_CIPHER_CTX_set_padding(context, 0) == 1,
            EVP_CipherUpdate(context, &output, &written, input, Int32(input.count)) == 1,
            EVP_CipherFinal_ex(context, &rest, &last) == 1, Int(written + last) == input.count
        else { throw .takingQueue("AES-256-CBC") }
        return output
    }
}
