internal import COpenSSL

/// OpenSSL's algorithms, looked up once: an implicit look-up in each call costs more than hashing
/// a short message does.
///
/// Sendable although it holds pointers: a fetched `EVP_MD` or `EVP_CIPHER` is never changed after
/// the fetch and OpenSSL documents it as shareable between threads; it lives as long as we do.
struct Algorithm: @unchecked Sendable {
    let pointer: OpaquePointer?

    static let sha1 = Algorithm(pointer: EVP_MD_fetch(nil, "SHA1", nil))
    static let sha256 = Algorithm(pointer: EVP_MD_fetch(nil, "SHA256", nil))
    static let aes256GCM = Algorithm(pointer: EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))
    static let aes256CBC = Algorithm(pointer: EVP_CIPHER_fetch(nil, "AES-256-CBC", nil))
}
