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
            writePacket(.call, meta: bytes, payload: payload, moreBytes: attachmentBytes)
        }
        return metaBytes
    }

    /// Writes all but the attachment of a plain request's packet; false, and nothing is written, if
    /// its meta has to be written as a whole.
    mutating func writeRequestHead(
        _ request: borrowing RpcRequestMeta, correlationID: Int64, userFields: [String: String],
        payload: UnsafeRawBufferPointer, attachmentBytes: Int
    ) -> Bool {
        RpcMeta.encodeRequest(
            request, correlationID: correlationID,
            attachmentSize: Int32(clamping: attachmentBytes), userFields: userFields
        ) { bytes in
            writePacket(.call, meta: bytes, payload: payload, moreBytes: attachmentBytes)
        }
    }

    /// Writes all but the attachment of a packet that says that a call succeeded, and no more.
    mutating func writeSuccessHead(
        correlationID: Int64, payload: UnsafeRawBufferPointer, attachmentBytes: Int
    ) {
        RpcMeta.encodeSuccess(
            correlationID: correlationID, attachmentSize: Int32(clamping: attachmentBytes)
        ) { bytes in
            writePacket(.call, meta: bytes, payload: payload, moreBytes: attachmentBytes)
        }
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
            writePacket(
                .stream, meta: bytes, payload: .init(start: nil, count: 0),
                moreBytes: payload.readableBytes)
        }
        if payload.readableBytes > 0 { writeImmutableBuffer(payload) }
        return metaBytes
    }

    /// Empties the buffer, and gives its memory back if it is more than that.
    mutating func forget(keepingAtMost bytes: Int) {
        if capacity > bytes { self = ByteBuffer() } else { clear() }
    }

    /// Writes header, meta and payload of a packet of which so many bytes more are to follow; at
    /// once, for the buffer looks at itself whenever something is written.
    private mutating func writePacket(
        _ kind: Frame.Kind, meta: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer,
        moreBytes: Int
    ) {
        let bodySize = meta.count + payload.count + moreBytes
        let count = Frame.headerSize + meta.count + payload.count
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { place in
            func store(_ number: UInt32, at offset: Int) {
                place.storeBytes(of: number.bigEndian, toByteOffset: offset, as: UInt32.self)
            }
            store(kind.rawValue, at: 0)
            store(UInt32(truncatingIfNeeded: bodySize), at: 4)
            store(UInt32(truncatingIfNeeded: meta.count), at: 8)
            let body = UnsafeMutableRawBufferPointer(rebasing: place[Frame.headerSize...])
            body.copyMemory(from: meta)
            UnsafeMutableRawBufferPointer(rebasing: body[meta.count...]).copyMemory(from: payload)
            return count
        }
    }
}
