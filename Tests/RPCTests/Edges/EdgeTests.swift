import NIOCore
import NIOPosix
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What a server does at its limits, over real sockets.
@Suite(.serialized, .timeLimit(.minutes(2))) struct EdgeTests {
    private func echo(
        _ id: Int64, _ method: String = "Echo", change: (inout RpcMeta) -> Void = { _ in }
    ) throws -> ByteBuffer {
        try plainRequest("test.Service", method, id: id, payload: "x") {
            $0.authenticationData = Array("web".utf8)
            change(&$0)
        }
    }

    private func limits(_ change: (inout ServerLimits) -> Void) -> ServerLimits {
        var limits = ServerLimits()
        change(&limits)
        return limits
    }

    private func withServer<Result>(
        _ limits: ServerLimits = ServerLimits(), events: Events = Events(),
        verifier: any CredentialVerifier = NamedRoles(),
        _ body: (RPCServer) async throws -> Result
    ) async throws -> Result {
        let configuration = testConfiguration {
            $0.limits = limits
            $0.credentials = .verified(by: verifier)
        }
        return try await withCountedServer(configuration, services: testServices(events)) {
            _ = try await $0.address
            return try await body($0)
        }
    }

    /// What `/health` says, over a connection of its own.
    private func health(_ server: RPCServer) async throws -> String {
        let address = try #require(try await server.address)
        return try await RawPeer.connect(to: server) { peer in
            try await peer.send(
                ByteBuffer(
                    string: "GET /health HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n")
            )
            return try await peer.rest()
        }
    }

    /// Channels that say nothing, closed at the end.
    private func withSilentConnections(
        _ count: Int, to server: RPCServer, _ body: () async throws -> Void
    ) async throws {
        let address = try #require(try await server.address)
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(
                try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .connect(host: address.host, port: address.port).get())
        }
        do {
            try await body()
        } catch {
            for channel in channels { channel.close(promise: nil) }
            throw error
        }
        for channel in channels { try? await channel.close().get() }
    }

    @Test func `who comes too late hears so, and those who are there are served on`() async throws {
        try await withServer(
            limits {
                $0.connections = 1
            }
        ) { server in
            try await RawPeer.connect(to: server) { first in
                try await first.send(try echo(1))
                _ = try #require(try await first.frame())
                try await RawPeer.connect(to: server) { late in
                    try await late.send(
                        try echo(7) { $0.envelopeExtension = .announcement })
                    let meta = try #require(try await late.frame()).callMeta()
                    #expect(meta.correlationID == 7)
                    #expect(meta.response?.errorCode == 2_004)
                    #expect(meta.userFields["retry-after-ms"] == "500")
                    #expect(meta.envelopeExtension?.notProcessed == true)
                    #expect(await late.isClosed())
                }
                try await first.send(try echo(2))
                #expect(try #require(try await first.frame()).callMeta().correlationID == 2)
            }
        }
    }

    @Test func `health is told and old connections live while others flood`() async throws {
        try await withServer(
            limits {
                $0.connections = 2
                $0.spareConnections = 8
            }
        ) { server in
            try await RawPeer.connect(to: server) { old in
                try await old.send(try echo(1))
                _ = try #require(try await old.frame())
                try await withSilentConnections(150, to: server) {
                    #expect(try await health(server).hasPrefix("HTTP/1.1 200 OK\r\n"))
                    try await old.send(try echo(2))
                    #expect(try #require(try await old.frame()).callMeta().correlationID == 2)
                }
            }
        }
    }

    @Test func `one address has its part of the connections`() async throws {
        try await withServer(
            limits {
                $0.countsLoopback = true
                $0.connectionsPerAddress = 1
            }
        ) { server in
            try await RawPeer.connect(to: server) { first in
                try await first.send(try echo(1))
                _ = try #require(try await first.frame())
                try await RawPeer.connect(to: server) { second in
                    try await second.send(try echo(2))
                    let meta = try #require(try await second.frame()).callMeta()
                    #expect(meta.response?.errorCode == 2_004)
                }
            }
        }
    }

    @Test func `a method has its limit, and refuses before it reads`() async throws {
        let events = Events()
        try await withServer(
            limits { $0.callsInFlightPerMethod = 1 }, events: events
        ) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try echo(1, "Gated"))
                #expect(await events.wait(for: "gated started"))
                try await peer.send(try echo(2, "Gated"))
                let refused = try #require(try await peer.frame()).callMeta()
                #expect(refused.correlationID == 2)
                #expect(refused.response?.errorCode == 2_004)
                try await peer.send(try echo(3))
                #expect(try #require(try await peer.frame()).callMeta().correlationID == 3)
                events.report("gate opened")
                #expect(try #require(try await peer.frame()).callMeta().correlationID == 1)
                try await peer.send(try echo(4, "Gated"))
                let answer = try #require(try await peer.frame()).callMeta()
                #expect(answer.response?.errorCode == 0, "a place that is free is given")
            }
            #expect(server.core.edge.countedBytes.inFlight == 0)
        }
    }

    @Test func `bytes in work are bounded, and given back`() async throws {
        let events = Events()
        let first = try echo(1, "Gated")
        try await withServer(
            limits { $0.bytesInFlight = first.readableBytes - Frame.headerSize }, events: events
        ) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(first)
                #expect(await events.wait(for: "gated started"))
                try await peer.send(try echo(2))
                let refused = try #require(try await peer.frame()).callMeta()
                #expect(refused.response?.errorCode == 2_004)
                events.report("gate opened")
                _ = try #require(try await peer.frame())
            }
            #expect(server.core.edge.countedBytes.inFlight == 0)
        }
    }

    @Test func `a stranger's bytes are counted, and do not cost others theirs`() async throws {
        try await withServer(limits { $0.unverifiedBytes = 100_000 }) { server in
            try await RawPeer.connect(to: server) { stranger in
                // A frame that announces much, and of which much comes.
                var bytes = ByteBuffer(string: "PRPC")
                bytes.writeInteger(UInt32(8 * 1_024 * 1_024))
                bytes.writeInteger(UInt32(16))
                bytes.writeRepeatingByte(0, count: 80_000)
                try await stranger.send(bytes)
                try await RawPeer.connect(to: server) { peer in
                    try await peer.send(try echo(1))
                    #expect(try #require(try await peer.frame()).callMeta().correlationID == 1)
                }
                try? await stranger.send(ByteBuffer(repeating: 0, count: 200_000))
                #expect(await stranger.isClosed())
            }
        }
    }

    @Test func `a deadline that passed while the request waited is not begun`() async throws {
        let events = Events()
        try await withServer(
            events: events, verifier: GatedRoles(events: events)
        ) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    try echo(1, "Hang") {
                        $0.request?.timeoutMilliseconds = 1
                    })
                #expect(await events.wait(for: "verifying"))
                try await Task.sleep(for: .milliseconds(20))
                events.report("verified")
                let meta = try #require(try await peer.frame()).callMeta()
                #expect(meta.response?.errorCode == 1_008)
                #expect(!events.all.contains("hang started"))
            }
        }
    }

    @Test func `a connection without calls is ended`() async throws {
        try await withServer(limits { $0.idleMilliseconds = 30 }) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try echo(1))
                _ = try #require(try await peer.frame())
                #expect(await peer.isClosed())
            }
        }
    }
}
