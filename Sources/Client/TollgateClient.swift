import Synchronization
import TollgateKernel
package import TollgateRPC
@_exported public import TollgateWire
import Tracing

/// Calls Tollgate servers.
///
///     try await withTollgateClient(.init(address: "127.0.0.1:7400", credential: key)) { client in
///         let auth = AuthServiceClient(client)
///         let who = try await auth.whoAmI(.init(), options: .init(authorization: session))
///         print(who.accountId)
///     }
///
/// One client serves a whole program: calls from any number of tasks share its connections.
public final class TollgateClient: Sendable {
    private let transport: any ClientTransport
    private let cluster: ClusterTransport?
    private let retries: RetryPolicy
    private let interceptors: [any ClientInterceptor]
    private let meters = ClientMeters()
    private let tracer = TraceContext.currentTracer()

    /// Runs tasks where the client's connection lives.
    ///
    /// A task that mostly calls and little else spares each call two changes of thread here: give
    /// it to `Task(executorPreference:)`, `addTask(executorPreference:)` or
    /// `withTaskExecutorPreference(_:operation:)`. Such tasks share one thread with the connection,
    /// so they must not block it nor compute for long. With several connections to an address it is
    /// one thread of several and there is nothing to gain.
    public let executor: any TaskExecutor

    /// Makes a client over any transport; tests give one inside the process.
    ///
    /// `cluster` is the same transport, if its addresses are to be watched by ``run()``;
    /// `executor` is where its connection lives.
    package init(
        transport: any ClientTransport, cluster: ClusterTransport? = nil,
        retries: RetryPolicy = RetryPolicy(), interceptors: [any ClientInterceptor] = [],
        executor: LoopExecutor = LoopExecutor()
    ) {
        self.executor = executor
        self.transport = transport
        self.cluster = cluster
        self.retries = retries
        self.interceptors = interceptors
    }

    /// Watches the addresses: those that failed are probed until they are well again.
    ///
    /// ``withTollgateClient(_:_:)`` does this; whoever keeps a client otherwise runs it in a task
    /// of its own group. It returns when the client is closed or the task is cancelled. Without it
    /// addresses that failed are given calls again after a while, well or not.
    public func run() async {
        await cluster?.supervise { transport in await Self.isWell(transport) }
    }

    /// Whether a server answers, be it that it does not know the question.
    private static func isWell(_ transport: any ClientTransport) async -> Bool {
        let ping = OutgoingCall(
            method: Methods.DiagnosticsService.ping, payload: [],
            deadline: CallDeadline(milliseconds: Limits.clientProbeMilliseconds))
        do throws(RPCError) {
            _ = try await transport.unary(ping)
            return true
        } catch {
            switch error.code {
            case RPCError.Code.noService, RPCError.Code.noMethod, RPCError.Code.unauthenticated:
                return true
            default: return Failure.Code(wireCode: error.code) == .forbidden
            }
        }
    }

    /// Ends every call and the connections; later calls fail.
    ///
    /// When it returns, their sockets are closed.
    public func close() async { await transport.close() }

    /// What the client holds now; nothing once it is closed.
    package var population: ClientPopulation { get async { await transport.population } }

