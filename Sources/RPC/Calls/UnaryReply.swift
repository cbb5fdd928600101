import NIOCore

/// Where a unary method's response goes: straight into the connection's queue, without a copy of
/// its own.
package struct UnaryReply: Sendable {
    private let deliver: @Sendable (UnsafeRawBufferPointer, ServerCallContext) throws -> Void

    init(
        _ deliver: @escaping @Sendable (UnsafeRawBufferPointer, ServerCallContext) throws -> Void
    ) {
        self.deliver = deliver
    }

    /// Queues the response; the bytes need to live only during the call.
    func send(_ bytes: UnsafeRawBufferPointer, _ context: ServerCallContext) throws {
        try deliver(bytes, context)
    }
}
