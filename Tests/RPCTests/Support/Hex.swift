import NIOCore
import TollgateRPC
import TollgateWire

/// Bytes written as hexadecimal digits; spaces and bars are for the reader.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "|") }
    return stride(from: 0, to: digits.count, by: 2).map { index in
        let pair = String(decoding: digits[index...index + 1], as: UTF8.self)
        guard let byte = UInt8(pair, radix: 16) else { preconditionFailure("not hex: \(pair)") }
        return byte
    }
}

/// A buffer of bytes written as hexadecimal digits.
func hexBuffer(_ text: String) -> ByteBuffer { ByteBuffer(bytes: hex(text)) }

/// Frames cut out of some bytes; what is left over is an error.
func frames(_ bytes: ByteBuffer) throws -> [Frame] {
    var bytes = bytes
    var decoder = FrameDecoder()
    var frames: [Frame] = []
    while let frame = try decoder.decode(buffer: &bytes) { frames.append(frame) }
    guard bytes.readableBytes == 0 else { throw FrameError.truncated }
    return frames
}

extension RpcMeta {
    /// The meta's bytes.
    func encoded() throws -> [UInt8] {
        var bytes: [UInt8] = []
        try encode { bytes = Array($0) }
        return bytes
    }
}
