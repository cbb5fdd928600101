internal import COpenSSL

/// Why a cryptographic operation gave no result.
///
/// Never holds keys or data.
package enum CryptographyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A key has the wrong length, is of the wrong kind or too weak; says what was expected.
    case unsuitableKey(String)
    /// A nonce or initialisation vector has the wrong length.
    case unsuitableNonce
    /// The input is longer than ``Limits`` allow, or no whole number of blocks.
    case unsuitableLength
    /// A text (PEM, base64, hexadecimal) cannot be read; says which.
    case malformed(String)
    /// The authentication tag or signature does not match: the data is not what was sealed.
    case authenticationFailed
    /// OpenSSL refused an operation that our inputs allow: out of memory or a broken installation.
    case library(String)

    package var description: String {
        switch self {
        case .unsuitableKey(let expected): "unsuitable key: \(expected)"
        case .unsuitableNonce: "nonce of the wrong length"
        case .unsuitableLength: "data of an unsuitable length"
        case .malformed(let what): "malformed \(what)"
        case .authenticationFailed: "authentication failed"
        case .library(let operation): "OpenSSL failed: \(operation)"
        }
    }

    /// Takes OpenSSL's error queue of this thread, so that nothing stays for the next caller.
    static func takingQueue(_ operation: String) -> CryptographyError {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        return .library(code == 0 ? operation : "\(operation) (\(String(code, radix: 16)))")
    }
}
