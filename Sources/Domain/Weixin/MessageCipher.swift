internal import Cryptography
package import TollgateKernel

/// Seals and opens messages in the official account's aes mode (`reference` section 1.9).
///
/// AES-256-CBC with the first 16 bytes of the key as IV, over 16 random bytes, the message's length
/// in four bytes (big-endian), the message and the appid, filled up PKCS#7-like to 32-byte blocks.
/// The mode proves nothing by itself: check the message signature first.
package struct MessageCipher: Sendable {
    private static let blockBytes = 32

    private let key: [UInt8]
    private let appID: [UInt8]

    /// Makes a cipher.
    ///
    /// - Parameters:
    ///   - encodingAESKey: The 43 characters of the account's settings.
    ///   - appID: Sealed with each message and checked.
    /// - Throws: `invalid_request` if the key has another shape.
    package init(encodingAESKey: String, appID: String) throws(Failure) {
        // 43 characters carry 258 bits; the two that are left over may be anything.
        guard encodingAESKey.utf8.count == 43,
            let key = Base64.decode(encodingAESKey + "=", trailingBits: .ignored),
            key.count == 32
        else {
            throw Failure(
                .invalidRequest, "An EncodingAESKey has 43 characters of base64; look it up again.")
        }
        self.key = key
        self.appID = Array(appID.utf8)
    }

    /// Seals a message with 16 fresh random bytes; base64.
    package func seal(_ message: [UInt8], random: [UInt8]) throws -> String {
        precondition(random.count == 16, "a sealed message starts with 16 random bytes")
        var text = random
        withUnsafeBytes(of: UInt32(message.count).bigEndian) { text.append(contentsOf: $0) }
        text += message
        text += appID
        let fill = Self.blockBytes - text.count % Self.blockBytes
        text += [UInt8](repeating: UInt8(fill), count: fill)
        return Base64.encode(
            try AES256CBC.encrypt(text, key: key, initializationVector: Array(key.prefix(16))))
    }

    /// Opens a sealed message.
    ///
    /// - Throws: `unauthenticated` if fill, length or appid are wrong: another key, or a forgery.
    package func open(_ sealed: String) throws(Failure) -> [UInt8] {
        let refusal = Failure(.unauthenticated, "The sealed message does not open.")
        guard let bytes = Base64.decode(sealed), !bytes.isEmpty,
            bytes.count.isMultiple(of: 16),
            let text = try? AES256CBC.decrypt(
                bytes, key: key, initializationVector: Array(key.prefix(16))),
            let last = text.last
        else { throw refusal }
        let fill = Int(last)
        guard (1...Self.blockBytes).contains(fill), fill <= text.count,
            text.suffix(fill).allSatisfy({ $0 == last })
        else { throw refusal }
        let body = text.dropLast(fill)
        guard body.count >= 20 else { throw refusal }
        let length = body[16..<20].reduce(0) { $0 << 8 | Int($1) }
        guard length <= body.count - 20 else { throw refusal }
        let message = Array(body[20..<20 + length])
        guard ConstantTime.areEqual(Array(body[(20 + length)...]), appID) else { throw refusal }
        return message
    }
}
