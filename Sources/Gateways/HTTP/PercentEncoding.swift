internal import Cryptography

/// A text as a part of a path or a query: all but letters, digits, `-` and `_` percent-encoded.
func percentEncoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: bytes.append(byte)
        default:
            bytes.append(UInt8(ascii: "%"))
            bytes.append(contentsOf: Hexadecimal.encode([byte]).uppercased().utf8)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
