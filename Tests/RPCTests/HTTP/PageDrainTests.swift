import NIOCore
import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Pages while their server stops.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PageDrainTests {
    /// Characters of a page that no kernel keeps for a peer that does not read.
    private static let hugeCount = 7 * 1_024 * 1_024

    private func request(_ path: String, host: String) -> ByteBuffer {
        ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    }

    private func configuration(
        metrics: @escaping @Sendable () async -> String
    ) -> RPCServerConfiguration {
        testConfiguration { $0.pages.metrics = metrics }
    }

    /// A page as one request of several on a connection gets it: the peer would ask again.
    @Test func `a slow reader has a page whole while the server stops`() async throws {
        let configuration = configuration { String(repeating: "m", count: Self.hugeCount) }
        try await withHTTPServer(configuration: configuration) { server, host in
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                try await peer.send(request("/metrics", host: host))
                let head = try await peer.text(until: "\r\n\r\n")
                server.drain()
                let bytes = await peer.countedRest(pauses: 60)
                #expect(head.hasPrefix("HTTP/1.1 200"))
                #expect(bytes > Self.hugeCount)
            }
        }
    }

    /// With a call on the same connection the server's end behind it waits for the page.
    @Test(arguments: [false, true])
    func `a page that is being made is told whole, and that it is the last`(
        afterACall: Bool
    ) async throws {
        let events = Events()
        let configuration = configuration {
            events.report("page asked for")
            return await events.wait(for: "page allowed") ? "whole page" : "late"
        }
        try await withHTTPServer(events: events, configuration: configuration) { server, host in
            try await RawPeer.connect(to: server) { peer in
                if afterACall {
                    try await peer.send(
                        ByteBuffer(
                            string: httpCall(
                                "Echo", host: host, body: "{\"text\":\"hi\"}", headers: [])))
                    _ = try await peer.text(until: "\"hi\"}")
                }
                try await peer.send(request("/metrics", host: host))
                let isAsked = await events.wait(for: "page asked for")
                server.drain()
                // Nothing else runs: were it not for the page, the server would close now.
                try await Task.sleep(for: .milliseconds(50))
                events.report("page allowed")
                let answer = try await peer.rest()
                #expect(isAsked)
                #expect(answer.hasSuffix("\r\n\r\nwhole page"))
                #expect(answer.contains("\r\nconnection: close\r\n"))
            }
        }
    }

    /// The call holds the drain up, for which the connection does not wait.
    @Test func `a connection that waits for its next page's request is ended at once`()
        async throws
    {
        let events = Events()
        let configuration = configuration { "a page" }
        try await withHTTPServer(events: events, configuration: configuration) { server, host in
            try await RawPeer.connect(to: server) { caller in
                try await caller.send(ByteBuffer(string: httpCall("Gated", host: host)))
                let isRunning = await events.wait(for: "gated started")
                try await RawPeer.connect(to: server) { peer in
                    try await peer.send(request("/metrics", host: host))
                    _ = try await peer.text(until: "a page")
                    let start = ContinuousClock.now
                    server.drain()
                    #expect(await peer.isClosed())
                    #expect(ContinuousClock.now - start < .seconds(5))
                }
                #expect(isRunning)
                events.report("gate opened")
                #expect(try await caller.rest().hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    /// The page's task comes back to the event loop, which must be there.
    @Test func `a page whose client left is awaited although it does not heed that`() async throws {
        let events = Events()
        let configuration = configuration {
            events.report("page asked for")
            // A task of its own is not cancelled with the page's.
            await Task { _ = await events.wait(for: "page allowed") }.value
            events.report("page made")
            return ""
        }
        let server = try RPCServer(
            configuration, services: [HTTPTestService.registration(events)])
        let running = Task {
            try await server.run()
            events.report("ended")
        }
        let host = try #require(try await server.address).description
        try await RawPeer.connect(to: server) { peer in
            try await peer.send(request("/metrics", host: host))
            #expect(await events.wait(for: "page asked for"))
        }
        server.drain()
        #expect(await !events.wait(for: "ended", seconds: 1))
        events.report("page allowed")
        try await running.value
        #expect(events.all.suffix(2) == ["page made", "ended"])
        try await expectNothingLeftBehind(server)
    }

    /// A drain without a call to wait for has five seconds.
    @Test func `a page that takes too long ends with the drain's bound`() async throws {
        let events = Events()
        var configuration = configuration {
            events.report("page asked for")
            try? await Task.sleep(for: .seconds(60))
            return ""
        }
        configuration.drainGraceMilliseconds = 0
        let server = try RPCServer(
            configuration, services: [HTTPTestService.registration(events)])
        let running = Task { try await server.run() }
        let host = try #require(try await server.address).description
        try await RawPeer.connect(to: server) { peer in
            try await peer.send(request("/metrics", host: host))
            #expect(await events.wait(for: "page asked for"))
            let start = ContinuousClock.now
            server.drain()
            try await running.value
            #expect(ContinuousClock.now - start < .seconds(9))
            #expect(await peer.isClosed())
        }
    }
}
