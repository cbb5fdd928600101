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
        try connection.answer(call, bytes, attachment: context.responseAttachment)
    }
}
