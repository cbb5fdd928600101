internal import Cryptography
internal import TollgateKernel

/// The official account's signatures and its encryption of messages, WeChat's side.
///
/// AES-256-CBC with the key's own first half as the vector, PKCS#7 over 32-byte blocks; inside:
/// 16 random bytes, the length in four bytes, the message, the appid.
struct MessageSealing: Sendable {
    /// Why an encrypted reply cannot be read.
    struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
        var description: String
    }

    private static let blockBytes = 32
    private static let prefixBytes = 16

    let token: String
    let appID: String
    private let key: [UInt8]
    private let random: any RandomSource

    /// - Throws: ``Unreadable`` if the EncodingAESKey is not 43 characters of base64.
    init(token: String, encodingAESKey: String, appID: String, random: any RandomSource) throws {
        guard encodingAESKey.utf8.count == 43,
            let key = Base64.decode(encodingAESKey + "=", trailingBits: .ignored),
            key.count == AES256CBC.keyBytes
        else { throw Unreadable(description: "the EncodingAESKey is not 43 base64 characters") }
        self.token = token
        self.appID = appID
        self.key = key
        self.random = random
    }

    /// SHA-1 over the sorted parts, joined: `signature`, and with the ciphertext `msg_signature`.
    func signature(_ parts: String...) throws(CryptographyError) -> String {
        let sorted = ([token] + parts).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Hexadecimal.encode(try SHA1.hash(Array(sorted.joined().utf8)))
    }

    /// Encrypts a message; base64.
    func seal(_ message: String) throws(CryptographyError) -> String {
        let text = Array(message.utf8)
        let length = UInt32(text.count)
        var plain = random.bytes(Self.prefixBytes)
        plain += (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
        plain += text + Array(appID.utf8)
        let padding = Self.blockBytes - plain.count % Self.blockBytes
        plain += [UInt8](repeating: UInt8(padding), count: padding)
        return Base64.encode(
            try AES256CBC.encrypt(
                plain, key: key, initializationVector: Array(key.prefix(AES256CBC.blockBytes))))
    }

    /// Decrypts what ``seal(_:)``, or the account's own server, made.
    func open(_ sealed: String) throws -> String {
        guard let bytes = Base64.decode(sealed), !bytes.isEmpty,
            bytes.count % Self.blockBytes == 0
        else { throw Unreadable(description: "Encrypt is no base64 of whole 32-byte blocks") }
        let plain = try AES256CBC.decrypt(
            bytes, key: key, initializationVector: Array(key.prefix(AES256CBC.blockBytes)))
        guard let last = plain.last, (1...UInt8(Self.blockBytes)).contains(last),
            plain.suffix(Int(last)).allSatisfy({ $0 == last })
        else { throw Unreadable(description: "the padding is wrong") }
        let content = plain.dropLast(Int(last))
        let head = Self.prefixBytes + 4
        guard content.count >= head else { throw Unreadable(description: "too short") }
        let length = content[Self.prefixBytes..<head].reduce(0) { $0 << 8 | Int($1) }
        guard length <= content.count - head else { throw Unreadable(description: "wrong length") }
        guard Array(content[(head + length)...]) == Array(appID.utf8) else {
            throw Unreadable(description: "sealed for another appid")
        }
        guard let text = String(validating: content[head..<(head + length)], as: UTF8.self) else {
            throw Unreadable(description: "the message is not UTF-8")
        }
        return text
    }
}
