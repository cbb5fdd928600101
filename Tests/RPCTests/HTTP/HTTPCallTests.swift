import NIOCore
import NIOPosix
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Calls as JSON over HTTP on the RPC port.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HTTPCallTests {
    @Test func `a call is JSON in and JSON out`() async throws {
        try await withHTTPServer { server, host in
            let answer = try await httpExchange(
                server, httpCall("Echo", host: host, body: "{\"text\":\"héllo\",\"number\":\"7\"}"))
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("content-type: application/json\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n{\"text\":\"héllo\",\"number\":\"7\"}"))
        }
    }

    @Test func `a long body is read away from the event loop and comes back whole`() async throws {
        try await withHTTPServer { server, host in
            let body = "{\"text\":\"\(String(repeating: "y", count: 300_000))\"}"
            let answer = try await httpExchange(server, httpCall("Echo", host: host, body: body))
            #expect(answer.hasSuffix("\r\n\r\n" + body))
        }
    }

    @Test func `requests on one connection are answered in their order`() async throws {
        try await withHTTPServer { server, host in
            let calls = (1...5).map { number in
                httpCall(
                    "Echo", host: host, body: "{\"number\":\"\(number)\"}",
                    headers: number == 5 ? ["Connection: close"] : [])
            }
            let answer = try await httpExchange(server, calls.joined())
            let bodies = answer.split(separator: "\r\n\r\n").dropFirst().map { $0.prefix(14) }
            #expect(bodies == (1...5).map { "{\"number\":\"\($0)\"}" })
        }
    }

    @Test func `the person's session has a header of its own`() async throws {
        try await withHTTPServer { server, host in
            let without = try await httpExchange(server, httpCall("SignedIn", host: host))
            #expect(without.hasPrefix("HTTP/1.1 401 "))
            let with = try await httpExchange(
                server,
                httpCall(
                    "SignedIn", host: host,
                    headers: ["Tollgate-Authorization: s3ss10n", "Connection: close"]))
            #expect(with.hasSuffix("{\"text\":\"s3ss10n\"}"))
        }
    }

    @Test func `failures are a status and a JSON object`() async throws {
        try await withHTTPServer { server, host in
            let quota = try await httpExchange(server, httpCall("Fail", host: host))
            #expect(quota.hasPrefix("HTTP/1.1 402 "))
            #expect(quota.contains("retry-after: 2\r\n"))
            #expect(
                quota.hasSuffix(
                    "{\"code\":\"quota_exhausted\",\"message\":\"Buy \\\"more\\\".\","
                        + "\"retryAfterMilliseconds\":1500}"))
            let forbidden = try await httpExchange(server, httpCall("JobsOnly", host: host))
            #expect(forbidden.hasPrefix("HTTP/1.1 403 "))
            #expect(forbidden.contains("\"code\":\"forbidden\""))
            let missing = try await httpExchange(server, httpCall("Nothing", host: host))
            #expect(missing.hasPrefix("HTTP/1.1 404 "))
            let malformed = try await httpExchange(
                server, httpCall("Echo", host: host, body: "{\"text\":"))
            #expect(malformed.hasPrefix("HTTP/1.1 400 "))
            let late = try await httpExchange(
                server,
                httpCall(
                    "Hang", host: host,
                    headers: ["Tollgate-Timeout-Ms: 20", "Connection: close"]))
            #expect(late.hasPrefix("HTTP/1.1 504 "))
            #expect(late.contains("\"code\":\"deadline_exceeded\""))
            let unread = try await httpExchange(
                server,
                httpCall(
                    "Echo", host: host, headers: ["Tollgate-Timeout-Ms: 0", "Connection: close"]))
            #expect(unread.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test func `calls over HTTP meet the same limits as others`() async throws {
        let events = Events()
        try await withHTTPServer(
            events: events,
            configuration: testConfiguration { $0.limits.callsInFlightPerMethod = 1 }
        ) { server, host in
            try await RawPeer.connect(to: server) { first in
                try await first.send(ByteBuffer(string: httpCall("Gated", host: host)))
                #expect(await events.wait(for: "gated started"))
                let second = try await httpExchange(server, httpCall("Gated", host: host))
                #expect(second.hasPrefix("HTTP/1.1 503 "))
                #expect(second.contains("retry-after: 1\r\n"))
                events.report("gate opened")
                #expect(try await first.rest().hasPrefix("HTTP/1.1 200 "))
            }
            #expect(server.core.edge.countedBytes == (0, 0))
        }
    }

    // MARK: Streams

    @Test func `a stream is events, and its last one says how it ended`() async throws {
        try await withHTTPServer { server, host in
            let whole = try await httpExchange(server, httpCall("Count", host: host))
            #expect(whole.contains("content-type: text/event-stream\r\n"))
            for number in 1...3 {
                #expect(whole.contains("data: {\"number\":\"\(number)\"}\n\n"))
            }
            #expect(whole.contains("event: done\ndata: {}\n\n"))
            let broken = try await httpExchange(server, httpCall("FailLate", host: host))
            #expect(broken.contains("data: {\"text\":\"part\"}\n\n"))
            #expect(
                broken.contains(
                    "event: error\ndata: {\"code\":\"upstream_failed\","
                        + "\"message\":\"The model broke off.\"}\n\n"))
            #expect(!broken.contains("event: done"))
        }
    }

    @Test func `a connection is used again after a stream`() async throws {
        try await withHTTPServer { server, host in
            let answer = try await httpExchange(
                server,
                httpCall("Count", host: host, headers: [])
                    + httpCall("Echo", host: host, body: "{\"text\":\"after\"}"))
            #expect(answer.hasSuffix("{\"text\":\"after\"}"))
        }
    }

    @Test func `a client that leaves its stream cancels it`() async throws {
        let events = Events()
        try await withHTTPServer(events: events) { server, host in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(ByteBuffer(string: httpCall("HangStream", host: host)))
                _ = try await peer.text(until: "first")
            }
            #expect(await events.wait(for: "stream cancelled"))
        }
    }

    @Test func `a client that does not read holds its stream back`() async throws {
        let events = Events()
        try await withHTTPServer(events: events) { server, host in
            let address = try #require(try await server.address)
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.autoRead, value: false)
                .connect(host: address.host, port: address.port).get()
            try await channel.writeAndFlush(ByteBuffer(string: httpCall("Flood", host: host)))
            #expect(await events.wait(for: "wrote 20"))
            // However long it waits: 32 MiB do not fit into windows and sockets.
            try await Task.sleep(for: .milliseconds(500))
            #expect(!events.all.contains("wrote 900"))
            try await channel.close()
            #expect(await events.wait(for: "flood cancelled"))
        }
    }
}
