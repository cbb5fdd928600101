package import NIOCore
package import TollgateWire

/// What carries calls to a server: a socket, or a pair of them inside one process.
package protocol ClientTransport: Sendable {
    /// Makes one call and returns the response's bytes.
    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8]

    /// Makes one call and returns the response with what came beside it.
    func exchange(_ call: OutgoingCall) async throws(RPCError) -> IncomingResponse

    /// Sends a request that wants no answer (E7); returns once it is queued.
    func notify(_ call: OutgoingCall) async throws(RPCError)

    /// Opens a stream; the caller must call ``IncomingStream/cancel()`` when it leaves.
    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream

    /// Opens a stream that the caller writes to as well; it must call ``DuplexStream/cancel()``
    /// when it leaves.
    func openDuplex(_ call: OutgoingCall) async throws(RPCError) -> DuplexStream

    /// Whether a server that is well and has seen no attempt of the call could be asked too.
    func mayHedge(_ call: OutgoingCall) async -> Bool

    /// Ends every call and the connections; later calls fail.
    func close() async

    /// Begins what ``close()`` does and waits for nothing; `left` is called when it is done.
    func leave(_ left: @escaping @Sendable () -> Void)

    /// What the transport holds now.
    var population: ClientPopulation { get async }
}

extension ClientTransport {
    /// For transports that have nothing to end before their ``close()``.
    package func leave(_ left: @escaping @Sendable () -> Void) {}

    /// For transports that do not know their servers.
    package func mayHedge(_ call: OutgoingCall) async -> Bool { true }

    /// For transports that hold nothing.
    package var population: ClientPopulation { get async { ClientPopulation() } }

    /// For transports that carry nothing beside the message.
    package func exchange(_ call: OutgoingCall) async throws(RPCError) -> IncomingResponse {
        IncomingResponse(payload: try await unary(call))
    }

    /// For transports that always wait for the answer.
    package func notify(_ call: OutgoingCall) async throws(RPCError) { _ = try await unary(call) }

    /// For transports that cannot.
    package func openDuplex(_ call: OutgoingCall) async throws(RPCError) -> DuplexStream {
        throw RPCError(
            code: RPCError.Code.noMethod, text: "This transport carries no streams of requests",
            isNotProcessed: true)
    }
}

/// A response and what came beside it.
package struct IncomingResponse: Hashable, Sendable {
    /// The response's bytes.
    package var payload: [UInt8]
    /// Bytes beside them.
    package var attachment: ByteBuffer
    /// The response's metadata.
    package var userFields: [String: String]

    /// Makes a response.
    package init(
        payload: [UInt8], attachment: ByteBuffer = ByteBuffer(), userFields: [String: String] = [:]
    ) {
        self.payload = payload
        self.attachment = attachment
        self.userFields = userFields
    }
}

/// The receiving end of a stream.
package protocol IncomingStream: AnyObject, Sendable {
    /// The next message's bytes; nil once the stream has ended well.
    /// - Throws: ``RPCError``, or `CancellationError` if the task is cancelled.
    func next() async throws -> [UInt8]?

    /// Tells the server to stop, if the stream has not ended; later messages are dropped.
    func cancel()

    /// Metadata that came with the stream's end; empty before.
    var trailers: [String: String] { get }
}

extension IncomingStream {
    /// For streams that carry none.
    package var trailers: [String: String] { [:] }
}

/// Both ends of a stream that go in both directions.
package struct DuplexStream: Sendable {
    /// What the server sends.
    package let incoming: any IncomingStream
    /// What the server gets.
    package let outgoing: StreamSink

    /// Tells the server to stop, if the stream has not ended.
    package func cancel() {
        outgoing.end()
        incoming.cancel()
    }
}

/// One call on its way out.
package struct OutgoingCall: Sendable {
    /// The method's facts.
    package var method: MethodDescriptor
    /// The request's bytes; none if the method takes a stream.
    package var payload: [UInt8]
    /// The request's metadata.
    package var userFields: [String: String]
    /// When the answer must be there.
    package var deadline: CallDeadline
    /// Bytes beside the request's message.
    package var attachment = ByteBuffer()
    /// How the payload is compressed if it is long enough; the answer may come compressed so too.
    package var compression: PayloadCompression?
    /// Whether payload and attachment are secured by a checksum, and the answer's too.
    package var hasChecksum = false
    /// How much the call matters.
    package var priority = CallPriority.normal
    /// Unread bytes of a stream that we keep before the server has to wait; nil is the usual.
    package var windowBytes: Int64?
    /// Calls of one key go to one address as long as it is well and not overloaded.
    package var affinityKey: String?
    /// Where earlier attempts of the same call went.
    package var trail: CallTrail?

    /// Describes a call.
    package init(
        method: MethodDescriptor, payload: [UInt8], userFields: [String: String] = [:],
        deadline: CallDeadline
    ) {
        self.method = method
        self.payload = payload
        self.userFields = userFields
        self.deadline = deadline
    }

    /// Whether the payload is not sent as it is.
    var isPacked: Bool { compression != nil || hasChecksum }
}
