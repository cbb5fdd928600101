import NIOCore
import NIOPosix
import Synchronization
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Peers that send as much as they can of one kind, and read nothing of what it brings them.
@Suite(.serialized, .timeLimit(.minutes(3))) struct FloodTests {
    /// What is sent over and over.
    enum Flood: String, CaseIterable, CustomTestStringConvertible {
        case calls
        case callsThatHang
        case unknownMethods
        case pings
        case cancels
        case dataForNobody
        case closesForNobody
        case cancelsWithoutReply
        case pongs
        case feedback
        case emptyMessages
        case emptyFragments

        var testDescription: String { rawValue }

        /// Whether each is answered, so that whoever does not read is at some point not read from.
        var isAnswered: Bool {
            switch self {
            case .calls, .callsThatHang, .unknownMethods, .pings, .cancels, .dataForNobody: true
            case .closesForNobody, .cancelsWithoutReply, .pongs, .feedback, .emptyMessages,
                .emptyFragments:
                false
            }
        }

        /// Bytes that are sent: what is answered fills the kernel's buffer first.
        var bytes: Int { (isAnswered ? 24 : 2) << 20 }
    }

    private func withServer(
        lines: Events, _ body: (RPCServer) async throws -> Void
    ) async throws {
        try await withSocketPath { path in
            let configuration = testConfiguration {
                $0.credentials = .none
                $0.logger = LineLog.logger(lines)
                // Its buffers do not grow: who reads nothing is held back hundreds of thousands of
                // answers sooner than over TCP.
                $0.socketPath = path
            }
            try await withCountedServer(configuration, services: testServices(Events()), body)
        }
    }

    private func cancel(noReply: Bool?) throws -> ByteBuffer {
        try announced("Cancel", id: 7, service: "rpc.Control") {
            $0.envelopeExtension?.cancelID = 99
            $0.envelopeExtension?.noReply = noReply
        }
    }

    /// One packet of a flood; `stream` is a stream that takes requests and reads them.
    private func packet(_ flood: Flood, stream: Int64) throws -> ByteBuffer {
        switch flood {
        case .calls: try announced("Echo", id: 7)
        case .callsThatHang: try announced("Hang", id: 7)
        case .unknownMethods: try announced("Nope", id: 7)
        case .pings: try controlPacket(.ping)
        case .pongs: try controlPacket(.pong)
        case .cancels: try cancel(noReply: nil)
        case .cancelsWithoutReply: try cancel(noReply: true)
        case .dataForNobody: try streamPacket(.data, to: 777)
        case .closesForNobody: try streamPacket(.close, to: 777)
        // More than was ever sent, which is a lie.
        case .feedback: try streamPacket(.feedback, to: stream) { $0.consumedSize = .max }
        case .emptyMessages: try streamPacket(.data, to: stream)
        case .emptyFragments: try streamPacket(.data, to: stream) { $0.hasContinuation = true }
        }
    }

    /// A connection with a stream of requests on it; the stream's number, and the channel, which
    /// from then on reads nothing.
    private func attacker(_ server: RPCServer) async throws -> (any Channel, Int64) {
        let path = try #require(try await server.address?.path)
        let opened = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstRead(opened))
                }
            }
            .connect(unixDomainSocketPath: path).get()
        try await channel.writeAndFlush(
            try announced("Gather", id: 7) {
                $0.streamSettings = StreamSettings(
                    streamID: 5, needFeedback: false, writable: true)
            })
        channel.read()
        let opening = try #require(try frames(try await opened.futureResult.get()).first)
        return (channel, try #require(try opening.streamMeta().sourceStreamID))
    }

    @Test(arguments: Flood.allCases)
    func `a flood is bounded, and others are served meanwhile`(flood: Flood) async throws {
        let lines = Events()
        try await withServer(lines: lines) { server in
            let (channel, stream) = try await attacker(server)
            let packet = Array(try packet(flood, stream: stream).readableBytesView)
            let burst = ByteBuffer(
                bytes: Array(repeating: packet, count: 65_536 / packet.count).flatMap(\.self))
            let sent = Sent()
            let all = flood.bytes / burst.readableBytes * burst.readableBytes
            for _ in 0..<all / burst.readableBytes {
                channel.writeAndFlush(burst).whenSuccess { sent.add(burst.readableBytes) }
            }
            var population = RPCServer.Population()
            try await RawPeer.connect(to: server) { bystander in
                while population.heldBack == 0, sent.bytes < all {
                    let state = "\(sent.bytes) of \(all), \(population), \(lines.all)"
                    try #require(channel.isActive, "the server gave it up: \(state)")
                    try await expectServed(&bystander)
                    population = try await server.population
                    #expect(population.calls <= Limits.rpcCallsInFlightPerConnection + 1)
                    // What a channel may keep, and the answers to what was read in one go.
                    try #require(population.bytes <= 4 << 20)
                }
                try await expectServed(&bystander)
            }
            #expect((population.heldBack == 1) == flood.isAnswered)
            try await channel.close()
        }
    }

    private func expectServed(_ peer: inout RawPeer) async throws {
        try await peer.send(try plainRequest("test.Service", "Echo", id: 99, payload: "alive"))
        let frame = try #require(try await peer.frame())
        #expect(try frame.callMeta().correlationID == 99)
        #expect(frame.body == ByteBuffer(string: "alive"))
    }

    /// Every connection begins a handshake that it does not go on with.
    @Test func `handshakes from one address take their part of the places, and no more`()
        async throws
    {
        let certificates = try TestCertificates()
        try certificates.make("server", commonName: "server", alternatives: "IP:127.0.0.1")
        let configuration = testConfiguration {
            $0.credentials = .none
            $0.limits.countsLoopback = true
            $0.limits.connectionsPerAddress = 8
            $0.limits.spareConnections = 4
            $0.tls = ServerTLS(
                certificatePath: certificates.path("server.pem"),
                keyPath: certificates.path("server.key"))
        }
        try await withCountedServer(configuration, services: testServices(Events())) { server in
            let address = try #require(try await server.address)
            try await RawPeer.connect(to: server) { known in
                try await expectServed(&known)
                var channels: [any Channel] = []
                for _ in 0..<200 {
                    let channel = try await ClientBootstrap(
                        group: .singletonMultiThreadedEventLoopGroup
                    ).connect(host: address.host, port: address.port).get()
                    // It may be closed already.
                    channel.writeAndFlush(hexBuffer("16 03 01 0200 01 0001fc 0303"), promise: nil)
                    channels.append(channel)
                    #expect(server.core.edge.connectionCount <= 8)
                    try await expectServed(&known)
                }
                for channel in channels { try? await channel.close() }
            }
        }
    }
}

/// Hands over what is read first, and reads nothing more.
private final class FirstRead: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<ByteBuffer>

    init(_ promise: EventLoopPromise<ByteBuffer>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        promise.succeed(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ChannelError.ioOnClosedChannel)
    }
}

/// How much a kernel has taken of a flood.
private final class Sent: Sendable {
    private let counted = Atomic(0)

    var bytes: Int { counted.load(ordering: .relaxed) }

    func add(_ bytes: Int) { counted.add(bytes, ordering: .relaxed) }
}
