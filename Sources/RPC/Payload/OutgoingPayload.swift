import NIOCore
import NIOPosix
import TollgateKernel
import TollgateWire

/// A payload on its way out, compressed and secured as its receiver likes.
struct OutgoingPayload {
    private(set) var bytes: ByteBuffer
    private var compression: PayloadCompression?
    private var checksum: UInt32?
    private var coversAttachment = false

    /// Whether packing so many bytes takes longer than an event loop may be kept.
    static func isLong(_ count: Int, compression: PayloadCompression?) -> Bool {
        count > (compression == nil ? Limits.rpcInlineChecksumBytes : Limits.rpcInlineDeflateBytes)
    }

    /// Compresses if that is asked for and worth it, then adds the checksum if that is asked for.
    init(
        _ plain: ByteBuffer, attachment: ByteBuffer, compression: PayloadCompression?,
        hasChecksum: Bool
    ) {
        bytes = plain
        if let compression, plain.readableBytes >= Limits.rpcCompressFromBytes,
            let packed = plain.withUnsafeReadableBytes({ compression.deflate($0) }),
            packed.readableBytes < plain.readableBytes
        {
            bytes = packed
            self.compression = compression
        }
        guard hasChecksum else { return }
        coversAttachment = attachment.readableBytes > 0
        checksum = bytes.withUnsafeReadableBytes {
            PayloadChecksum.value(payload: $0, attachment: coversAttachment ? attachment : nil)
        }
    }

    /// The same for long payloads, on a thread of its own.
    /// - Throws: `CancellationError` if the task is cancelled before it begins.
    static func packed(
        _ plain: ByteBuffer, attachment: ByteBuffer, compression: PayloadCompression?,
        hasChecksum: Bool
    ) async throws -> OutgoingPayload {
        guard isLong(plain.readableBytes + attachment.readableBytes, compression: compression)
        else {
            return OutgoingPayload(
                plain, attachment: attachment, compression: compression, hasChecksum: hasChecksum)
        }
        return try await NIOThreadPool.singleton.runIfActive {
            OutgoingPayload(
                plain, attachment: attachment, compression: compression, hasChecksum: hasChecksum)
        }
    }

    /// Says in a packet's meta how its payload is coded.
    func describe(in meta: inout RpcMeta) {
        meta.compressType = compression?.rawValue ?? 0
        guard let checksum else { return }
        meta.checksumType = PayloadChecksum.crc32c
        meta.checksum = checksum
        meta.checksumCoversAttachment = coversAttachment
    }
}
