import Logging
import NIOCore
import NIOEmbedded
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// The same port as HTTP peers see it: heads, bodies by length and by chunks, JSON and streams of
/// events.
package enum HTTPTarget {
    static func run(_ input: UnsafeRawBufferPointer) { _ = answer(input) }

    /// Has a connection take bytes, in pieces of as many as the first of them says; what leaves is
    /// HTTP, and nothing is left once it is closed.
    package static func answer(_ input: UnsafeRawBufferPointer) -> String {
        guard let size = input.first else { return "" }
        // What is longer is read by threads, which a loop without a thread of its own cannot wait
        // for.
        let bytes = input.dropFirst().prefix(Limits.rpcHTTPInlineBytes)
        let loop = EmbeddedEventLoop()
        let context = LoopContext(eventLoop: loop, number: 0)
        let channel = EmbeddedChannel(loop: loop)
        let sniffer = ProtocolSniffer(core: core, loop: context)
        try? channel.pipeline.syncOperations.addHandler(sniffer)
        if let address = try? SocketAddress(ipAddress: "127.0.0.1", port: 1) {
            channel.connect(to: address, promise: nil)
        }
        // Whoever speaks RPC is looked after by another target.
        guard !bytes.starts(with: "PRPC".utf8), !bytes.starts(with: "STRM".utf8) else {
            _ = try? channel.finish(acceptAlreadyClosed: true)
            loop.run()
            return ""
        }
        var output = ByteBuffer()
        var rest = bytes
        while !rest.isEmpty, channel.isActive {
            let piece = rest.prefix(size == 0 ? rest.count : Int(size))
            rest = rest.dropFirst(piece.count)
            _ = try? channel.writeInbound(ByteBuffer(bytes: piece))
            loop.run()
            collect(channel, &output)
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        loop.run()
        collect(channel, &output)
        precondition(
            output.readableBytes == 0 || output.readableBytesView.starts(with: "HTTP/1.1 ".utf8),
            "an answer that is no HTTP")
        precondition(context.callCount == 0, "a call is left")
        precondition(context.connectionCount == 0, "a connection is left")
        return String(buffer: output)
    }

    private static func collect(_ channel: EmbeddedChannel, _ output: inout ByteBuffer) {
        while let part = try? channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let bytes) = part { output.writeImmutableBuffer(bytes) }
        }
    }

    private static func method(
        _ name: String, _ streaming: MethodDescriptor.Streaming = .unary,
        _ access: MethodDescriptor.Access = .connection
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "test.Texts", name: name, access: access, roles: [], isIdempotent: false,
            defaultDeadlineMilliseconds: 1_000, streaming: streaming,
            request: V1.AskRequest.descriptor, response: V1.AskRequest.descriptor)
    }

    private static let core = ServerCore(
        router: Router([
            ServiceRegistration(
                name: "test.Texts",
                methods: [
                    .raw(method("Echo")) { payload, _ in payload },
                    .raw(method("SignedIn", .unary, .user)) { payload, _ in payload },
                    .raw(method("Fail")) { _, _ in
                        throw Failure(.quotaExhausted, "Buy more.", retryAfterMilliseconds: 1_500)
                    },
                    .rawServerStreaming(method("Repeat", .serverStreaming)) { payload, _, stream in
                        for _ in 0..<4 { try await stream.write(payload) }
                    },
                    .rawStreaming(method("Each", .bidirectionalStreaming)) { _, _, _ in },
                ])
        ]),
        verifier: OneCredential(), interceptors: [], pages: ServerPages(),
        maximumBodyBytes: Limits.rpcBodyBytes,
        logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })

    /// Knows one service.
    private struct OneCredential: CredentialVerifier {
        func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
            credential == Array("web".utf8) ? ConnectionIdentity(name: "web", role: .web) : nil
        }
    }
}
