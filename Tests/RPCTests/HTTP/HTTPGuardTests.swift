import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import TollgateKernel

@testable import TollgateRPC

/// What is not let through to a call over HTTP.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HTTPGuardTests {
    @Test func `a page in a browser cannot call the port`() async throws {
        try await withHTTPServer { server, host in
            // A form or a script without permission: no JSON type, or an Origin, or both.
            for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
                let answer = try await httpExchange(
                    server, httpCall("Echo", host: host, type: type))
                #expect(answer.hasPrefix("HTTP/1.1 415 "), "\(type)")
            }
            let script = try await httpExchange(
                server,
                httpCall(
                    "Echo", host: host, headers: ["Origin: http://\(host)", "Connection: close"]))
            #expect(script.hasPrefix("HTTP/1.1 403 "))
            // The browser asks first; nobody allows it.
            let asked = try await httpExchange(
                server,
                "OPTIONS /test.Texts/Echo HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
            #expect(asked.hasPrefix("HTTP/1.1 405 "))
            #expect(!asked.lowercased().contains("access-control"))
            // A name of the page's own that points here.
            let rebound = try await httpExchange(server, httpCall("Echo", host: "evil.example:80"))
            #expect(rebound.hasPrefix("HTTP/1.1 421 "))
            for credential in [nil, "wrong", ""] {
                let unknown = try await httpExchange(
                    server, httpCall("Echo", host: host, credential: credential))
                #expect(unknown.hasPrefix("HTTP/1.1 401 "), "\(credential ?? "none")")
            }
        }
    }

    @Test func `a connection is one caller's`() async throws {
        try await withHTTPServer { server, host in
            let answer = try await httpExchange(
                server,
                httpCall("Echo", host: host, headers: [])
                    + httpCall("Echo", host: host, credential: "admin"))
            #expect(answer.contains("HTTP/1.1 200 "))
            #expect(answer.contains("HTTP/1.1 401 "))
        }
    }

    @Test func `a request that two servers could read differently is refused`() async throws {
        try await withHTTPServer { server, host in
            let start =
                "POST /test.Texts/Echo HTTP/1.1\r\nHost: \(host)\r\n"
                + "Authorization: Bearer web\r\nContent-Type: application/json\r\n"
            let smuggled = "0\r\n\r\nGET /list HTTP/1.1\r\nHost: \(host)\r\n\r\n"
            for lengths in [
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                "Content-Length: 2\r\nContent-Length: 5\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n",
            ] {
                let answer = try await httpExchange(server, start + lengths + "\r\n" + smuggled)
                #expect(!answer.contains("HTTP/1.1 200 "), "\(lengths)")
                #expect(!answer.contains("test.Texts"), "\(lengths): the second was answered")
            }
            let twoHosts = try await httpExchange(
                server,
                httpCall("Echo", host: host, headers: ["Host: \(host)", "Connection: close"]))
            #expect(!twoHosts.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `broken bytes are told so or cut off`() async throws {
        try await withHTTPServer { server, host in
            let nul = try await httpExchange(
                server, httpCall("Echo", host: host, headers: ["X: a\0b", "Connection: close"]))
            #expect(nul.isEmpty || nul.hasPrefix("HTTP/1.1 400 "))
            var bytes = ByteBuffer(string: httpCall("Echo", host: host, body: "{\"text\":\"ab\"}"))
            bytes.setInteger(UInt8(0xff), at: bytes.writerIndex - 3)
            let text = try await httpExchange(server, bytes: bytes)
            #expect(text.hasPrefix("HTTP/1.1 400 "))
            let zero = try await httpExchange(
                server, httpCall("Echo", host: host, body: "{\"text\":\"a\\u0000b\"}"))
            #expect(zero.hasPrefix("HTTP/1.1 400 "))
            let chunk = try await httpExchange(
                server,
                "POST /test.Texts/Echo HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer web\r\n"
                    + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            #expect(!chunk.contains("HTTP/1.1 200 "))
        }
    }

    @Test func `long bodies and heads are refused before they are kept`() async throws {
        try await withHTTPServer { server, host in
            let declared = try await httpExchange(
                server,
                "POST /test.Texts/Echo HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer web\r\n"
                    + "Content-Type: application/json\r\n"
                    + "Content-Length: \(Limits.rpcHTTPBodyBytes + 1)\r\n\r\n")
            #expect(declared.hasPrefix("HTTP/1.1 413 "))
            let head = try? await httpExchange(
                server, "GET /health HTTP/1.1\r\nX: \(String(repeating: "x", count: 200_000))")
            #expect(head?.contains("HTTP/1.1 200 ") != true)
        }
    }

    @Test(arguments: [
        "POST /test.Texts/Echo HTTP/1.1\r\nHost: x",
        "POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        "POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ])
    func `a request that comes a byte at a time is not waited for`(beginning: String) throws {
        let channel = EmbeddedChannel()
        let core = ServerCore(
            router: Router([]), verifier: nil, interceptors: [], pages: ServerPages(),
            maximumBodyBytes: 1_024, logger: testConfiguration().logger)
        let loop = LoopContext(eventLoop: channel.embeddedEventLoop, number: 0)
        try channel.pipeline.syncOperations.addHandler(ProtocolSniffer(core: core, loop: loop))
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        try channel.writeInbound(ByteBuffer(string: beginning))
        for _ in 0..<60 where channel.isActive {
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            if channel.isActive { try channel.writeInbound(ByteBuffer(string: "a")) }
        }
        #expect(!channel.isActive)
        // What the closing left to the loop holds the channel, which holds the loop.
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test func `hosts are this server's own names and no others`() throws {
        let local = try SocketAddress(ipAddress: "192.0.2.7", port: 7_400)
        func isOwn(_ hosts: [String], _ names: Set<String> = []) -> Bool {
            var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
            for host in hosts { head.headers.add(name: "host", value: host) }
            return HTTPGuard.isOwnHost(head, local: local, names: names)
        }
        #expect(isOwn(["192.0.2.7:7400"]))
        #expect(!isOwn(["192.0.2.7"]))
        #expect(!isOwn(["localhost:7400"]))
        #expect(!isOwn([]))
        #expect(!isOwn(["192.0.2.7:7400", "192.0.2.7:7400"]))
        #expect(isOwn(["api.example:7400"], ["api.example"]))
        #expect(isOwn(["api.example"], ["api.example"]))
        #expect(!isOwn(["api.example.evil"], ["api.example"]))
    }
}
