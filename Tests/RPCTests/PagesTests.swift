import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel

@testable import TollgateRPC

/// The pages on the RPC port.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PagesTests {
    private func get(
        _ path: String, method: String = "GET", host: String? = nil,
        pages: ServerPages = ServerPages()
    ) async throws -> String {
        try await withTestServer(
            .socket, configuration: testConfiguration { $0.pages = pages }
        ) { (_, server) async throws in
            let address = try #require(try await server.address)
            return try await RawPeer.connect(to: server) { peer in
                let host = host ?? address.description
                // In two pieces: four bytes decide.
                try await peer.send(ByteBuffer(string: String(method.prefix(2))))
                try await peer.send(
                    ByteBuffer(
                        string: "\(method.dropFirst(2)) \(path) HTTP/1.1\r\nHost: \(host)\r\n"
                            + "Connection: close\r\n\r\n"))
                return try await peer.rest()
            }
        }
    }

    @Test func healthIsToldOnTheSamePort() async throws {
        let answer = try await get("/health")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nOK\n"))
    }

    @Test func servicesAndMethodsAreListed() async throws {
        let answer = try await get("/list")
        #expect(
            answer.contains(
                "{\"service\":\"example.EchoService\",\"methods\":[{\"name\":\"Echo\","
                    + "\"access\":\"connection\",\"streaming\":\"unary\""))
    }

    @Test func metricsAndStatusComeFromTheirOwner() async throws {
        let pages = ServerPages(metrics: { "a_total 1\n" }, status: { "realm: sandbox\n" })
        #expect(try await get("/metrics?x=1", pages: pages).hasSuffix("\r\n\r\na_total 1\n"))
        let status = try await get("/status", pages: pages)
        #expect(status.contains("state: serving\n"))
        #expect(status.hasSuffix("realm: sandbox\n"))
        #expect(try await get("/metrics").hasPrefix("HTTP/1.1 404"))
    }

    @Test func theVersionIsToldIfThereIsOne() async throws {
        let answer = try await get("/version", pages: ServerPages(version: "1.2.3"))
        #expect(answer.hasSuffix("\r\n\r\n{\"version\":\"1.2.3\"}\n"))
        #expect(try await get("/version").hasPrefix("HTTP/1.1 404"))
    }

    @Test func otherHostsMethodsAndPathsAreRefused() async throws {
        #expect(try await get("/health", host: "evil.example:80").hasPrefix("HTTP/1.1 421"))
        #expect(try await get("/health", method: "POST").hasPrefix("HTTP/1.1 405"))
        #expect(try await get("/nothing").hasPrefix("HTTP/1.1 404"))
    }

    @Test(arguments: ["G", "GET ", "GET /health HTTP/1.1\r\nHost: x\r\n"])
    func aRequestThatDoesNotComeIsNotWaitedFor(beginning: String) throws {
        let channel = EmbeddedChannel()
        let core = ServerCore(
            router: Router([]), verifier: nil, interceptors: [], pages: ServerPages(),
            maximumBodyBytes: 1_024, logger: testConfiguration().logger)
        let loop = LoopContext(eventLoop: channel.embeddedEventLoop, number: 0)
        try channel.pipeline.syncOperations.addHandler(ProtocolSniffer(core: core, loop: loop))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(string: beginning))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(Limits.rpcFirstBytesMilliseconds))
        #expect(!channel.isActive)
    }
}
