import Logging
import NIOCore
import NIOEmbedded
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What is fed with hostile bytes: by libFuzzer for hours, by the tests' own mutations in seconds.
package enum FuzzTargets {
    /// How many there are; an input's first byte says which one it is for.
    package static let count: UInt8 = 6

    /// Runs one input; returning at all is the verdict.
    package static func run(_ input: UnsafeRawBufferPointer) {
        guard let first = input.first else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: input.dropFirst())
        switch first % count {
        case 0: frames(bytes)
        case 1: meta(bytes)
        case 2: streamMeta(bytes)
        case 3: json(bytes)
        case 4: connection(bytes)
        default: HTTPTarget.run(bytes)
        }
    }

    /// Frames come out of any bytes or an error does, and both metas are read from each.
    private static func frames(_ bytes: UnsafeRawBufferPointer) {
        var buffer = ByteBuffer(bytes: bytes)
        var decoder = FrameDecoder()
        while let frame = try? decoder.decode(buffer: &buffer) {
            precondition(frame.metaSize <= frame.packet.readableBytes, "a meta beyond its packet")
            _ = try? frame.withMeta { (meta) throws(WireError) in try RpcMeta.decode(meta) }
            _ = try? frame.withMeta { (meta) throws(WireError) in try StreamFrameMeta.decode(meta) }
        }
    }

    /// What was read is what protobuf-c alone reads, is written as protobuf-c writes it, and read
    /// back the same.
    private static func meta(_ bytes: UnsafeRawBufferPointer) {
        var (meta, unpacked): (RpcMeta?, RpcMeta?)
        var (rest, unpackedRest): ([Int32], [Int32]) = ([], [])
        try? RpcMetaView.with(bytes) { (view) throws(WireError) in
            meta = try RpcMeta(view)
            rest = [view.contentType, view.isChunk ? 1 : 0]
        }
        try? RpcMetaView.withUnpacked(bytes) { (view) throws(WireError) in
            unpacked = try RpcMeta(view)
            unpackedRest = [view.contentType, view.isChunk ? 1 : 0]
        }
        precondition(meta == unpacked && rest == unpackedRest, "a meta was read in two ways")
        guard let meta else { return }
        var (written, packed): ([UInt8], [UInt8]) = ([], [])
        try? meta.encode { written = Array($0) }
        try? meta.pack(attachmentSize: meta.attachmentSize) { packed = Array($0) }
        precondition(written == packed, "a meta was written in two ways")
        var again: RpcMeta?
        try? meta.encode { again = try? RpcMeta.decode($0) }
        var expected = meta
        // A checksum without its type, or half of one, is not written.
        if expected.checksumType == 0 || expected.checksum == nil {
            (expected.checksumType, expected.checksum) = (0, nil)
            expected.checksumCoversAttachment = false
            again?.checksum = nil
        }
        precondition(again == expected, "a meta changed on its way")
    }

    private static func streamMeta(_ bytes: UnsafeRawBufferPointer) {
        guard let meta = try? StreamFrameMeta.decode(bytes) else { return }
        var again: StreamFrameMeta?
        try? meta.encode { again = try? StreamFrameMeta.decode($0) }
        precondition(again == meta, "a stream frame's meta changed on its way")
    }

    private static func json(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        for type in V1.allMessages {
            guard let encoded = try? WireJSON.bytes(of: text, as: type.descriptor) else { continue }
            precondition(
                (try? WireJSON.text(of: encoded, as: type.descriptor)) != nil,
                "JSON was taken that cannot be told again")
        }
    }

    /// A server's connection takes any bytes, and nothing is left once it is closed.
    private static func connection(_ bytes: UnsafeRawBufferPointer) {
        let loop = EmbeddedEventLoop()
        let context = LoopContext(eventLoop: loop, number: 0)
        let channel = EmbeddedChannel(loop: loop)
        let connection = ServerConnection(core: core, loop: context)
        try? channel.pipeline.syncOperations.addHandler(connection)
        if let address = try? SocketAddress(ipAddress: "127.0.0.1", port: 1) {
            channel.connect(to: address, promise: nil)
        }
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        loop.run()
        _ = try? channel.finish(acceptAlreadyClosed: true)
        loop.run()
        precondition(context.callCount == 0, "a call is left")
        precondition(context.connectionCount == 0, "a connection is left")
    }

    private static let shape = MessageDescriptor(name: "test.Bytes", fields: [])

    private static func method(
        _ name: String, _ streaming: MethodDescriptor.Streaming
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "example.EchoService", name: name, access: .connection, roles: [],
            isIdempotent: false, defaultDeadlineMilliseconds: 1_000, streaming: streaming,
            request: shape, response: shape)
    }

    private static let core = ServerCore(
        router: Router([
            ServiceRegistration(
                name: "example.EchoService",
                methods: [
                    .raw(method("Echo", .unary)) { payload, _ in payload },
                    .rawServerStreaming(method("Repeat", .serverStreaming)) { payload, _, stream in
                        for _ in 0..<4 { try await stream.write(payload) }
                    },
                    .rawStreaming(method("Each", .bidirectionalStreaming)) { requests, _, stream in
                        while let message = try await requests.next() {
                            try await stream.write(ByteBuffer(bytes: message))
                        }
                    },
                ])
        ]),
        verifier: nil, interceptors: [], pages: ServerPages(),
        maximumBodyBytes: Limits.rpcBodyBytes,
        logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
}
