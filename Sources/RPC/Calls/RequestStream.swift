import NIOPosix
import TollgateKernel
package import TollgateWire

/// The messages that a caller streams to a handler, in order.
///
/// Iterate it once. The caller is held back while the handler is behind.
package struct RequestStream<Message: WireMessage>: AsyncSequence, Sendable {
    /// A message of the caller.
    package typealias Element = Message

    private let stream: any IncomingStream

    /// Reads messages from any stream of bytes; tests of handlers give their own.
    package init(_ stream: any IncomingStream) { self.stream = stream }

    /// Starts reading.
    package func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Reads the messages one by one.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let stream: any IncomingStream

        /// The next message; nil once the caller has said that nothing more comes.
        /// - Throws: `CancellationError` once the caller has gone or the deadline has passed;
        ///   ``WireError`` if the bytes are no such message.
        package mutating func next() async throws -> Message? {
            guard let bytes = try await stream.next() else { return nil }
            guard bytes.count > Limits.rpcInlineDecodeBytes else {
                return try Message.decode(bytes)
            }
            return try await NIOThreadPool.singleton.runIfActive { try Message.decode(bytes) }
        }
    }
}
