import NIOCore
import TollgateWire

/// A call on a client's connection.
///
/// `@unchecked Sendable`: `continuation`, `packed`, `stream` and `sink` are set before the call is
/// submitted; from then on the variables are touched on the connection's event loop alone.
final class ClientCall: @unchecked Sendable {
    /// A response as it arrived; its payload is unpacked in the caller's task.
    struct Response: Sendable {
        var payload: IncomingPayload?
        var attachment = ByteBuffer()
        var userFields: [String: String] = [:]
    }

    let outgoing: OutgoingCall
    /// Resumed once, by ``end(_:)`` or when a stream has opened, which both take it away; so
    /// nothing checks that at run time, which cost an object for each call.
    var continuation: UnsafeContinuation<Result<Response, RPCError>, Never>?
    /// The request's payload if it is not sent plain.
    var packed: OutgoingPayload?
    /// The number under which it was written.
    var id: Int64?
    /// It was given up, perhaps before it was written.
    var isCancelled = false
    /// The receiving end, until the stream has ended.
    var stream: StreamSource?
    /// The sending end, until the stream has ended.
    var sink: StreamSink?
    /// The sending end stands among those that have something to send.
    var isReady = false
    /// The message whose fragments are arriving.
    var partial = ByteBuffer()

    init(_ outgoing: OutgoingCall) { self.outgoing = outgoing }

    /// Ends the call; what was said before stays said.
    func end(_ result: Result<Response, RPCError>) {
        continuation?.resume(returning: result)
        continuation = nil
        // The writer's end first: whoever has read the end finds it there too.
        switch result {
        case .success(let response):
            sink?.discard(.done)
            stream?.end(.success(()), trailers: response.userFields)
        case .failure(let error):
            sink?.discard(.failed(error))
            stream?.end(.failure(error))
        }
        stream = nil
        sink = nil
    }
}
