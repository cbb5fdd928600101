import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Requests of peers with a good credential that have not come whole.
@Suite(.serialized, .timeLimit(.minutes(2))) struct UnfinishedTests {
    private static let free = Limits.rpcUnfinishedFreeBytes

    private func embedded(
        _ bytes: Int = Limits.rpcUnfinishedBytes, events: Events = Events()
    ) throws -> EmbeddedServer {
        var limits = ServerLimits()
        limits.unfinishedBytes = bytes
        return try EmbeddedServer(events: events, limits: limits)
    }

    private func echo(
        _ id: Int64, _ count: Int, change: (inout RpcMeta) -> Void = { _ in }
    ) throws -> ByteBuffer {
        try plainRequest(
            "test.Service", "Echo", id: id, payload: String(repeating: "x", count: count)
        ) {
            $0.envelopeExtension = .announcement
            change(&$0)
        }
    }

    /// The first bytes of a packet, and the rest.
    private func cut(_ packet: ByteBuffer, at count: Int) -> (ByteBuffer, ByteBuffer) {
        var rest = packet
        let first = rest.readSlice(length: count) ?? ByteBuffer()
        return (ByteBuffer(buffer: first), ByteBuffer(buffer: rest))
    }

    private func expectServed(_ server: EmbeddedServer, id: Int64 = 99) throws {
        try server.receive(try echo(id, 3))
        let answers = try server.release()
        #expect(try answers.map { try $0.callMeta().correlationID } == [id])
        #expect(answers.first?.body == ByteBuffer(string: "xxx"))
    }

    @Test func `what came of a request counts until it is whole`() throws {
        let server = try embedded()
        let (first, rest) = cut(try echo(1, 400_000), at: 300_000)
        try server.receive(first)
        #expect(server.edge.unfinishedBytes == 300_000 - Self.free)
        let (second, last) = cut(rest, at: 50_000)
        try server.receive(second)
        #expect(server.edge.unfinishedBytes == 350_000 - Self.free)
        try server.receive(last)
        #expect(server.edge.unfinishedBytes == 0)
        #expect(try server.release().first?.callMeta().response?.errorCode == 0)
        try server.close()
    }

    @Test func `the first bytes of a request are free, and whatever is whole`() throws {
        let server = try embedded(0)
        let (first, rest) = cut(try echo(1, 400_000), at: Self.free)
        try server.receive(first)
        #expect(server.edge.unfinishedBytes == 0)
        try server.receive(rest)
        try server.receive(try echo(2, 400_000))
        #expect(
            try server.release().map { try $0.callMeta().response?.errorCode } == [0, 0])
        try server.close()
    }

    @Test func `one for which there is no room is told so, and its connection goes on`() throws {
        let server = try embedded(200_000)
        let (first, rest) = cut(try echo(7, 400_000), at: 300_000)
        try server.receive(first)
        let refusal = try #require(try server.release().first).callMeta()
        #expect(refusal.correlationID == 7)
        #expect(refusal.response?.errorCode == RPCError.Code.limit)
        #expect(
            refusal.userFields[RPCError.Field.retryAfter]
                == String(Limits.rpcRetryAfterMilliseconds))
        #expect(refusal.envelopeExtension?.notProcessed == true)
        #expect(server.edge.unfinishedBytes == 0)
        #expect(server.connection.frameReader.keptBytes == 0)
        let (second, last) = cut(rest, at: 50_000)
        try server.receive(second)
        #expect(server.edge.unfinishedBytes == 0)
        #expect(server.connection.frameReader.unfinishedBytes == 0)
        try server.receive(last)
        #expect(try server.release().isEmpty)
        try expectServed(server)
        try server.close()
    }

    @Test func `a request that opens a stream is refused within it`() throws {
        let server = try embedded(0)
        let request = try echo(7, 100_000) {
            $0.request?.methodName = "Big"
            $0.streamSettings = StreamSettings(streamID: 5, needFeedback: false, writable: true)
        }
        try server.receive(cut(request, at: 50_000).0)
        let frame = try #require(try server.release().first)
        #expect(try frame.streamMeta().streamID == 5)
        let inner = try #require(try frames(frame.body).first).callMeta()
        #expect(inner.correlationID == 7)
        #expect(inner.response?.errorCode == RPCError.Code.limit)
        try server.close()
    }

    @Test func `nobody is told who wants no answer`() throws {
        let server = try embedded(0)
        let (first, rest) = cut(
            try echo(7, 100_000) { $0.envelopeExtension?.noReply = true }, at: 50_000)
        try server.receive(first)
        try server.receive(rest)
        #expect(try server.release().isEmpty)
        try expectServed(server)
        try server.close()
    }

    @Test func `a message of a stream for which there is no room ends its stream`() throws {
        let events = Events()
        let server = try embedded(0, events: events)
        try server.receive(
            try announced("EchoEach", id: 7) {
                $0.streamSettings = StreamSettings(
                    streamID: 5, needFeedback: false, writable: true)
            })
        let opening = try #require(try server.release().first).streamMeta()
        let stream = try #require(opening.sourceStreamID)
        var packet = ByteBuffer()
        try packet.writeStream(
            StreamFrameMeta(streamID: stream, sourceStreamID: 5, frameType: .data),
            payload: ByteBuffer(repeating: 1, count: 100_000))
        let (first, rest) = cut(packet, at: 50_000)
        try server.receive(first)
        let end = try #require(try server.release().first).streamMeta()
        #expect(end.frameType == .close)
        #expect(end.envelopeExtension?.errorCode == RPCError.Code.limit)
        #expect(end.envelopeExtension?.notProcessed != true, "its handler had begun")
        #expect(server.connection.callCount == 0)
        try server.receive(rest)
        try expectServed(server)
        // The next message of it is nobody's.
        try server.receive(first)
        let reset = try #require(try server.release().first).streamMeta()
        #expect(reset == StreamFrameMeta(streamID: 5, frameType: .reset))
        try server.receive(rest)
        try expectServed(server)
        try server.close()
    }

    @Test func `a connection ends if nobody can be told`() throws {
        let server = try embedded(0)
        let request = try echo(7, 0) {
            $0.userFields = ["note": String(repeating: "n", count: 40_000)]
        }
        try server.receive(cut(request, at: 30_000).0)
        #expect(!server.channel.isActive)
        #expect(server.connection.frameReader.keptBytes == 0)
        try server.close()
    }

    @Test(arguments: [true, false])
    func `a request that does not become whole in time is refused`(isPlain: Bool) throws {
        let server = try embedded()
        let request = try echo(7, 400_000) { if isPlain { $0.envelopeExtension = nil } }
        let (first, rest) = cut(request, at: 300_000)
        try server.receive(first)
        let began = try #require(server.connection.unfinishedSince)
        let end = began + .milliseconds(Limits.rpcUnfinishedMilliseconds)
        server.connection.expireUnfinished(end)
        #expect(try server.release().isEmpty)
        // What trickles in does not make it younger.
        let (second, last) = cut(rest, at: 1)
        try server.receive(second)
        if isPlain {
            server.connection.look(end + .nanoseconds(1))
        } else {
            // Who could be asked whether it lives would be by now.
            server.connection.expireUnfinished(end + .nanoseconds(1))
        }
        server.loop.run()
        let refusal = try #require(try server.release().first).callMeta()
        #expect(refusal.correlationID == 7)
        #expect(refusal.response?.errorCode == RPCError.Code.timedOut)
        #expect(refusal.envelopeExtension?.notProcessed == (isPlain ? nil : true))
        #expect(server.edge.unfinishedBytes == 0)
        #expect(server.connection.frameReader.keptBytes == 0)
        try server.receive(last)
        try expectServed(server)
        try server.close()
    }

    @Test func `of requests that follow each other each has its time`() throws {
        let server = try embedded()
        let (first, rest) = cut(try echo(1, 400_000), at: 300_000)
        try server.receive(first)
        let began = try #require(server.connection.unfinishedSince)
        var next = rest
        let (second, last) = cut(try echo(2, 400_000), at: 300_000)
        next.writeImmutableBuffer(second)
        try server.receive(next)
        #expect(try #require(server.connection.unfinishedSince) > began)
        try server.receive(last)
        #expect(server.connection.unfinishedSince == nil)
        #expect(try server.release().count == 2)
        try server.close()
    }

    @Test(arguments: [true, false])
    func `a connection that ends takes its part with it`(closesSoftly: Bool) throws {
        let server = try embedded()
        try server.receive(cut(try echo(7, 400_000), at: 300_000).0)
        #expect(server.edge.unfinishedBytes > 0)
        if closesSoftly {
            server.connection.closeAfterFlush()
            #expect(server.edge.unfinishedBytes == 0)
            #expect(server.connection.frameReader.keptBytes == 0)
        }
        try server.close()
        #expect(server.connection.frameReader.keptBytes == 0)
    }

    // MARK: Over sockets

    private func withServer(
        bytes: Int, verifier: any CredentialVerifier = NamedRoles(),
        _ body: (RPCServer) async throws -> Void
    ) async throws {
        let configuration = testConfiguration {
            $0.credentials = .verified(by: verifier)
            $0.limits.unfinishedBytes = bytes
        }
        try await withCountedServer(configuration, services: testServices(Events()), body)
    }

    private func introduced(_ id: Int64, _ count: Int) throws -> ByteBuffer {
        try echo(id, count) { $0.authenticationData = Array("web".utf8) }
    }

    /// Waits until so many bytes are counted, or more.
    private func wait(_ server: RPCServer, for bytes: Int) async throws {
        for _ in 0..<2_000 where server.core.edge.unfinishedBytes < bytes {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(server.core.edge.unfinishedBytes >= bytes)
    }

    @Test func `peers that stop within their requests do not take all memory`() async throws {
        let mebibyte = 1 << 20
        try await withServer(bytes: 2 * mebibyte) { server in
            let (part, last) = cut(
                try echo(2, mebibyte), at: try echo(2, mebibyte).readableBytes - 1)
            try await RawPeer.connect(to: server) { one in
                try await one.send(try introduced(1, 3))
                _ = try #require(try await one.frame())
                try await one.send(part)
                try await wait(server, for: part.readableBytes - Self.free)
                try await RawPeer.connect(to: server) { two in
                    try await two.send(try introduced(1, 3))
                    _ = try #require(try await two.frame())
                    try await two.send(part)
                    try await wait(server, for: 2 * (part.readableBytes - Self.free))
                    for _ in 0..<8 {
                        try await RawPeer.connect(to: server) { other in
                            try await other.send(try introduced(1, 3))
                            _ = try #require(try await other.frame())
                            try await other.send(part)
                            let refusal = try #require(try await other.frame()).callMeta()
                            #expect(refusal.correlationID == 2)
                            #expect(refusal.response?.errorCode == RPCError.Code.limit)
                            #expect(refusal.envelopeExtension?.notProcessed == true)
                            #expect(server.core.edge.unfinishedBytes <= 2 * mebibyte)
                            // The rest of it is no request of its own.
                            try await other.send(last)
                            try await other.send(try echo(3, 3))
                            let answer = try #require(try await other.frame()).callMeta()
                            #expect(answer.correlationID == 3)
                            #expect(answer.response?.errorCode == 0)
                        }
                    }
                    try await two.send(last)
                    let answer = try #require(try await two.frame())
                    #expect(answer.bodySize == mebibyte)
                }
                try await one.send(last)
                let answer = try #require(try await one.frame())
                #expect(answer.bodySize == mebibyte)
            }
        }
    }

    @Test func `what came behind a credential counts once that is known to be good`() async throws {
        let events = Events()
        try await withServer(
            bytes: Limits.rpcUnfinishedBytes, verifier: GatedRoles(events: events)
        ) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try introduced(1, 3))
                #expect(await events.wait(for: "verifying"))
                let (part, last) = cut(try echo(2, 400_000), at: 300_000)
                try await peer.send(part)
                let edge = server.core.edge
                for _ in 0..<2_000 where edge.countedBytes.unverified < 300_000 - Self.free {
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect(edge.unfinishedBytes == 0)
                events.report("verified")
                #expect(try #require(try await peer.frame()).callMeta().correlationID == 1)
                #expect(edge.countedBytes.unverified == 0)
                #expect(edge.unfinishedBytes == 300_000 - Self.free)
                try await peer.send(last)
                #expect(try #require(try await peer.frame()).callMeta().correlationID == 2)
            }
        }
    }

    // MARK: Over HTTP

    private func http(_ bytes: Int) throws -> EmbeddedHTTP {
        var limits = ServerLimits()
        limits.unfinishedBytes = bytes
        let http = try EmbeddedHTTP(limits: limits)
        try http.receive(
            .head(
                EmbeddedHTTP.head(
                    "/test.Texts/Echo", method: .POST,
                    headers: [("transfer-encoding", "chunked")])))
        return http
    }

    @Test func `a body counts until its call does`() throws {
        let http = try http(Limits.rpcUnfinishedBytes)
        let edge = http.connection.core.edge
        let part = ByteBuffer(repeating: UInt8(ascii: " "), count: 50_000)
        try http.receive(.body(part))
        #expect(edge.unfinishedBytes == 50_000 - Self.free)
        try http.receive(.body(part))
        #expect(edge.unfinishedBytes == 100_000 - Self.free)
        try http.receive(.body(ByteBuffer(repeating: 1, count: Limits.rpcHTTPBodyBytes)))
        #expect(try http.statuses() == [413])
        #expect(edge.unfinishedBytes == 0)
        try http.close()
    }

    @Test func `a body for which there is no room is refused and not kept`() throws {
        let http = try http(60_000)
        let edge = http.connection.core.edge
        let part = ByteBuffer(repeating: UInt8(ascii: " "), count: 50_000)
        try http.receive(.body(part))
        #expect(try http.statuses() == [])
        try http.receive(.body(part))
        #expect(try http.statuses() == [503])
        #expect(edge.unfinishedBytes == 0)
        #expect(http.connection.body.storageCapacity == 0)
        try http.receive(.body(part))
        #expect(http.connection.body.storageCapacity == 0)
        try http.close()
    }

    @Test func `a body is given back with its connection, and with its call`() throws {
        let leaving = try http(Limits.rpcUnfinishedBytes)
        try leaving.receive(.body(ByteBuffer(repeating: 32, count: 50_000)))
        #expect(leaving.connection.core.edge.unfinishedBytes > 0)
        try leaving.close()
        #expect(leaving.connection.core.edge.unfinishedBytes == 0)
    }

    @Test func `a body that came whole while its caller was checked needs room too`() async throws {
        let events = Events()
        let configuration = testConfiguration {
            $0.credentials = .verified(by: GatedRoles(events: events))
            $0.limits.unfinishedBytes = 100_000
        }
        try await withHTTPServer(configuration: configuration) { server, host in
            // Turned into a packet on a thread, and counted until it is one.
            let text = "{\"text\":\"\(String(repeating: "z", count: 200_000))\"}"
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    ByteBuffer(string: httpCall("Echo", host: host, body: text)))
                let edge = server.core.edge
                for _ in 0..<2_000 where edge.countedBytes.unverified < 200_000 - Self.free {
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect(await events.wait(for: "verifying"))
                #expect(edge.unfinishedBytes == 0)
                events.report("verified")
                #expect(try await peer.rest().hasPrefix("HTTP/1.1 503 "))
                #expect(edge.unfinishedBytes == 0)
            }
        }
    }

    @Test func `over sockets a long body is counted and given back`() async throws {
        try await withHTTPServer(configuration: testConfiguration()) { server, host in
            let text = "{\"text\":\"\(String(repeating: "z", count: 200_000))\"}"
            let head =
                "POST /test.Texts/Echo HTTP/1.1\r\nHost: \(host)\r\n"
                + "Authorization: Bearer web\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n"
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(ByteBuffer(string: head + text.dropLast()))
                try await wait(server, for: text.utf8.count - 1 - Self.free)
                #expect(server.core.edge.countedBytes.unverified == 0)
                try await peer.send(ByteBuffer(string: "}"))
                #expect(try await peer.rest().hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(server.core.edge.unfinishedBytes == 0)
            }
        }
    }
}
