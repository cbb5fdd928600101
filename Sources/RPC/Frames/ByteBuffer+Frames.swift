package import NIOCore
package import TollgateWire

extension ByteBuffer {
    /// Writes a packet of requests and responses.
    ///
    /// The attachment's size is that of `attachment`, whatever `meta` says.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written.
    package mutating func writeCall(
        _ meta: RpcMeta, payload: UnsafeRawBufferPointer, attachment: ByteBuffer = ByteBuffer()
    ) throws(WireError) {
        _ = try writeCallHead(meta, payload: payload, attachmentBytes: attachment.readableBytes)
        if attachment.readableBytes > 0 { writeImmutableBuffer(attachment) }
    }

    /// Writes all of a packet but the attachment, which is to follow; the meta's length.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written.
    mutating func writeCallHead(
        _ meta: RpcMeta, payload: UnsafeRawBufferPointer, attachmentBytes: Int
    ) throws(WireError) -> Int {
        var metaBytes = 0
        try meta.encode(attachmentSize: Int32(clamping: attachmentBytes)) { bytes in
            metaBytes = bytes.count
            writeHeader(
                .call, metaSize: bytes.count,
                bodySize: bytes.count + payload.count + attachmentBytes)
            writeBytes(bytes)
        }
        writeBytes(payload)
        return metaBytes
    }

    /// Writes a stream's packet; the meta's length.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written.
    @discardableResult
    package mutating func writeStream(
        _ meta: StreamFrameMeta, payload: ByteBuffer = ByteBuffer()
    ) throws(WireError) -> Int {
        var metaBytes = 0
        try meta.encode { bytes in
            metaBytes = bytes.count
            writeHeader(
                .stream, metaSize: bytes.count, bodySize: bytes.count + payload.readableBytes)
            writeBytes(bytes)
        }
        if payload.readableBytes > 0 { writeImmutableBuffer(payload) }
        return metaBytes
    }

    /// Empties the buffer, and gives its memory back if it is more than that.
    mutating func forget(keepingAtMost bytes: Int) {
        if capacity > bytes { self = ByteBuffer() } else { clear() }
    }

    private mutating func writeHeader(_ kind: Frame.Kind, metaSize: Int, bodySize: Int) {
        writeMultipleIntegers(
            kind.rawValue, UInt32(truncatingIfNeeded: bodySize),
            UInt32(truncatingIfNeeded: metaSize))
    }
}
