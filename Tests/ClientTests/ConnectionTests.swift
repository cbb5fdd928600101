import NIOCore
import NIOPosix
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// A client whose server goes, comes back, or breaks the rules.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ConnectionTests {
    private var ping: ServiceRegistration {
        ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, _) in
                    V1.PingResponse(payload: request.payload)
                }
            ])
    }

    @Test func aClientFindsItsServerAgainAfterARestart() async throws {
        let first = try await withRPCServer(testConfiguration(port: 0), services: [ping]) {
            try #require(try await $0.address)
        }
        let client = try TollgateClient(
            TollgateClientConfiguration(address: first.description, credential: "key"))
        for _ in 0..<2 {
            try await withRPCServer(testConfiguration(port: first.port), services: [ping]) { _ in
                let answer = try await DiagnosticsServiceClient(client).ping(
                    V1.PingRequest(payload: [7]),
                    options: CallOptions(timeoutMilliseconds: 60_000))
                #expect(answer.payload == [7])
            }
        }
        let gone = await errorOf {
            _ = try await DiagnosticsServiceClient(client).ping(V1.PingRequest())
        }
        #expect(gone?.code == "unavailable")
        try await closeChecked(client)
    }

    @Test func aClosedClientCallsNobody() async throws {
        try await withTestClient(.inProcess, services: [ping]) { (client, _) async throws in
            try await closeChecked(client)
            let error = await errorOf {
                _ = try await DiagnosticsServiceClient(client).ping(V1.PingRequest())
            }
            #expect(error?.code == "unavailable")
        }
    }

    @Test(arguments: ["", "7400", "host:", "host:0", ":1", "host:99999", "unix:"])
    func anAddressThatIsNoneIsRefused(address: String) {
        #expect(throws: TollgateError.self) {
            try TollgateClient(TollgateClientConfiguration(address: address))
        }
    }

    @Test func aCallMadeForACallInheritsWhatIsLeftOfItsDeadline() async throws {
        let inner = ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (_: V1.PingRequest, context) in
                    V1.PingResponse(nowMilliseconds: context.deadline.remainingMilliseconds)
                }
            ])
        try await withTestClient(.inProcess, services: [inner]) { (client, _) async throws in
            let options = CallOptions(timeoutMilliseconds: 60_000)
            let diagnostics = DiagnosticsServiceClient(client)
            let free = try await diagnostics.ping(V1.PingRequest(), options: options)
            #expect((30_001...60_000).contains(free.nowMilliseconds))
            let outer = CallDeadline(milliseconds: 30_000)
            let bound = try await CallScope.$current.withValue(.deadline(outer)) {
                try await diagnostics.ping(V1.PingRequest(), options: options)
            }
            #expect((1...30_000).contains(bound.nowMilliseconds))
        }
    }

    /// What a server sends and does after it opened a stream and wrote one message.
    enum Ending: CaseIterable {
        case disconnect
        case reset
        case closeWithoutStatus
        case closeInsideAMessage
    }

    @Test(arguments: Ending.allCases)
    func aStreamThatJustStopsIsTruncated(ending: Ending) async throws {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RudeServer(ending: ending))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        let configuration = TollgateClientConfiguration(address: "127.0.0.1:\(port)")
        try await withCheckedClient(configuration) { (client) async throws in
            var deltas: [V1.AnswerEvent.Event?] = []
            let error = await errorOf {
                try await ChatServiceClient(client).ask(V1.AskRequest()) { stream in
                    for try await event in stream { deltas.append(event.event) }
                }
            }
            #expect(deltas == [.delta("hi")])
            #expect(error?.code == "truncated")
        }
        try await channel.close()
    }
}

/// Speaks our extensions, opens a stream, writes one message, and ends it as a test wants.
private final class RudeServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let ending: ConnectionTests.Ending
    private var hasAnswered = false

    init(ending: ConnectionTests.Ending) { self.ending = ending }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasAnswered else { return }
        hasAnswered = true
        do {
            context.writeAndFlush(wrapOutboundOut(try answer()), promise: nil)
            if ending == .disconnect { context.close(promise: nil) }
        } catch {
            context.fireErrorCaught(error)
        }
    }

    private func answer() throws -> ByteBuffer {
        var meta = RpcMeta()
        meta.response = RpcResponseMeta()
        meta.correlationID = 1
        meta.streamSettings = StreamSettings(streamID: 4, needFeedback: true, writable: false)
        meta.envelopeExtension = .announcement
        var inner = ByteBuffer()
        try inner.writeCall(meta, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        var frame = StreamFrameMeta(streamID: 1, sourceStreamID: 4, frameType: .data)
        var bytes = ByteBuffer()
        try bytes.writeStream(frame, payload: inner)
        let message = try V1.AnswerEvent(event: .delta("hi")).encoded()
        try bytes.writeStream(frame, payload: ByteBuffer(bytes: message))
        switch ending {
        case .disconnect: break
        case .reset:
            try bytes.writeStream(StreamFrameMeta(streamID: 1, frameType: .reset))
        case .closeWithoutStatus:
            frame.frameType = .close
            try bytes.writeStream(frame)
        case .closeInsideAMessage:
            frame.hasContinuation = true
            try bytes.writeStream(frame, payload: ByteBuffer(bytes: [1]))
            var close = StreamFrameMeta(streamID: 1, sourceStreamID: 4, frameType: .close)
            close.envelopeExtension = EnvelopeExtension()
            close.envelopeExtension?.errorCode = 0
            try bytes.writeStream(close)
        }
        return bytes
    }
}
