import NIOCore

/// Where a unary method's response goes: straight into the connection's queue, without a copy of
/// its own.
package struct UnaryReply: Sendable {
    let connection: ServerConnection
    let call: RunningCall

    /// Queues the response; on the event loop.
    ///
    /// The bytes need to live only during this call.
    func send(_ bytes: UnsafeRawBufferPointer, _ context: ServerCallContext) throws {
        guard let packing = call.packing else {
            return try connection.answer(call, bytes, context.responseExtras)
        }
        let plain = ByteBuffer(bytes: bytes)
        let extras = context.responseExtras
        let attachment = extras.attachment ?? ByteBuffer()
        if OutgoingPayload.isLong(
            plain.readableBytes + attachment.readableBytes, compression: packing.compression)
        {
            call.longAnswer = plain
        } else {
            try connection.answer(
                call,
                OutgoingPayload(
                    plain, attachment: attachment, compression: packing.compression,
                    hasChecksum: packing.hasChecksum), extras)
        }
    }
}
