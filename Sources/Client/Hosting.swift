import TollgateKernel
import TollgateRPC
public import TollgateWire

/// A method that a test of your own answers instead of a server.
///
///     let ping = HostedMethod.unary(Methods.DiagnosticsService.ping) {
///         (request: V1.PingRequest, _) in V1.PingResponse(payload: request.payload)
///     }
///     try await withHostedMethods([ping]) { client in
///         let answer = try await DiagnosticsServiceClient(client).ping(.init(payload: [1]))
///         print(answer.payload)
///     }
public struct HostedMethod: Sendable {
    let registration: MethodRegistration

    /// A method with one response.
    ///
    /// A ``TollgateError`` that the handler throws reaches the caller as it is; of any other error
    /// it only learns that something went wrong.
    public static func unary<Request: WireMessage, Response: WireMessage>(
        _ method: MethodDescriptor,
        _ handler: @escaping @Sendable (Request, HostedCall) async throws -> Response
    ) -> HostedMethod {
        HostedMethod(
            registration: .unary(method) { (request: Request, context) -> Response in
                try await asFailure { try await handler(request, HostedCall(context)) }
            })
    }

    /// A method with a stream of responses; the stream ends well when the handler returns.
    public static func serverStreaming<Request: WireMessage, Message: WireMessage>(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable (Request, HostedCall, HostedStream<Message>) async throws -> Void
    ) -> HostedMethod {
        HostedMethod(
            registration: .serverStreaming(method) {
                (request: Request, context, writer: ServerStreamWriter<Message>) in
                let stream = HostedStream<Message> { try await writer.write($0) }
                try await asFailure { try await handler(request, HostedCall(context), stream) }
            })
    }

    private static func asFailure<Result>(
        _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as TollgateError {
            throw error.failure
        }
    }
}

/// What a handler of a test knows about its call.
public struct HostedCall: Sendable {
    private let context: ServerCallContext

    init(_ context: ServerCallContext) { self.context = context }

    /// The person's login session or API key, as the caller sent it.
    public var authorization: String? { context.authorization }

    /// The call's metadata.
    public var userFields: [String: String] { context.userFields }

    /// Bytes that the caller sent beside its request; empty if there are none.
    public var attachment: [UInt8] { context.attachmentBytes }

    /// Sends bytes beside the answer; streams have no place for them.
    public func setAnswerAttachment(_ bytes: [UInt8]) { context.setResponseAttachment(bytes) }

    /// Sends metadata with the answer, or with the end of a stream.
    public func setAnswerFields(_ fields: [String: String]) { context.setTrailers(fields) }

    /// How long the answer may still take, in milliseconds; the handler is cancelled then.
    public var remainingMilliseconds: Int64 { context.deadline.remainingMilliseconds }
}

/// Where a handler of a test writes its messages.
public struct HostedStream<Message: WireMessage>: Sendable {
    private let send: @Sendable (Message) async throws -> Void

    init(_ send: @escaping @Sendable (Message) async throws -> Void) { self.send = send }

    /// Writes one message; waits while the reader is too far behind.
    /// - Throws: `CancellationError` if the caller has left.
    public func write(_ message: Message) async throws { try await send(message) }
}

/// Hosts methods inside this process while `body` runs, and lends a client to them.
///
/// Frames, deadlines, cancellation and errors are those of a real server, over a pair of sockets;
/// there is no port. `role` is the service that the client calls as.
/// - Throws: ``TollgateError`` if a method is hosted twice, or what `body` throws.
public func withHostedMethods<Result>(
    _ methods: [HostedMethod], role: ServiceRole = .web,
    interceptors: [any ClientInterceptor] = [],
    _ body: (TollgateClient) async throws -> Result
) async throws -> Result {
    var configuration = RPCServerConfiguration(credentials: .verified(by: Anybody(role: role)))
    configuration.host = nil
    let services = Dictionary(grouping: methods.map(\.registration), by: \.descriptor.service)
        .map { ServiceRegistration(name: $0, methods: $1) }
    for service in services
    where Set(service.methods.map(\.descriptor.name)).count != service.methods.count {
        throw TollgateError(
            Failure(.invalidRequest, "A method of \(service.name) is hosted twice."))
    }
    return try await withRPCServer(configuration, services: services) { server in
        let executor = LoopExecutor()
        let client = TollgateClient(
            transport: SocketTransport(.inProcess(server), credential: [1], executor: executor),
            interceptors: interceptors, executor: executor)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }
}

/// Admits the one client there is.
private struct Anybody: CredentialVerifier {
    let role: ServiceRole

    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        ConnectionIdentity(name: "test", role: role)
    }
}
