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
        guard let (magic, sizes) = Self.header(buffer) else { return nil }
        guard let kind = Frame.Kind(rawValue: magic) else { throw FrameError.unknownMagic }
        guard let (bodySize, metaSize) = sizes else { return nil }
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

    /// The header's numbers, as far as they are there.
    ///
    /// Taken at once, for the buffer looks at itself whenever something is asked of it.
    static func header(
        _ buffer: ByteBuffer
    ) -> (magic: UInt32, sizes: (body: Int, meta: Int)?)? {
        buffer.withUnsafeReadableBytes { bytes in
            func number(at offset: Int) -> UInt32 {
                UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            }
            guard bytes.count >= MemoryLayout<UInt32>.size else { return nil }
            guard bytes.count >= Frame.headerSize else { return (number(at: 0), nil) }
            return (number(at: 0), (Int(number(at: 4)), Int(number(at: 8))))
        }
    }

    package mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> Frame? {
        if let frame = try decode(buffer: &buffer) { return frame }
        guard buffer.readableBytes == 0 else { throw FrameError.truncated }
        return nil
    }
}
