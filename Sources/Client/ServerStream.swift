import TollgateRPC
public import TollgateWire

/// The messages of a streamed answer, in order.
///
/// Iterate it once. It ends when the server said that the answer is whole, and throws
/// ``TollgateError`` otherwise: a stream that just breaks off is `truncated`.
public struct ServerStream<Message: WireMessage>: AsyncSequence, Sendable {
    /// A message of the answer.
    public typealias Element = Message

    private let stream: any IncomingStream

    init(_ stream: any IncomingStream) { self.stream = stream }

    /// Starts reading.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Reads the messages one by one.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let stream: any IncomingStream

        /// The next message; nil once the answer is whole.
        /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
        public mutating func next() async throws -> Message? {
            do {
                guard let bytes = try await stream.next() else { return nil }
                return try Message.decode(bytes)
            } catch let error as CancellationError {
                throw error
            } catch {
                throw TollgateError(RPCError(thrown: error))
            }
        }
    }
}
