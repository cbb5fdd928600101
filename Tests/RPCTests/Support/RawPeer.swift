import NIOCore
import NIOPosix
import Testing
import TollgateWire

@testable import TollgateRPC

/// A peer that knows nothing but bytes.
struct RawPeer {
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var received = ByteBuffer()

    /// Connects to a server, runs `body`, and disconnects; with a small receive buffer little of
    /// what is not read leaves the server.
    static func connect<Result: Sendable>(
        to server: RPCServer, tls: ClientTLS? = nil, receiveBufferBytes: Int? = nil,
        _ body: (inout RawPeer) async throws -> Result
    ) async throws -> Result {
        let address = try #require(try await server.address)
        let context = try tls?.makeContext()
        var bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        if let receiveBufferBytes {
            bootstrap = bootstrap.channelOption(
                .socketOption(.so_rcvbuf), value: .init(receiveBufferBytes))
        }
        let wrap:
            @Sendable (any Channel) -> EventLoopFuture<NIOAsyncChannel<ByteBuffer, ByteBuffer>> =
                { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls, let context {
                            try channel.pipeline.syncOperations.addHandler(
                                try tls.makeHandler(context, host: address.host))
                        }
                        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                            wrappingChannelSynchronously: channel)
                    }
                }
        let channel =
            if let path = address.path {
                try await bootstrap.connect(
                    unixDomainSocketPath: path, channelInitializer: wrap)
            } else {
                try await bootstrap.connect(
                    host: address.host, port: address.port, channelInitializer: wrap)
            }
        return try await channel.executeThenClose { inbound, outbound in
            var peer = RawPeer(outbound: outbound, inbound: inbound.makeAsyncIterator())
            return try await body(&peer)
        }
    }

    func send(_ bytes: ByteBuffer) async throws { try await outbound.write(bytes) }

    /// The next frame; nil once the server has closed.
    mutating func frame() async throws -> Frame? {
        var decoder = FrameDecoder()
        while true {
            if let frame = try decoder.decode(buffer: &received) { return frame }
            guard let more = try await inbound.next(isolation: #isolation) else { return nil }
            received.writeImmutableBuffer(more)
        }
    }

    /// What came up to and with some text, or until the server closed.
    mutating func text(until end: String) async throws -> String {
        while !String(buffer: received).contains(end) {
            guard let more = try await inbound.next(isolation: #isolation) else { break }
            received.writeImmutableBuffer(more)
        }
        return String(buffer: received)
    }

    /// Everything until the server closes.
    mutating func rest() async throws -> String {
        while let more = try await inbound.next(isolation: #isolation) {
            received.writeImmutableBuffer(more)
        }
        return String(buffer: received)
    }

    /// Reads until the server closes or the connection breaks, with a pause after each of so many
    /// reads at first; how many bytes came.
    mutating func countedRest(pauses: Int) async -> Int {
        var count = received.readableBytes
        received.clear()
        var pauses = pauses
        while let more = try? await inbound.next(isolation: #isolation) {
            count += more.readableBytes
            guard pauses > 0 else { continue }
            pauses -= 1
            try? await Task.sleep(for: .milliseconds(50))
        }
        return count
    }

    /// Whether the server closes without another byte.
    mutating func isClosed() async -> Bool {
        do {
            return try await inbound.next(isolation: #isolation) == nil
        } catch {
            // A reset is a way to close too.
            return true
        }
    }
}

extension Frame {
    /// The meta of a request or response.
    func callMeta() throws -> RpcMeta {
        try withMeta { (bytes) throws(WireError) in try RpcMeta.decode(bytes) }
    }

    /// The meta of a stream frame.
    func streamMeta() throws -> StreamFrameMeta {
        try withMeta { (bytes) throws(WireError) in try StreamFrameMeta.decode(bytes) }
    }
}

/// A request of a peer that announces our extension.
func announced(
    _ method: String, id: Int64, service: String = "test.Service",
    change: (inout RpcMeta) -> Void = { _ in }
) throws -> ByteBuffer {
    try plainRequest(service, method, id: id) {
        $0.envelopeExtension = .announcement
        change(&$0)
    }
}

/// A packet of our extension that is no call.
func controlPacket(_ control: EnvelopeExtension.Control) throws -> ByteBuffer {
    var meta = RpcMeta()
    meta.response = RpcResponseMeta()
    meta.envelopeExtension = EnvelopeExtension()
    meta.envelopeExtension?.control = control
    var buffer = ByteBuffer()
    try buffer.writeCall(meta, payload: UnsafeRawBufferPointer(start: nil, count: 0))
    return buffer
}

/// A frame of a stream without a payload, from the stream 5 of a peer.
func streamPacket(
    _ type: StreamFrameMeta.FrameType, to stream: Int64,
    change: (inout StreamFrameMeta) -> Void = { _ in }
) throws -> ByteBuffer {
    var meta = StreamFrameMeta(streamID: stream, sourceStreamID: 5, frameType: type)
    change(&meta)
    var buffer = ByteBuffer()
    try buffer.writeStream(meta)
    return buffer
}

/// A request as plain bRPC writes it.
func plainRequest(
    _ service: String, _ method: String, id: Int64, payload: String = "",
    change: (inout RpcMeta) -> Void = { _ in }, attachment: String = ""
) throws -> ByteBuffer {
    var meta = RpcMeta()
    meta.request = RpcRequestMeta(serviceName: service, methodName: method)
    meta.correlationID = id
    change(&meta)
    var buffer = ByteBuffer()
    try ByteBuffer(string: payload).withUnsafeReadableBytes { bytes in
        try buffer.writeCall(meta, payload: bytes, attachment: ByteBuffer(string: attachment))
    }
    return buffer
}
