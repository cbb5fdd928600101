internal import CZlib
package import NIOCore
import TollgateKernel

/// How a payload can be compressed, by its number on the wire (rpc-wire, 1.4).
///
/// Snappy and lz4 are not spoken: with the first no other language's client is lost, and bRPC has
/// no handler for the second.
package enum PayloadCompression: Int32, Hashable, Sendable, CaseIterable {
    /// RFC 1952.
    case gzip = 2
    /// RFC 1950.
    case zlib = 3

    /// The type's bit in `accept_compress`.
    package var bit: UInt32 { 1 << UInt32(rawValue) }

    /// The best of the types that a peer's `accept_compress` names: zlib is gzip with 12 bytes
    /// less.
    package static func best(of bits: UInt32) -> PayloadCompression? {
        if bits & PayloadCompression.zlib.bit != 0 { return .zlib }
        return bits & PayloadCompression.gzip.bit != 0 ? .gzip : nil
    }

    /// What ``inflate(_:limitBytes:)`` found.
    package enum Inflated {
        /// The whole payload.
        case whole(ByteBuffer)
        /// It is longer than the limit.
        case tooLong
        /// The bytes are broken, or go on after their end.
        case broken
    }

    /// The window's size in zlib's own notation; 16 more asks for gzip's frame.
    private var windowBits: Int32 { self == .gzip ? 15 + 16 : 15 }

    /// Decompresses, and stops as soon as the result is longer than `limitBytes`.
    ///
    /// Memory grows with what comes out: no declared length is believed.
    package func inflate(_ payload: ByteBuffer, limitBytes: Int) -> Inflated {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, size) == Z_OK else { return .broken }
        defer { inflateEnd(&stream) }
        var output = ByteBuffer()
        var status = Z_OK
        payload.withUnsafeReadableBytes { input in
            // zlib reads its input only, but its C declaration has no const.
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(clamping: input.count)
            while status == Z_OK, output.readableBytes <= limitBytes {
                let room = min(
                    max(Self.stepBytes, output.readableBytes),
                    limitBytes - output.readableBytes + 1)
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { place in
                    stream.next_out = place.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.avail_out = UInt32(clamping: room)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    return room - Int(stream.avail_out)
                }
            }
        }
        if output.readableBytes > limitBytes { return .tooLong }
        return status == Z_STREAM_END && stream.avail_in == 0 ? .whole(output) : .broken
    }

    private static let stepBytes = 4_096

    /// Compresses; nil if zlib refuses, which it does for lack of memory alone.
    package func deflate(_ payload: UnsafeRawBufferPointer) -> ByteBuffer? {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        // The fastest level: the wire is near, and messages are texts that shrink anyway.
        let opened = deflateInit2_(
            &stream, Z_BEST_SPEED, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size
        )
        guard opened == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(payload.count)))
        var output = ByteBuffer()
        var status = Z_OK
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { place in
            stream.next_in = UnsafeMutablePointer(
                mutating: payload.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(clamping: payload.count)
            stream.next_out = place.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = UInt32(clamping: bound)
            status = CZlib.deflate(&stream, Z_FINISH)
            return bound - Int(stream.avail_out)
        }
        return status == Z_STREAM_END ? output : nil
    }
}
