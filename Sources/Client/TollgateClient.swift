package import TollgateRPC
@_exported public import TollgateWire

/// Calls a Tollgate server.
///
///     try await withTollgateClient(.init(address: "127.0.0.1:7400", credential: key)) { client in
///         let auth = AuthServiceClient(client)
///         let who = try await auth.whoAmI(.init(), options: .init(authorization: session))
///     }
///
/// One client serves a whole program: calls from any number of tasks share its connection.
public final class TollgateClient: Sendable {
    private let transport: any ClientTransport
    private let retries: RetryPolicy

    /// Makes a client over any transport; tests give one inside the process.
    package init(transport: any ClientTransport, retries: RetryPolicy = RetryPolicy()) {
        self.transport = transport
        self.retries = retries
    }

    /// Ends every call and the connection; later calls fail.
    public func close() async { await transport.close() }

    /// Calls a method with one response; generated stubs are the usual caller.
    /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
    public func unary<Request: WireMessage, Response: WireMessage>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> Response {
        let payload = try TollgateError.translating { try request.encoded() }
        let bytes = try await unaryBytes(method, payload, options: options)
        return try TollgateError.translating { try Response.decode(bytes) }
    }

    /// Calls a method with one response, over the messages' bytes.
    /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
    public func unaryBytes(
        _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions = CallOptions()
    ) async throws -> [UInt8] {
        let call = outgoing(method, request, options)
        return try await retries.run(call) { () async throws(RPCError) in
            try await self.transport.unary(call)
        }
    }

    /// Calls a method with a stream of responses, lends the stream, and ends it when `body` leaves.
    /// - Throws: ``TollgateError``, `CancellationError` if the task is cancelled, or what `body`
    ///   throws.
    public func serverStream<Request: WireMessage, Message: WireMessage, Result>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions(),
        _ body: (ServerStream<Message>) async throws -> Result
    ) async throws -> Result {
        let payload = try TollgateError.translating { try request.encoded() }
        return try await serverStreamBytes(method, payload, options: options) { stream in
            try await body(ServerStream(stream))
        }
    }

    /// Calls a method with a stream of responses, over the messages' bytes.
    /// - Throws: as ``serverStream(_:_:options:_:)``.
    package func serverStreamBytes<Result>(
        _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions = CallOptions(),
        _ body: (any IncomingStream) async throws -> Result
    ) async throws -> Result {
        let call = outgoing(method, request, options)
        let stream = try await retries.run(call) { () async throws(RPCError) in
            try await self.transport.openStream(call)
        }
        defer { stream.cancel() }
        return try await body(stream)
    }

    /// Opens a stream in both directions; nothing of it was sent if that fails, so it may be tried
    /// again.
    func openDuplex(
        _ method: MethodDescriptor, options: CallOptions
    ) async throws -> DuplexStream {
        let call = outgoing(method, [], options)
        return try await retries.run(call) { () async throws(RPCError) in
            try await self.transport.openDuplex(call)
        }
    }

    private func outgoing(
        _ method: MethodDescriptor, _ payload: [UInt8], _ options: CallOptions
    ) -> OutgoingCall {
        var userFields = options.userFields
        if let authorization = options.authorization { userFields["authorization"] = authorization }
        let own = CallDeadline(
            milliseconds: options.timeoutMilliseconds ?? method.defaultDeadlineMilliseconds)
        return OutgoingCall(
            method: method, payload: payload, userFields: userFields,
            deadline: CallDeadline.current.map { min($0, own) } ?? own)
    }
}

extension TollgateError {
    /// Runs `body` and turns what it throws into this type.
    static func translating<Result>(_ body: () throws -> Result) throws(TollgateError) -> Result {
        do {
            return try body()
        } catch {
            throw TollgateError(RPCError(thrown: error))
        }
    }
}
