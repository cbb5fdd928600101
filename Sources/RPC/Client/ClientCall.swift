import NIOCore
import TollgateWire

/// A call on a client's connection.
///
/// `@unchecked Sendable`: `continuation` is set before the call is submitted; from then on the
/// variables are touched on the connection's event loop alone.
final class ClientCall: @unchecked Sendable {
    let outgoing: OutgoingCall
    var continuation: CheckedContinuation<Result<[UInt8], RPCError>, Never>?
    /// The number under which it was written.
    var id: Int64?
    /// It was given up, perhaps before it was written.
    var isCancelled = false
    /// The receiving end, until the stream has ended.
    var stream: ClientStream?
    /// The message whose fragments are arriving.
    var partial = ByteBuffer()
    /// How far the server was told that the reader is.
    var acknowledged: Int64 = 0

    init(_ outgoing: OutgoingCall) { self.outgoing = outgoing }

    /// Ends the call; what was said before stays said.
    func end(_ result: Result<[UInt8], RPCError>) {
        continuation?.resume(returning: result)
        continuation = nil
        switch result {
        case .success: stream?.end(.success(()))
        case .failure(let error): stream?.end(.failure(error))
        }
        stream = nil
    }
}
