import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What is left of a client once it was closed: nothing.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ClientEndTests {
    /// A call that a server accepted before it said that it is leaving.
    @Test(arguments: Reach.allCases)
    func `closing ends a connection that its server is leaving`(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, server) async throws in
            let port = reach == .socket ? try await server.address?.port : nil
            async let held = errorOf {
                _ = try await transport.answer(call(TestMethods.gated))
            }
            #expect(await events.wait(for: "gated started"))
            server.drain()
            // Until the go-away is here, calls go to the server and are refused there.
            var refusal: RPCError?
            while refusal?.code != RPCError.Code.connectionRefused {
                refusal = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
            }
            // One that was made while the server was leaving carried a refusal, and is about to
            // end; this one still carries the call.
            while await transport.population.connections != 1 {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(await transport.population.calls == 1)
            if let port {
                while try sockets(connectedTo: port) != 1 {
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            await transport.close()
            #expect(await transport.population == ClientPopulation())
            if let port { #expect(try sockets(connectedTo: port) == 0) }
            #expect(await held?.code == RPCError.Code.connectionFailed)
            #expect(!events.all.contains("gate opened"))
        }
    }

    @Test func `a server that does not take its leave holds up no close`() async throws {
        let certificates = try TestCertificates()
        try certificates.make("server", commonName: "server", alternatives: "IP:127.0.0.1")
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(certificates.path("server.pem"))
                    .map { .certificate($0) },
                privateKey: .privateKey(
                    NIOSSLPrivateKey(file: certificates.path("server.key"), format: .pem))))
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handlers: [any ChannelHandler] = [
                        NIOSSLServerHandler(context: context), DeafHandler(),
                    ]
                    try channel.pipeline.syncOperations.addHandlers(handlers)
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let transport = SocketTransport(
            .address(host: "127.0.0.1", port: port), credential: nil,
            tls: ClientTLS(authoritiesPath: certificates.path("ca.pem")))
        async let held = errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
        while await transport.population.calls == 0 { await Task.yield() }
        await transport.close()
        #expect(await transport.population == ClientPopulation())
        #expect(try sockets(connectedTo: port) == 0)
        #expect(await held?.code == RPCError.Code.connectionFailed)
        try await listener.close()
    }

    @Test func `a client that waits with its next attempt is closed at once`() async throws {
        weak var left: SocketTransport?
        do {
            // Nobody listens on port 1, and the second attempt is an hour away.
            let transport = SocketTransport(
                .address(host: "127.0.0.1", port: 1), credential: nil,
                pauseMilliseconds: { _ in 3_600_000 })
            left = transport
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
            #expect(error?.code == RPCError.Code.connectionRefused)
            async let held = errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
            while await transport.population.waiters == 0 { await Task.yield() }
            await transport.close()
            // Closing waits for an attempt only so long: this one is not there any more.
            #expect(await transport.population == ClientPopulation())
            #expect(await held?.code == RPCError.Code.connectionRefused)
        }
        // Nor does its moment, still to come, keep what it would have connected.
        while left != nil { try await Task.sleep(for: .milliseconds(5)) }
    }

    // MARK: Servers that do not read

    /// Runs `body` with a transport of small patience to a server that takes connections only.
    private func withDeafServer(
        asks: Bool = false, _ body: (SocketTransport) async throws -> Void
    ) async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.socketOption(.so_rcvbuf), value: 64 * 1_024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler: any ChannelHandler = asks ? AskingHandler() : DeafHandler()
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let transport = SocketTransport(
            .address(host: "127.0.0.1", port: port), credential: nil,
            queueLimitBytes: 1_024 * 1_024)
        try await body(transport)
        await transport.close()
        #expect(await transport.population == ClientPopulation())
        try await listener.close()
    }

    @Test func `messages to a server that does not read are refused beyond a bound`() async throws {
        try await withDeafServer { transport in
            let message = call(TestMethods.echo, Array(repeating: 7, count: 256 * 1_024))
            var refusal: RPCError?
            var sent = 0
            // The system's own buffers take some of it.
            while refusal == nil, sent < 400 {
                refusal = await errorOf { try await transport.tell(message) }
                sent += 1
            }
            #expect(refusal?.code == RPCError.Code.overcrowded)
            #expect(refusal?.isNotProcessed == true)
        }
    }

    @Test(arguments: [false, true])
    func `calls to a server that does not read are refused beyond a bound`(
        opensStream: Bool
    ) async throws {
        try await withDeafServer { transport in
            var refusal: RPCError?
            var sent = 0
            // What was given up still waits to be sent.
            repeat {
                let request = call(
                    TestMethods.echo, Array(repeating: 7, count: 512 * 1_024), milliseconds: 20)
                refusal = await errorOf {
                    if opensStream {
                        _ = try await transport.openStream(request)
                    } else {
                        _ = try await transport.answer(request)
                    }
                }
                sent += 1
            } while refusal?.code == RPCError.Code.timedOut && sent < 200
            #expect(refusal?.code == RPCError.Code.overcrowded)
            #expect(refusal?.isNotProcessed == true)
            #expect(refusal?.failure.code == .unavailable)
        }
    }

    @Test func `a server that asks on and on and never reads is left`() async throws {
        try await withDeafServer(asks: true) { transport in
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
            #expect(error?.code == RPCError.Code.connectionFailed)
        }
    }

    @Test func `messages without bytes wait for a slow reader too`() async throws {
        let sink = StreamSink {}
        let written = Count()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for _ in 0..<100_000 {
                    guard try await sink.write(ByteBuffer()) else { return }
                    written.add()
                }
            }
            let room = Limits.rpcStreamUnsentBytes / Limits.rpcFrameOverheadBytes
            while written.value < room { await Task.yield() }
            // As many times as one that is not held back would need for thousands more.
            for _ in 0..<100 {
                try await Task.sleep(for: .milliseconds(1))
                #expect(written.value == room)
            }
            for _ in 0..<10 { _ = sink.takePiece() }
            while written.value < room + 10 { await Task.yield() }
            #expect(written.value == room + 10)
            sink.discard(.done)
            try await group.waitForAll()
        }
    }

    // MARK: Memory

    @Test func `a stream that could not be packed leaves nothing behind`() async throws {
        try await withTestServer { (transport, _) async throws in
            weak var trail: CallTrail?
            do {
                let kept = CallTrail()
                trail = kept
                var outgoing = call(
                    TestMethods.count, Array(repeating: 7, count: Limits.rpcInlineDeflateBytes * 2))
                outgoing.compression = .gzip
                outgoing.trail = kept
                _ = try await transport.answer(call(TestMethods.echo))
                let opening = outgoing
                await withTaskGroup(of: Void.self) { group in
                    group.cancelAll()
                    group.addTask {
                        let error = await errorOf { _ = try await transport.openStream(opening) }
                        #expect(error?.failure.code == .cancelled)
                    }
                }
            }
            #expect(trail == nil, "the call is still there")
        }
    }
}

