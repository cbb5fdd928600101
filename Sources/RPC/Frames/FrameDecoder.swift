package import NIOCore
import TollgateKernel

/// Cuts a connection's bytes into frames.
///
/// Every limit is checked on the header, before the body has arrived, and memory grows with the
/// bytes that came: room for a whole packet is made only when a quarter of it is there.
package struct FrameDecoder: NIOSingleStepByteToMessageDecoder {
    package typealias InboundOut = Frame

    private let maximumMetaBytes: Int
    private let maximumBodyBytes: Int

    /// Makes a decoder with its limits.
    package init(
        maximumMetaBytes: Int = Limits.rpcMetaBytes, maximumBodyBytes: Int = Limits.rpcBodyBytes
    ) {
        self.maximumMetaBytes = maximumMetaBytes
        self.maximumBodyBytes = maximumBodyBytes
    }

    package mutating func decode(buffer: inout ByteBuffer) throws -> Frame? {
        let start = buffer.readerIndex
        guard let magic = buffer.getInteger(at: start, as: UInt32.self) else { return nil }
        guard let kind = Frame.Kind(rawValue: magic) else { throw FrameError.unknownMagic }
        guard let bodySize = buffer.getInteger(at: start + 4, as: UInt32.self).map(Int.init),
            let metaSize = buffer.getInteger(at: start + 8, as: UInt32.self).map(Int.init)
        else { return nil }
        guard metaSize <= bodySize else { throw FrameError.metaExceedsBody }
        guard metaSize <= maximumMetaBytes else { throw FrameError.metaTooLarge(metaSize) }
        guard bodySize <= maximumBodyBytes else { throw FrameError.bodyTooLarge(bodySize) }
        let missing = Frame.headerSize + bodySize - buffer.readableBytes
        guard missing <= 0 else {
            // A buffer that grows by doubling would copy a long packet twice.
            if bodySize > Limits.rpcFragmentBytes, missing <= 3 * buffer.readableBytes {
                buffer.reserveCapacity(minimumWritableBytes: missing)
            }
            return nil
        }
        buffer.moveReaderIndex(forwardBy: Frame.headerSize)
        guard let packet = buffer.readSlice(length: bodySize) else { return nil }
        return Frame(kind: kind, packet: packet, metaSize: metaSize)
    }

    package mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> Frame? {
        if let frame = try decode(buffer: &buffer) { return frame }
        guard buffer.readableBytes == 0 else { throw FrameError.truncated }
        return nil
    }
}
