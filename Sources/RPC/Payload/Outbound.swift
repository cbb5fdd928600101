import NIOCore
import TollgateKernel
import TollgateWire

/// What leaves with a connection's next flush, in order.
///
/// Packets gather in one buffer. A long attachment stays where it is and leaves between two of
/// them: to copy it costs about a third of what it costs to send it.
struct Outbound {
    /// What leaves before ``gathered``; empty as long as there is no long attachment.
    private var earlier: [ByteBuffer] = []
    private var earlierBytes = 0
    private var gathered = ByteBuffer()

    /// How many bytes wait.
    var readableBytes: Int { earlierBytes + gathered.readableBytes }

    /// Writes a packet of requests and responses, if its meta is no larger than that.
    ///
    /// False if it is larger; nothing is written then.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written; nothing is.
    @discardableResult
    mutating func writeCall(
        _ meta: RpcMeta, payload: UnsafeRawBufferPointer, attachment: ByteBuffer = ByteBuffer(),
        maximumMetaBytes: Int = .max
    ) throws(WireError) -> Bool {
        let mark = gathered.writerIndex
        let metaBytes = try gathered.writeCallHead(
            meta, payload: payload, attachmentBytes: attachment.readableBytes)
        guard metaBytes <= maximumMetaBytes else {
            gathered.moveWriterIndex(to: mark)
            return false
        }
        append(attachment)
        return true
    }

    /// Writes a plain request; false, and nothing is written, if its meta has to be written as a
    /// whole.
    mutating func writeRequest(
        _ request: borrowing RpcRequestMeta, correlationID: Int64, userFields: [String: String],
        payload: UnsafeRawBufferPointer, attachment: ByteBuffer
    ) -> Bool {
        let isWritten = gathered.writeRequestHead(
            request, correlationID: correlationID, userFields: userFields, payload: payload,
            attachmentBytes: attachment.readableBytes)
        if isWritten { append(attachment) }
        return isWritten
    }

    /// Writes the packet that says that a call succeeded, with its answer and no metadata.
    mutating func writeSuccess(
        correlationID: Int64, payload: UnsafeRawBufferPointer, attachment: ByteBuffer?
    ) {
        gathered.writeSuccessHead(
            correlationID: correlationID, payload: payload,
            attachmentBytes: attachment?.readableBytes ?? 0)
        if let attachment { append(attachment) }
    }

    private mutating func append(_ attachment: ByteBuffer) {
        if attachment.readableBytes >= Limits.rpcAttachmentInPlaceBytes {
            earlier += [gathered, attachment]
            earlierBytes += gathered.readableBytes + attachment.readableBytes
            gathered = ByteBuffer()
        } else if attachment.readableBytes > 0 {
            gathered.writeImmutableBuffer(attachment)
        }
    }

    /// Writes a stream's packet, if its meta is no larger than that.
    ///
    /// False if it is larger; nothing is written then.
    /// - Throws: ``WireError/unencodable(_:)`` if the meta cannot be written; nothing is.
    @discardableResult
    mutating func writeStream(
        _ meta: StreamFrameMeta, payload: ByteBuffer = ByteBuffer(), maximumMetaBytes: Int = .max
    ) throws(WireError) -> Bool {
        let mark = gathered.writerIndex
        let metaBytes = try gathered.writeStream(meta, payload: payload)
        guard metaBytes <= maximumMetaBytes else {
            gathered.moveWriterIndex(to: mark)
            return false
        }
        return true
    }

    /// The buffers to send, in order; the last one is the one that is written to.
    var buffers: (earlier: [ByteBuffer], last: ByteBuffer) { (earlier, gathered) }

    /// Forgets what was sent; keeps the memory for what comes next, unless it is much or still on
    /// its way.
    mutating func clear() {
        if !earlier.isEmpty { (earlier, earlierBytes) = ([], 0) }
        gathered.forget(keepingAtMost: Limits.rpcOutboundKeptBytes)
    }
}

extension ChannelHandlerContext {
    /// Writes and flushes all of it; `promise` is kept or broken with the last byte.
    func send(_ outbound: Outbound, promise: EventLoopPromise<Void>?) {
        let (earlier, last) = outbound.buffers
        for buffer in earlier { write(NIOAny(buffer), promise: nil) }
        // An empty buffer at the end still carries the promise.
        writeAndFlush(NIOAny(last), promise: promise)
    }
}
