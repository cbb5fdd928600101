import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Messages that an event loop does not read, and those that nobody does.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LongMessageTests {
    private func method(
        _ streaming: MethodDescriptor.Streaming, _ name: String = "Typed"
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "test.Long", name: name + streaming.rawValue, access: .connection, roles: [],
            isIdempotent: false, defaultDeadlineMilliseconds: 60_000, streaming: streaming,
            request: TestMethods.empty, response: TestMethods.empty)
    }

    private func services(_ events: Events) -> [ServiceRegistration] {
        let long = ServiceRegistration(
            name: "test.Long",
            methods: [
                .unary(method(.unary)) { (request: V1.AskRequest, _) in
                    events.report("read \(request.model.count)")
                    return V1.AskRequest()
                },
                .serverStreaming(method(.serverStreaming)) {
                    (request: V1.AskRequest, _, writer: ServerStreamWriter<V1.AskRequest>) in
                    events.report("read \(request.model.count)")
                    try await writer.write(V1.AskRequest())
                },
                .clientStreaming(method(.clientStreaming)) {
                    (requests: RequestStream<V1.AskRequest>, _) in
                    for try await request in requests {
                        events.report("read \(request.model.count)")
                    }
                    return V1.AskRequest()
                },
                .rawServerStreaming(method(.serverStreaming, "TooLong")) { _, _, stream in
                    try await stream.write(
                        ByteBuffer(repeating: 1, count: Limits.rpcBodyBytes + 1))
                },
            ])
        return [long] + testServices(events)
    }

    private func withServer(
        events: Events = Events(), _ body: (SocketTransport) async throws -> Void
    ) async throws {
        try await withRPCServer(testConfiguration(), services: services(events)) { server in
            let transport = SocketTransport(.inProcess(server), credential: Array("web".utf8))
            do {
                try await body(transport)
            } catch {
                await transport.close()
                throw error
            }
            await transport.close()
        }
    }

    private func payload(_ count: Int) throws -> [UInt8] {
        try V1.AskRequest(model: String(repeating: "m", count: count)).withEncoded { Array($0) }
    }

    private func finish(_ outgoing: OutgoingCall, over transport: SocketTransport) async throws {
        if outgoing.method.streaming == .unary {
            _ = try await transport.answer(outgoing)
        } else {
            let stream = try await transport.openStream(outgoing)
            while try await stream.next() != nil {}
        }
    }

    @Test(arguments: [MethodDescriptor.Streaming.unary, .serverStreaming])
    func `an event loop reads no long request, and others are answered meanwhile`(
        streaming: MethodDescriptor.Streaming
    ) async throws {
        let events = Events()
        try await withServer(events: events) { transport in
            let threads = BusyThreads()
            let long = call(method(streaming), try payload(100_000))
            async let answered: Void = finish(long, over: transport)
            // Each comes after the long one, or at least after the one before.
            for _ in 0..<20 { _ = try await transport.answer(call(TestMethods.echo, [1])) }
            try await Task.sleep(for: .milliseconds(100))
            for _ in 0..<5 { _ = try await transport.answer(call(TestMethods.echo, [1])) }
            let early = events.all
            threads.letGo()
            try await answered
            #expect(early == [])
            #expect(events.all == ["read 100000"])
        }
    }

    @Test func `an event loop reads no long message of a stream`() async throws {
        let events = Events()
        try await withServer(events: events) { transport in
            let stream = try await transport.openDuplex(call(method(.clientStreaming)))
            let threads = BusyThreads()
            try await stream.outgoing.write(ByteBuffer(bytes: try payload(7)))
            #expect(await events.wait(for: "read 7"))
            try await stream.outgoing.write(ByteBuffer(bytes: try payload(100_000)))
            stream.outgoing.finish()
            try await Task.sleep(for: .milliseconds(100))
            for _ in 0..<20 { _ = try await transport.answer(call(TestMethods.echo, [1])) }
            let early = events.all
            threads.letGo()
            while try await stream.incoming.next() != nil {}
            #expect(early == ["read 7"])
            #expect(events.all == ["read 7", "read 100000"])
        }
    }

    @Test func `a stream's message that no reader takes is refused where it is written`()
        async throws
    {
        try await withServer { transport in
            let stream = try await transport.openDuplex(call(TestMethods.echoEach))
            let error = await errorOf {
                try await stream.outgoing.write(
                    ByteBuffer(repeating: 1, count: Limits.rpcBodyBytes + 1))
            }
            #expect(error == RPCError(Failure.requestTooLarge))
            // The stream is none the worse for it.
            try await stream.outgoing.write(ByteBuffer(bytes: [7]))
            #expect(try await stream.incoming.next() == [7])
            stream.outgoing.finish()
            #expect(try await stream.incoming.next() == nil)
        }
    }

    @Test func `a handler that writes such a message learns it, and its caller why`() async throws {
        try await withServer { transport in
            let tooLong = call(method(.serverStreaming, "TooLong"))
            let error = await errorOf { try await finish(tooLong, over: transport) }
            #expect(error?.code == RPCError(Failure.responseTooLarge).code)
            #expect(error?.text == Failure.responseTooLarge.message)
        }
    }
}
