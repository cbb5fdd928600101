package import NIOCore
package import TollgateWire

extension ByteBuffer {
    /// Writes a packet of requests and responses.
    ///
    /// `meta.attachmentSize` is set from `attachment`.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written.
    package mutating func writeCall(
        _ meta: RpcMeta, payload: UnsafeRawBufferPointer, attachment: ByteBuffer = ByteBuffer()
    ) throws(WireError) {
        var meta = meta
        meta.attachmentSize = Int32(clamping: attachment.readableBytes)
        try meta.encode { bytes in
            writeHeader(
                .call, metaSize: bytes.count,
                bodySize: bytes.count + payload.count + attachment.readableBytes)
            writeBytes(bytes)
        }
        writeBytes(payload)
        if attachment.readableBytes > 0 { writeImmutableBuffer(attachment) }
    }

    /// Writes a stream's packet.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written.
    package mutating func writeStream(
        _ meta: StreamFrameMeta, payload: ByteBuffer = ByteBuffer()
    ) throws(WireError) {
        try meta.encode { bytes in
            writeHeader(
                .stream, metaSize: bytes.count, bodySize: bytes.count + payload.readableBytes)
            writeBytes(bytes)
        }
        if payload.readableBytes > 0 { writeImmutableBuffer(payload) }
    }

    private mutating func writeHeader(_ kind: Frame.Kind, metaSize: Int, bodySize: Int) {
        writeMultipleIntegers(
            kind.rawValue, UInt32(truncatingIfNeeded: bodySize),
            UInt32(truncatingIfNeeded: metaSize))
    }
}
