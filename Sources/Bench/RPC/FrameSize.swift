import NIOCore
import NIOPosix
import TollgateClient
import TollgateKernel

/// Finds out how many bytes an echo's request has on the wire, so that the raw peer sends as many.
enum FrameSize {
    /// Takes one request of the client on a socket of its own and reads its length.
    ///
    /// The header is `PRPC`, then the length of all that follows it, as a big-endian number.
    static func ofEchoRequest() async throws -> Int {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await server.executeThenClose { connections in
            guard let port = server.channel.localAddress?.port else {
                throw Failure(.unavailable, "There is no loopback socket.")
            }
            return try await withThrowingTaskGroup(of: Int?.self) { group in
                group.addTask {
                    let address = "127.0.0.1:\(port)"
                    try await withTollgateClient(.init(address: address)) { client in
                        // Nobody answers: the call ends with its task.
                        try? await EchoCaller(variant: .typed, client: client).call()
                    }
                    return nil
                }
                group.addTask {
                    for try await connection in connections {
                        return try await connection.executeThenClose { packets, _ in
                            try await length(of: packets)
                        }
                    }
                    return nil
                }
                defer { group.cancelAll() }
                while let found = try await group.next() {
                    if let found { return found }
                }
                throw Failure(.internalError, "The client sent no frame.")
            }
        }
    }

    private static func length<Packets: AsyncSequence>(
        of packets: Packets
    ) async throws -> Int? where Packets.Element == ByteBuffer {
        var head = ByteBuffer()
        for try await packet in packets {
            head.writeImmutableBuffer(packet)
            if let rest = head.getInteger(at: head.readerIndex + 4, as: UInt32.self) {
                return 12 + Int(rest)
            }
        }
        return nil
    }
}
