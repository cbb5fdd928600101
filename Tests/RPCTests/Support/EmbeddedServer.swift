import Logging
import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// A server's connection without a socket: bytes leave when the test lets them.
final class EmbeddedServer {
    let loop = EmbeddedEventLoop()
    let context: LoopContext
    let channel: EmbeddedChannel
    let connection: ServerConnection
    private let socket = StuckSocket()
    private var received = ByteBuffer()

    /// Hosts the test services, unless others are given.
    init(
        events: Events = Events(), services: [ServiceRegistration]? = nil,
        verifier: (any CredentialVerifier)? = nil, limits: ServerLimits = ServerLimits()
    ) throws {
        context = LoopContext(eventLoop: loop, number: 0)
        channel = EmbeddedChannel(loop: loop)
        connection = ServerConnection(
            core: ServerCore(
                router: Router(services ?? testServices(events)), verifier: verifier,
                interceptors: [], pages: ServerPages(), maximumBodyBytes: Limits.rpcBodyBytes,
                logger: Logger(label: "test"), edge: ServerEdge(limits)), loop: context)
        try channel.pipeline.syncOperations.addHandlers([socket, connection])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    /// What is counted of all connections.
    var edge: ServerEdge { connection.core.edge }

    /// Bytes that the socket was given and has not taken.
    var heldBytes: Int { socket.held.reduce(0) { $0 + $1.bytes.readableBytes } }

    /// Has bytes arrive.
    func receive(_ bytes: ByteBuffer) throws {
        try channel.writeInbound(bytes)
        channel.pipeline.fireChannelReadComplete()
        loop.run()
    }

    /// Lets the socket take everything it was given so far, and returns the frames.
    func release() throws -> [Frame] {
        let held = socket.held
        socket.held = []
        for write in held {
            received.writeImmutableBuffer(write.bytes)
            write.promise?.succeed()
        }
        loop.run()
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        while let frame = try decoder.decode(buffer: &received) { frames.append(frame) }
        return frames
    }

    /// Closes, and checks that nothing is left.
    func close() throws {
        channel.close(promise: nil)
        loop.run()
        for write in socket.held { write.promise?.fail(ChannelError.ioOnClosedChannel) }
        socket.held = []
        loop.run()
        #expect(context.population == RPCServer.Population())
        #expect(edge.countedBytes == (0, 0))
        #expect(edge.unfinishedBytes == 0)
        #expect(edge.pinnedBytes == 0)
    }
}

/// Takes nothing until it is told to.
private final class StuckSocket: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var held: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        held.append((unwrapOutboundIn(data), promise))
    }
}