/// A number that one task raises and another looks at.
private final class Count: Sendable {
    private let number = Atomic(0)

    var value: Int { number.load(ordering: .relaxed) }

    func add() { number.add(1, ordering: .relaxed) }
}

/// Takes a connection, and reads no more than the handshake of it.
private final class DeafHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        guard (try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)) == nil
        else { return }
        context.channel.setOption(.autoRead, value: false).assumeIsolated().whenFailure { _ in
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.channel.setOption(.autoRead, value: false).assumeIsolated().whenFailure { _ in
            context.close(promise: nil)
        }
    }
}

/// Asks whether the client lives, again and again, and does not read its answers.
private final class AskingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.channel.setOption(.autoRead, value: false).assumeIsolated().whenFailure { _ in
            context.close(promise: nil)
        }
        var meta = RpcMeta()
        meta.response = RpcResponseMeta()
        meta.envelopeExtension = EnvelopeExtension()
        meta.envelopeExtension?.control = .ping
        var pings = ByteBuffer()
        for _ in 0..<10_000 {
            try? pings.writeCall(meta, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        ask(context, pings)
    }

    private func ask(_ context: ChannelHandlerContext, _ pings: ByteBuffer) {
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { self.ask(context, pings) }
        context.writeAndFlush(wrapOutboundOut(pings), promise: promise)
    }
}
