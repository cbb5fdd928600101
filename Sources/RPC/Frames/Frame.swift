package import NIOCore
import TollgateKernel

/// One packet of the wire: a 12-byte header, a meta and a body (rpc-wire, 1.1).
package struct Frame: Hashable, Sendable {
    /// What the magic says.
    package var kind: Kind

    /// The meta, then everything after it.
    package var packet: ByteBuffer

    /// How many bytes of ``packet`` are the meta.
    package var metaSize: Int

    /// Makes a frame of a received packet.
    package init(kind: Kind, packet: ByteBuffer, metaSize: Int) {
        self.kind = kind
        self.packet = packet
        self.metaSize = metaSize
    }

    /// Bytes after the meta.
    package var bodySize: Int { packet.readableBytes - metaSize }

    /// Everything after the meta; shares the packet's memory.
    package var body: ByteBuffer {
        packet.getSlice(at: packet.readerIndex + metaSize, length: bodySize) ?? ByteBuffer()
    }

    /// Memory that the packet keeps by lying in what was read with it; 0 if that is hardly more
    /// than its own bytes, or too little to be counted.
    var pinnedBytes: Int {
        let kept = packet.storageCapacity
        guard kept > Limits.rpcPinnedFreeBytes, kept / 2 >= packet.readableBytes else { return 0 }
        return kept
    }

    /// Takes the packet out of what was read with it, if it would keep much more than its own bytes
    /// in memory; or if it would keep more at all, and that is wanted `always`.
    ///
    /// Few calls come behind a long packet: nearly all are left where they are.
    mutating func leaveLongRead(always: @autoclosure () -> Bool) {
        let kept = pinnedBytes
        guard kept > 0 else { return }
        let isLong =
            kept > Limits.rpcSharedReadBytes
            && kept / Limits.rpcSharedReadTimes >= packet.readableBytes
        if isLong || always() { packet = ByteBuffer(buffer: packet) }
    }

    /// Lends the meta's bytes.
    package func withMeta<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = packet.withUnsafeReadableBytes { bytes in
            do throws(Failure) {
                return .success(try body(UnsafeRawBufferPointer(rebasing: bytes[..<metaSize])))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// The two protocols that share a connection.
    package enum Kind: UInt32, Hashable, Sendable {
        /// Requests and responses: the magic `PRPC`.
        case call = 0x5052_5043
        /// Stream frames: the magic `STRM`.
        case stream = 0x5354_524d
    }

    /// Bytes before the meta.
    package static let headerSize = 12
}

/// Why a connection's bytes cannot be cut into frames: it is closed.
package enum FrameError: Error, Hashable, Sendable {
    /// The first four bytes are neither `PRPC` nor `STRM`.
    case unknownMagic
    /// The header announces a meta above ``Limits/rpcMetaBytes``.
    case metaTooLarge(Int)
    /// The header announces a body above the receiver's limit.
    case bodyTooLarge(Int)
    /// The header announces a meta that is longer than what holds it.
    case metaExceedsBody
    /// The connection ended inside a frame.
    case truncated
}
