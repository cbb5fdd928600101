import Foundation
import Gateways
import Synchronization
import Testing
import TollgateKernel

@Suite(.timeLimit(.minutes(1)))
struct HTTPTransfersTests {
    @Test
    func `a request arrives as it was made and its answer comes back whole`() async throws {
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                let agent = request.header("user-agent") ?? ""
                connection.answer(
                    200,
                    "\(request.line)|\(agent)|\(request.header("x-empty") ?? "none")|"
                        + String(decoding: request.body, as: UTF8.self),
                    headers: "X-Twice: a\r\nx-twice: b\r\n")
            }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let answer = try await transfers.perform(
                OutgoingRequest(
                    .post, url: server.url + "/path?query=%20", headers: [("X-Empty", "")],
                    body: Array("body".utf8)))
            #expect(answer.head.status == 200)
            #expect(answer.head.values("x-twice") == ["a", "b"])
            #expect(answer.head.only("x-twice") == nil)
            #expect(
                String(decoding: answer.body, as: UTF8.self)
                    == "POST /path?query=%20 HTTP/1.1|tollgate/0.1||body")
            let empty = try await transfers.perform(OutgoingRequest(.post, url: server.url + "/"))
            #expect(
                String(decoding: empty.body, as: UTF8.self)
                    == "POST / HTTP/1.1|tollgate/0.1|none|")
        }
    }

    @Test
    func `many requests share few connections`() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil { connection.answer(200, "{}") }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            for _ in 0..<50 {
                let answer = try await transfers.perform(
                    OutgoingRequest(.get, url: server.url + "/"))
                #expect(answer.head.status == 200)
            }
            #expect(server.connections == 1)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<200 {
                    group.addTask {
                        try await transfers.perform(OutgoingRequest(.get, url: server.url + "/"))
                            .head.status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
        }
    }

    @Test
    func `redirects are answers, not followed`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.answer(302, "", headers: "Location: /other\r\n")
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let answer = try await transfers.perform(OutgoingRequest(.get, url: server.url))
            #expect(answer.head.status == 302)
            #expect(server.connections == 1)
        }
    }

    @Test
    func `interim answers are passed over`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            connection.answer(200, "{}")
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let answer = try await transfers.perform(OutgoingRequest(.get, url: server.url))
            #expect(answer.head.status == 200)
            #expect(answer.head.values("link").isEmpty)
        }
    }

    @Test
    func `a port nobody listens on is unreachable`() async throws {
        let server = try RawServer { _ in }
        let url = server.url
        server.stop()
        try await withTransfers { transfers in
            let kind = await failureKind {
                try await transfers.perform(OutgoingRequest(.get, url: url))
            }
            #expect(kind == .unreachable)
        }
    }

    @Test
    func `a silent server times out at the first byte, a stalled one between bytes`() async throws {
        let server = try RawServer { connection in
            guard let request = connection.readRequest() else { return }
            if request.path == "/stall" {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            }
            _ = connection.waitForClose(milliseconds: 5_000)
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let timeouts = TransferTimeouts(
                firstByteMilliseconds: 150, idleMilliseconds: 150, totalMilliseconds: 5_000)
            for path in ["/silent", "/stall"] {
                let start = ContinuousClock.now
                let kind = await failureKind {
                    try await transfers.perform(
                        OutgoingRequest(.get, url: server.url + path, timeouts: timeouts))
                }
                #expect(kind == .timedOut)
                let taken = ContinuousClock.now - start
                #expect(taken > .milliseconds(140))
                // Well before the total: it was the shorter time-out that ended it.
                #expect(taken < .milliseconds(4_500))
            }
        }
    }

    @Test
    func `a slow drip runs into the total time-out`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while connection.send("x") { connection.pause(milliseconds: 20) }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let kind = await failureKind {
                try await transfers.perform(
                    OutgoingRequest(
                        .get, url: server.url,
                        timeouts: TransferTimeouts(
                            idleMilliseconds: 5_000, totalMilliseconds: 300)))
            }
            #expect(kind == .timedOut)
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", TransferFailure.Kind.interrupted),
        ("", .interrupted),
        ("SSH-2.0-OpenSSH_9.2\r\n", .malformed),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf", .malformed),
    ])
    func `broken answers are failures`(answer: String, expected: TransferFailure.Kind) async throws
    {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(answer)
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let failure = await #expect(throws: TransferFailure.self) {
                try await transfers.perform(
                    OutgoingRequest(.get, url: server.url, acceptsCompression: true))
            }
            #expect(failure?.kind == expected)
        }
    }

    @Test
    func `heads and bodies beyond their limits are refused`() async throws {
        let server = try RawServer { connection in
            guard let request = connection.readRequest() else { return }
            if request.path == "/head" {
                let field = "X: \(String(repeating: "a", count: 1_000))\r\n"
                connection.send(
                    "HTTP/1.1 200 OK\r\n\(String(repeating: field, count: 100))\r\n")
            } else {
                connection.answer(
                    200, String(repeating: "a", count: Limits.outgoingResponseBytes + 1))
            }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            for path in ["/head", "/body"] {
                let kind = await failureKind {
                    try await transfers.perform(OutgoingRequest(.get, url: server.url + path))
                }
                #expect(kind == .tooLarge)
            }
        }
    }

    @Test(arguments: [
        "file:///etc/passwd", "ftp://127.0.0.1/", "http://127.0.0.1/ HTTP/1.1", "", "127.0.0.1",
        "http://127.0.0.1/\r\nX: y",
    ])
    func `addresses that are no HTTP are refused`(url: String) async throws {
        try await withTransfers { transfers in
            let kind = await failureKind {
                try await transfers.perform(OutgoingRequest(.get, url: url))
            }
            #expect(kind == .invalidRequest)
        }
    }

    @Test(arguments: [("X", "a\r\nY: b"), ("X\r\nY", "a"), ("", "a"), ("X", "a\u{0}")])
    func `header fields that would smuggle others are refused`(name: String, value: String)
        async throws
    {
        try await withTransfers { transfers in
            let kind = await failureKind {
                try await transfers.perform(
                    OutgoingRequest(.get, url: "http://127.0.0.1:1/", headers: [(name, value)]))
            }
            #expect(kind == .invalidRequest)
        }
    }

    @Test
    func `shutting down fails what is under way and refuses what comes`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            _ = connection.waitForClose(milliseconds: 5_000)
        }
        defer { server.stop() }
        let transfers = try HTTPTransfers.start()
        await withTaskGroup(of: TransferFailure.Kind?.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    do {
                        _ = try await transfers.perform(OutgoingRequest(.get, url: server.url))
                        return nil
                    } catch { return (error as? TransferFailure)?.kind }
                }
            }
            while server.connections < 10 { try? await Task.sleep(for: .milliseconds(1)) }
            await transfers.shutdown()
            for await kind in group { #expect(kind == .shutDown) }
        }
        let kind = await failureKind {
            try await transfers.perform(OutgoingRequest(.get, url: server.url))
        }
        #expect(kind == .shutDown)
        await transfers.shutdown()
    }

    /// In a process of its own: the environment must not change under other tests' threads.
    @Test
    func `proxies of the environment are not used`() async {
        await #expect(processExitsWith: .success) {
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            let server = try RawServer { connection in
                _ = connection.readRequest()
                connection.answer(200, "{}")
            }
            let transfers = try HTTPTransfers.start()
            let answer = try await transfers.perform(OutgoingRequest(.get, url: server.url))
            exit(answer.head.status == 200 ? 0 : 1)
        }
    }
}

/// The kind of transfer failure a body ends with; nil if it ends with none.
func failureKind<Value>(_ body: () async throws -> Value) async -> TransferFailure.Kind? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? TransferFailure)?.kind
    }
}
