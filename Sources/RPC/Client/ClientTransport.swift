package import TollgateWire

/// What carries calls to a server: a socket, or a pair of them inside one process.
package protocol ClientTransport: Sendable {
    /// Makes one call and returns the response's bytes.
    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8]

    /// Opens a stream; the caller must call ``IncomingStream/cancel()`` when it leaves.
    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream

    /// Ends every call and the connections; later calls fail.
    func close() async
}

/// The receiving end of a stream.
package protocol IncomingStream: AnyObject, Sendable {
    /// The next message's bytes; nil once the stream has ended well.
    /// - Throws: ``RPCError``, or `CancellationError` if the task is cancelled.
    func next() async throws -> [UInt8]?

    /// Tells the server to stop, if the stream has not ended; later messages are dropped.
    func cancel()
}

/// One call on its way out.
package struct OutgoingCall: Sendable {
    /// The method's facts.
    package var method: MethodDescriptor
    /// The request's bytes.
    package var payload: [UInt8]
    /// The request's metadata.
    package var userFields: [String: String]
    /// When the answer must be there.
    package var deadline: CallDeadline

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
}
