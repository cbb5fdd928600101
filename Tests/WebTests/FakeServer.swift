import Synchronization
import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

/// The server's side for tests: answers calls inside the process, over the messages' real bytes.
final class FakeServer: ClientTransport {
    private let calls: Mutex<[OutgoingCall]> = Mutex([])
    private let respond: @Sendable (OutgoingCall) async throws -> [UInt8]

    /// Answers every call with what the closure gives; what it throws crosses like a failure.
    init(_ respond: @escaping @Sendable (OutgoingCall) async throws -> [UInt8]) {
        self.respond = respond
    }

    /// The calls that came, in order.
    var received: [OutgoingCall] { calls.withLock { $0 } }

    /// The first call's request.
    func firstRequest<Message: WireMessage>(as type: Message.Type) throws -> Message? {
        try received.first.map { try Message.decode($0.payload) }
    }

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        calls.withLock { $0.append(call) }
        do {
            return try await respond(call)
        } catch {
            throw RPCError(thrown: error)
        }
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        throw RPCError(code: RPCError.Code.noMethod, text: "nothing is streamed here")
    }

    func close() async {}
}
