import TollgateKernel
import TollgateRPC
public import TollgateWire

/// Calls that stream their requests. They are never repeated: what was sent is gone.
extension TollgateClient {
    /// Calls a method with a stream of requests: `body` writes them, then the response is awaited.
    /// - Throws: ``TollgateError``, `CancellationError` if the task is cancelled, or what `body`
    ///   throws, which gives the call up.
    public func clientStream<Request: WireMessage, Response: WireMessage>(
        _ method: MethodDescriptor, options: CallOptions = CallOptions(),
        _ body: (RequestWriter<Request>) async throws -> Void
    ) async throws -> Response {
        try await bidirectionalStream(method, options: options) {
            (requests: RequestWriter<Request>, responses: ServerStream<Response>) in
            try await body(requests)
            requests.finish()
            var iterator = responses.makeAsyncIterator()
            guard let response = try await iterator.next(), try await iterator.next() == nil else {
                throw TollgateError(
                    .init(.internalError, "The server didn't answer with exactly one message."))
            }
            return response
        }
    }

    /// Calls a method with streams in both directions, lends them, and ends the call when `body`
    /// leaves.
    ///
    /// Both go on at the same time: write and read from tasks of your own, or in turns if the
    /// method answers in turns. A writer that has not finished when `body` leaves gives the call
    /// up.
    /// - Throws: ``TollgateError``, `CancellationError` if the task is cancelled, or what `body`
    ///   throws.
    public func bidirectionalStream<Request: WireMessage, Response: WireMessage, Result>(
        _ method: MethodDescriptor, options: CallOptions = CallOptions(),
        _ body: (RequestWriter<Request>, ServerStream<Response>) async throws -> Result
    ) async throws -> Result {
        try await withDuplex(method, options: options) { stream in
            try await body(RequestWriter(stream.outgoing), ServerStream(stream.incoming))
        }
    }
}