    // MARK: Calls

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
        if tracer == nil, interceptors.isEmpty, options.hedgeAfterMilliseconds == nil,
            options.attemptTimeoutMilliseconds == nil
        {
            return try await plainUnary(outgoing(method, request, options))
        }
        return try await observed(method, options) { options in
            let call = outgoing(method, request, options)
            let hedgeAfter = method.isIdempotent ? options.hedgeAfterMilliseconds : nil
            let bound = options.attemptTimeoutMilliseconds
            return try await retries.run(call, attemptMilliseconds: bound) {
                (attempt) async throws(RPCError) in
                guard let hedgeAfter else { return try await self.transport.unary(attempt) }
                return try await self.retries.hedge(
                    attempt, afterMilliseconds: hedgeAfter, over: transport
                ) { [transport] (attempt) async throws(RPCError) in
                    try await transport.unary(attempt)
                }
            }
        }
    }

    /// Calls a method with one response; everything that came with it.
    func response(
        _ method: MethodDescriptor, _ request: [UInt8], attachment: [UInt8], options: CallOptions
    ) async throws -> IncomingResponse {
        try await observed(method, options) { options in
            var call = outgoing(method, request, options)
            call.attach(attachment)
            let hedgeAfter = method.isIdempotent ? options.hedgeAfterMilliseconds : nil
            let bound = options.attemptTimeoutMilliseconds
            return try await retries.run(call, attemptMilliseconds: bound) {
                (attempt) async throws(RPCError) in
                guard let hedgeAfter else { return try await self.transport.exchange(attempt) }
                return try await self.retries.hedge(
                    attempt, afterMilliseconds: hedgeAfter, over: transport
                ) { [transport] (attempt) async throws(RPCError) in
                    try await transport.exchange(attempt)
                }
            }
        }
    }

    /// A call as most are: nobody looks on, so it goes past what is there for those who do.
    ///
    /// Inlined: each asynchronous function that a call goes through takes memory of its task.
    @inline(__always)
    private func plainUnary(_ call: OutgoingCall) async throws -> [UInt8] {
        let clock = ContinuousClock()
        let began = clock.now
        do {
            let answer = try await retries.run(call) { (attempt) async throws(RPCError) in
                try await self.transport.unary(attempt)
            }
            meters.ended(call.method, code: "ok", after: began.duration(to: clock.now))
            return answer
        } catch {
            meters.ended(
                call.method, code: Self.code(of: error), after: began.duration(to: clock.now))
            throw error
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
        try await observed(method, options) { options in
            let call = try streaming(method, request, options)
            let stream = try await retries.run(call) { (attempt) async throws(RPCError) in
                try await self.transport.openStream(attempt)
            }
            defer { stream.cancel() }
            return try await body(stream)
        }
    }

    /// Opens a stream in both directions, lends it, and gives it up when `body` leaves.
    ///
    /// Nothing of it was sent if opening fails, so that is tried again.
    func withDuplex<Result>(
        _ method: MethodDescriptor, options: CallOptions,
        _ body: (DuplexStream) async throws -> Result
    ) async throws -> Result {
        try await observed(method, options) { options in
            let call = try streaming(method, [], options)
            let stream = try await retries.run(call) { (attempt) async throws(RPCError) in
                try await self.transport.openDuplex(attempt)
            }
            defer { stream.cancel() }
            return try await body(stream)
        }
    }

    // MARK: Around each call

    /// Runs a call inside its span, if the program traces, and counts how it ended.
    private func observed<Result>(
        _ method: MethodDescriptor, _ options: CallOptions,
        _ body: (CallOptions) async throws -> Result
    ) async throws -> Result {
        guard let tracer else { return try await intercepted(method, options, body) }
        return try await tracer.withAnySpan(method.fullName, ofKind: .client) { span in
            span.attributes["rpc.system"] = "tollgate"
            span.attributes["rpc.service"] = method.service
            span.attributes["rpc.method"] = method.name
            do {
                return try await intercepted(method, options, body)
            } catch {
                let code = (error as? TollgateError)?.code
                span.attributes["error.type"] = code ?? "\(type(of: error))"
                throw error
            }
        }
    }

    /// Runs a call between the interceptors, and counts how it ended.
    private func intercepted<Result>(
        _ method: MethodDescriptor, _ options: CallOptions,
        _ body: (CallOptions) async throws -> Result
    ) async throws -> Result {
        let clock = ContinuousClock()
        let began = clock.now
        var options = options
        var passed = 0
        do {
            for interceptor in interceptors {
                try await interceptor.willCall(method, &options)
                passed += 1
            }
            let result = try await body(options)
            await ended(method, options, began.duration(to: clock.now), nil, passed)
            return result
        } catch {
            await ended(method, options, began.duration(to: clock.now), error, passed)
            throw error
        }
    }

    /// Counts how a call ended, and tells those interceptors that let it pass: whoever refused it
    /// knows, and the others never saw it.
    private func ended(
        _ method: MethodDescriptor, _ options: CallOptions, _ duration: Duration,
        _ error: (any Error)?, _ passed: Int
    ) async {
        meters.ended(method, code: Self.code(of: error), after: duration)
        for interceptor in interceptors.prefix(passed).reversed() {
            await interceptor.didCall(method, options, duration: duration, error: error)
        }
    }

    private static func code(of error: (any Error)?) -> String {
        switch error {
        case nil: "ok"
        case let error as TollgateError: error.code
        case is CancellationError: "cancelled"
        // Thrown by whoever read the stream.
        default: "abandoned"
        }
    }

    private func outgoing(
        _ method: MethodDescriptor, _ payload: [UInt8], _ options: CallOptions
    ) -> OutgoingCall {
        var userFields = options.userFields
        if let authorization = options.authorization { userFields["authorization"] = authorization }
        TraceContext.inject(.current, into: &userFields)
        let own = CallDeadline(
            milliseconds: options.timeoutMilliseconds ?? method.defaultDeadlineMilliseconds)
        var call = OutgoingCall(
            method: method, payload: payload, userFields: userFields,
            deadline: CallDeadline.current.map { min($0, own) } ?? own)
        call.affinityKey = options.affinityKey
        call.priority = CallPriority(options.priority)
        call.compression = options.compression.map { PayloadCompression($0) }
        call.hasChecksum = options.hasChecksum
        return call
    }

    /// A call with a stream of responses, and how far their sender may be ahead of their reader.
    private func streaming(
        _ method: MethodDescriptor, _ payload: [UInt8], _ options: CallOptions
    ) throws -> OutgoingCall {
        var call = outgoing(method, payload, options)
        guard let window = options.windowBytes else { return call }
        guard window > 0 else {
            throw TollgateError(
                Failure(.invalidRequest, "A stream's window has at least one byte, not \(window)."))
        }
        call.windowBytes = min(window, Limits.rpcStreamWindowBytes)
        return call
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
