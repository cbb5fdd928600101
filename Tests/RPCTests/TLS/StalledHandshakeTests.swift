import NIOCore
import NIOPosix
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Servers that take a connection and never come to the end of its handshake.
@Suite(.serialized, .timeLimit(.minutes(2))) struct StalledHandshakeTests {
    /// What the server says: nothing, or the beginning of an answer in TLS.
    @Test(arguments: [[], [0x16, 0x03, 0x03, 0x00, 0x7a, 0x02, 0x00]] as [[UInt8]])
    func `a handshake that goes no further ends in time, and says so`(
        answer: [UInt8]
    ) async throws {
        let events = Events()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        StallingHandler(answer: answer, events: events))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let transport = SocketTransport(
            .address(host: "127.0.0.1", port: port), credential: nil, tls: ClientTLS(),
            connectTimeoutMilliseconds: 1_000)
        // The call itself would have a minute.
        let error = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
        #expect(error?.text == "127.0.0.1:\(port) does not answer in TLS")
        #expect(error?.code == RPCError.Code.connectionRefused)
        #expect(error?.isNotProcessed == true, "another server may be asked")
        #expect(await events.wait(for: "the client has left"))
        await transport.close()
        #expect(await transport.population == ClientPopulation())
        try await listener.close()
    }
}

/// Answers the first bytes with some of its own, and says nothing more.
private final class StallingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var answer: [UInt8]
    private let events: Events

    init(answer: [UInt8], events: Events) {
        self.answer = answer
        self.events = events
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !answer.isEmpty else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
        answer = []
    }

    func channelInactive(context: ChannelHandlerContext) { events.report("the client has left") }
}
