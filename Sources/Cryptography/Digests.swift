internal import COpenSSL
internal import TollgateKernel

/// SHA-1 (FIPS 180-4): only where WeChat's protocols demand it, never for new ones.
package enum SHA1 {
    /// The 20 bytes of the digest.
    package static func hash(_ bytes: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try digest(.sha1, bytes, length: 20)
    }
}

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    /// The 32 bytes of the digest.
    package static func hash(_ bytes: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try digest(.sha256, bytes, length: 32)
    }

    /// The 32 bytes of the digest of a text's UTF-8.
    package static func hash(_ text: String) throws(CryptographyError) -> [UInt8] {
        try hash(Array(text.utf8))
    }

    /// One of OpenSSL's contexts for many digests one after the other: making one costs as much as
    /// hashing a short message.
    package struct Hasher: ~Copyable {
        private let context: OpaquePointer

        /// Takes a context.
        package init() throws(CryptographyError) {
            guard let context = EVP_MD_CTX_new() else { throw .takingQueue("EVP_MD_CTX_new") }
            self.context = context
        }

        deinit { EVP_MD_CTX_free(context) }

        /// The 32 bytes of the digest; nothing of the digests before it is in it.
        package func hash(_ bytes: [UInt8]) throws(CryptographyError) -> [UInt8] {
            try digest(.sha256, bytes, length: 32, in: context)
        }

        /// Whether these are the 32 bytes of the digest; for histories, not for secrets: the time
        /// it takes tells where they differ.
        package func isHash(
            _ claimed: UnsafeRawBufferPointer, of bytes: [UInt8]
        ) throws(CryptographyError) -> Bool {
            guard bytes.count <= Limits.cryptographyInputBytes else { throw .unsuitableLength }
            var result: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            var written: UInt32 = 0
            let isDone = withUnsafeMutableBytes(of: &result) { result in
                EVP_DigestInit_ex2(context, Algorithm.sha256.pointer, nil) == 1
                    && EVP_DigestUpdate(context, bytes, bytes.count) == 1
                    && EVP_DigestFinal_ex(
                        context, result.bindMemory(to: UInt8.self).baseAddress, &written) == 1
            }
            guard isDone, written == 32 else { throw .takingQueue("digest") }
            return withUnsafeBytes(of: result) { claimed.elementsEqual($0) }
        }
    }
}

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1).
package enum HMACSHA256 {
    /// The 32 bytes of the code.
    ///
    /// Keys of any length are allowed, as the RFC allows them.
    package static func authenticate(_ bytes: [UInt8], key: [UInt8]) throws(CryptographyError)
        -> [UInt8]
    {
        guard bytes.count <= Limits.cryptographyInputBytes,
            key.count <= Limits.cryptographyInputBytes
        else { throw .unsuitableLength }
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        // An empty key may be a null pointer in Swift, which HMAC takes as "no key given".
        let keyBytes = key.isEmpty ? [0] : key
        let done = HMAC(
            Algorithm.sha256.pointer, keyBytes, Int32(key.count), bytes, bytes.count, &code,
            &length)
        guard done != nil, length == 32 else { throw .takingQueue("HMAC") }
        return code
    }
}

private func digest(_ algorithm: Algorithm, _ bytes: [UInt8], length: Int)
    throws(CryptographyError) -> [UInt8]
{
    guard let context = EVP_MD_CTX_new() else { throw .takingQueue("EVP_MD_CTX_new") }
    defer { EVP_MD_CTX_free(context) }
    return try digest(algorithm, bytes, length: length, in: context)
}

private func digest(
    _ algorithm: Algorithm, _ bytes: [UInt8], length: Int, in context: OpaquePointer
) throws(CryptographyError) -> [UInt8] {
    guard bytes.count <= Limits.cryptographyInputBytes else { throw .unsuitableLength }
    var result = [UInt8](repeating: 0, count: length)
    var written: UInt32 = 0
    guard EVP_DigestInit_ex2(context, algorithm.pointer, nil) == 1,
        EVP_DigestUpdate(context, bytes, bytes.count) == 1,
        EVP_DigestFinal_ex(context, &result, &written) == 1, written == UInt32(length)
    else { throw .takingQueue("digest") }
    return result
}
