package import NIOCore
import NIOPosix
import TollgateKernel
package import TollgateWire

/// A service to be hosted: its methods and what answers them.
package struct ServiceRegistration: Sendable {
    /// The full name, such as `tollgate.v1.AuthService`.
    package let name: String
    /// The methods.
    package let methods: [MethodRegistration]

    /// Makes a registration; generated code is the usual source.
    package init(name: String, methods: [MethodRegistration]) {
        self.name = name
        self.methods = methods
    }
}

/// A method and what answers it.
package struct MethodRegistration: Sendable {
    /// The method's facts.
    package let descriptor: MethodDescriptor
    let answer: Answer

    /// How a method is answered, over bytes.
    enum Answer: Sendable {
        /// One response, given to the reply while it is valid.
        case unary(
            @Sendable (_ payload: ByteBuffer, _ context: ServerCallContext, _ reply: UnaryReply)
                async throws -> Void)
        /// Messages, written one by one.
        case serverStreaming(
            @Sendable (_ payload: ByteBuffer, _ context: ServerCallContext, _ stream: StreamSink)
                async throws -> Void)
        /// Messages that are read one by one, and as many as it likes written.
        case streamOfRequests(
            @Sendable (
                _ requests: any IncomingStream, _ context: ServerCallContext, _ stream: StreamSink
            ) async throws -> Void)
    }

    /// A method with one response.
    package static func unary<Request: WireMessage, Response: WireMessage>(
        _ descriptor: MethodDescriptor,
        _ handler: @escaping @Sendable (Request, ServerCallContext) async throws -> Response
    ) -> MethodRegistration {
        MethodRegistration(
            descriptor: descriptor,
            answer: .unary { payload, context, reply in
                let request =
                    payload.readableBytes <= Limits.rpcInlineDecodeBytes
                    ? try Request.decode(payload: payload)
                    : try await Request.decodedAside(payload)
                let response = try await handler(request, context)
                try response.withEncoded { bytes in try reply.send(bytes, context) }
            })
    }

    /// A method with a stream of responses.
    package static func serverStreaming<Request: WireMessage, Response: WireMessage>(
        _ descriptor: MethodDescriptor,
        _ handler:
            @escaping @Sendable (Request, ServerCallContext, ServerStreamWriter<Response>)
            async throws -> Void
    ) -> MethodRegistration {
        MethodRegistration(
            descriptor: descriptor,
            answer: .serverStreaming { payload, context, stream in
                let request =
                    payload.readableBytes <= Limits.rpcInlineDecodeBytes
                    ? try Request.decode(payload: payload)
                    : try await Request.decodedAside(payload)
                let writer = ServerStreamWriter<Response> { message in
                    try await stream.write(message)
                }
                try await handler(request, context, writer)
            })
    }

    /// A method with a stream of requests and one response.
    package static func clientStreaming<Request: WireMessage, Response: WireMessage>(
        _ descriptor: MethodDescriptor,
        _ handler:
            @escaping @Sendable (RequestStream<Request>, ServerCallContext) async throws -> Response
    ) -> MethodRegistration {
        MethodRegistration(
            descriptor: descriptor,
            answer: .streamOfRequests { requests, context, stream in
                let response = try await handler(RequestStream(requests), context)
                try await stream.write(response)
            })
    }

    /// A method with streams in both directions.
    package static func bidirectionalStreaming<Request: WireMessage, Response: WireMessage>(
        _ descriptor: MethodDescriptor,
        _ handler:
            @escaping @Sendable (
                RequestStream<Request>, ServerCallContext, ServerStreamWriter<Response>
            ) async throws -> Void
    ) -> MethodRegistration {
        MethodRegistration(
            descriptor: descriptor,
            answer: .streamOfRequests { requests, context, stream in
                let writer = ServerStreamWriter<Response> { message in
                    try await stream.write(message)
                }
                try await handler(RequestStream(requests), context, writer)
            })
    }

    /// A method with a stream of requests, over bytes: of responses, or of one, as the facts say.
    package static func rawStreaming(
        _ descriptor: MethodDescriptor,
        _ handler:
            @escaping @Sendable (any IncomingStream, ServerCallContext, StreamSink) async throws ->
            Void
    ) -> MethodRegistration {
        MethodRegistration(descriptor: descriptor, answer: .streamOfRequests(handler))
    }

    /// A method with one response, over bytes: for what has no generated code.
    package static func raw(
        _ descriptor: MethodDescriptor,
        _ handler: @escaping @Sendable (ByteBuffer, ServerCallContext) async throws -> ByteBuffer
    ) -> MethodRegistration {
        MethodRegistration(
            descriptor: descriptor,
            answer: .unary { payload, context, reply in
                let response = try await handler(payload, context)
                try response.withUnsafeReadableBytes { bytes in try reply.send(bytes, context) }
            })
    }

    /// A method with a stream of responses, over bytes.
    package static func rawServerStreaming(
        _ descriptor: MethodDescriptor,
        _ handler:
            @escaping @Sendable (ByteBuffer, ServerCallContext, StreamSink) async throws -> Void
    ) -> MethodRegistration {
        MethodRegistration(descriptor: descriptor, answer: .serverStreaming(handler))
    }
}

extension WireMessage {
    /// Reads one message from a received packet.
    static func decode(payload: ByteBuffer) throws(WireError) -> Self {
        let outcome: Swift.Result<Self, WireError> = payload.withUnsafeReadableBytes { bytes in
            do throws(WireError) {
                return .success(try decode(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Reads one long message on a thread that may take its time.
    ///
    /// Not inlined: what few calls do would take memory in each one's task.
    @inline(never)
    static func decodedAside(_ payload: ByteBuffer) async throws -> Self {
        try await NIOThreadPool.singleton.runIfActive { try decode(payload: payload) }
    }
}
