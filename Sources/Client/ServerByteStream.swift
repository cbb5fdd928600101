import TollgateRPC
public import TollgateWire

/// The messages of a streamed answer as bytes, in order: for callers that know a method's shape
/// only at run time.
///
/// Iterate it once. It ends and throws as ``ServerStream`` does.
public struct ServerByteStream: AsyncSequence, Sendable {
    /// One message, encoded.
    public typealias Element = [UInt8]

    private let stream: any IncomingStream

    init(_ stream: any IncomingStream) { self.stream = stream }

    /// Starts reading.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Reads the messages one by one.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let stream: any IncomingStream

        /// The next message; nil once the answer is whole.
        /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
        public mutating func next() async throws -> [UInt8]? {
            do {
                return try await stream.next()
            } catch let error as CancellationError {
                throw error
            } catch {
                throw TollgateError(RPCError(thrown: error))
            }
        }
    }
}

extension TollgateClient {
    /// Calls a method with a stream of responses over the messages' bytes, lends the stream, and
    /// ends it when `body` leaves.
    /// - Throws: ``TollgateError``, `CancellationError` if the task is cancelled, or what `body`
    ///   throws.
    public func withByteStream<Result>(
        _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions = CallOptions(),
        _ body: (ServerByteStream) async throws -> Result
    ) async throws -> Result {
        try await serverStreamBytes(method, request, options: options) { stream in
            try await body(ServerByteStream(stream))
        }
    }
}
