import Chat
import Foundation
import Gateways
import Synchronization
import Testing
import TollgateKernel

@Suite(.timeLimit(.minutes(2)))
struct OpenAICompatibleGatewayTests {
    @Test
    func `a request holds what the provider needs and nothing else`() async throws {
        let seen = Mutex<RawRequest?>(nil)
        let server = try RawServer { connection in
            let request = connection.readRequest()
            seen.withLock { $0 = request }
            connection.send(Recording.head + Recording.whole)
        }
        defer { server.stop() }
        let events = try await collect(from: server)
        #expect(events == Recording.events)
        let request = try #require(seen.withLock { $0 })
        #expect(request.line == "POST /v1/chat/completions HTTP/1.1")
        #expect(request.header("authorization") == "Bearer sk-test")
        #expect(request.header("content-type") == "application/json")
        #expect(request.header("accept") == "text/event-stream")
        #expect(request.header("x-request-id") == "correlation-1")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == #"{"model":"upstream","messages":[{"role":"system","content":"Be brief."},"#
                + #"{"role":"user","content":"Say \"你好\"\n"}],"stream":true,"#
                + #""stream_options":{"include_usage":true},"max_tokens":256}"#)
    }

    @Test
    func `a stream cut at any byte is truncated, and only the whole one finishes`() async throws {
        let bytes = Array(Recording.whole.utf8)
        let server = try RawServer { connection in
            guard let request = connection.readRequest(),
                let cut = Int(request.path.split(separator: "/").first ?? "")
            else { return }
            connection.send(Array(Recording.head.utf8) + bytes[..<cut])
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            for cut in 0...bytes.count {
                let received = Mutex<[ModelEvent]>([])
                let kind = await modelFailure {
                    try await gateway(transfers).stream(
                        Recording.request, from: endpoint(server, path: "/\(cut)")
                    ) { event in received.withLock { $0.append(event) } }
                }
                let events = joined(received.withLock { $0 })
                if cut == bytes.count {
                    #expect(kind == nil)
                    #expect(events == Recording.events)
                } else {
                    #expect(kind == .truncated)
                    #expect(events.count < Recording.events.count)
                    #expect(events.allSatisfy { Recording.beginnings.contains($0) })
                }
            }
        }
    }

    @Test
    func `a chunked or measured body cut short is truncated too`() async throws {
        for head in ["Content-Length: 10000", "Transfer-Encoding: chunked"] {
            let server = try RawServer { connection in
                _ = connection.readRequest()
                let body =
                    head.hasPrefix("T") ? "1f4\r\n" + Recording.firstHalf : Recording.firstHalf
                connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\(head)\r\n\r\n\(body)")
            }
            defer { server.stop() }
            let kind = await modelFailure { try await collect(from: server) }
            #expect(kind == .truncated)
        }
    }

    @Test
    func `a stream in single bytes with comments and other line ends is the same stream`()
        async throws
    {
        let server = try RawServer { connection in
            let path = connection.readRequest()?.path ?? ""
            connection.send(Recording.head)
            var text = ": ping\n\n" + Recording.whole
            if path.hasPrefix("/crlf") { text = text.replacingOccurrences(of: "\n", with: "\r\n") }
            if path.hasPrefix("/cr/") { text = text.replacingOccurrences(of: "\n", with: "\r") }
            for byte in Array(text.utf8) { connection.send([byte]) }
        }
        defer { server.stop() }
        for path in ["/lf", "/cr", "/crlf"] {
            #expect(joined(try await collect(from: server, path: path)) == Recording.events)
        }
    }

    @Test
    func `what arrives together leaves together, and what comes later is not waited for`()
        async throws
    {
        let seen = Mutex<[ModelEvent]>([])
        let server = try RawServer { connection in
            _ = connection.readRequest()
            let half = Recording.delta("a") + Recording.delta("b")
            connection.send(Recording.head + half)
            // The second half is sent only once the first has come out at the other end.
            while seen.withLock({ $0.isEmpty }) { usleep(1_000) }
            connection.send(half + "data: [DONE]\n\n")
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            try await gateway(transfers).stream(Recording.request, from: endpoint(server)) {
                event in seen.withLock { $0.append(event) }
            }
        }
        let events = seen.withLock { $0 }
        #expect(
            events == [.delta("ab"), .delta("ab"), .finished(reason: "unknown", usage: nil)])
    }

    @Test
    func `a compressed stream is undone`() async throws {
        let compressed = try #require(
            Data(base64Encoded: Recording.compressed).map { [UInt8]($0) })
        let server = try RawServer { connection in
            let request = connection.readRequest()
            #expect(request?.header("accept-encoding") == "gzip, deflate")
            connection.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                    + "Content-Encoding: gzip\r\n\r\n")
            connection.send(compressed)
        }
        defer { server.stop() }
        #expect(
            try await collect(from: server)
                == [.delta("zip"), .finished(reason: "stop", usage: nil)])
    }

    @Test(arguments: [
        (401, "", ModelGatewayFailure.Kind.rejectedKey),
        (403, #"{"error":{"code":"account_deactivated"}}"#, .rejectedKey),
        (402, "", .rejectedKey), (400, "{}", .invalidRequest), (404, "<html>", .unknownModel),
        (404, #"{"error":{"code":"account_deactivated"}}"#, .rejectedKey), (405, "", .unknownModel),
        (410, "", .unknownModel), (400, #"{"error":{"code":"1211"}}"#, .unknownModel),
        (400, #"{"error":{"code":"model_not_found"}}"#, .unknownModel), (413, "", .invalidRequest),
        (422, #"{"error":null}"#, .invalidRequest),
        (400, #"{"error":{"code":"1113"}}"#, .rejectedKey),
        (429, #"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#, .overloaded),
        (
            429, #"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#,
            .rejectedKey
        ),
        (429, #"{"error":{"code":"1302","message":"x"}}"#, .overloaded),
        (429, #"{"error":{"code":"1308"}}"#, .rejectedKey),
        (429, #"{"error":"busy"}"#, .overloaded),
        (408, "", .timedOut), (500, "", .serverError), (502, "<html>bad</html>", .serverError),
        (503, #"{"error":{"type":"overloaded_error"}}"#, .overloaded), (302, "", .malformed),
        (204, "", .malformed),
    ])
    func `a status means what the port says`(
        status: Int, body: String, kind: ModelGatewayFailure.Kind
    ) async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil { connection.answer(status, body) }
        }
        defer { server.stop() }
        let failure = await #expect(throws: ModelGatewayFailure.self) {
            try await collect(from: server)
        }
        #expect(failure?.kind == kind)
        #expect(failure?.status == status)
    }

    @Test(
        arguments: [
            ("Retry-After: 7\r\n", 7_000), ("Retry-After: 0\r\n", 0), ("", nil),
            ("Retry-After: 1000000000\r\n", nil), ("Retry-After: soon\r\n", nil),
            ("Retry-After: -1\r\n", nil), ("Retry-After: 99999999999999999999999\r\n", nil),
            ("Retry-After: Thu, 01 Jan 2026 00:00:30 GMT\r\n", 30_000),
            ("Retry-After: Wed, 31 Dec 2025 00:00:30 GMT\r\n", 0),
            ("Retry-After: 9\r\nRetry-After-Ms: 250\r\n", 250),
            ("Retry-After: 9\r\nRetry-After-Ms: x\r\n", 9_000),
            ("Retry-After: 1\r\nRetry-After: 2\r\n", nil),
        ] as [(String, Int64?)])
    func `Retry-After is believed when it makes sense`(headers: String, expected: Int64?)
        async throws
    {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.answer(429, "{}", headers: headers)
        }
        defer { server.stop() }
        let failure = await #expect(throws: ModelGatewayFailure.self) {
            try await collect(from: server)
        }
        #expect(failure?.kind == .overloaded)
        #expect(failure?.retryAfterMilliseconds == expected)
    }

    @Test(arguments: [
        ("text/html", "<html>Please sign in</html>", ModelGatewayFailure.Kind.malformed),
        ("application/json", #"{"choices":[]}"#, .malformed),
        ("text/event-stream", "data: <html>\n\n", .malformed),
        ("text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"a\n\n", .malformed),
        ("text/event-stream", "data: {\"choices\":{}}\n\n", .malformed),
        ("text/event-stream", "data: []\n\n", .malformed),
        (
            "text/event-stream", "data: {\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n",
            .overloaded
        ),
        ("text/event-stream", "data: {\"error\":{\"code\":1301}}\n\n", .invalidRequest),
        ("text/event-stream", "event: error\ndata: {\"error\":\"x\"}\n\n", .serverError),
        ("text/event-stream", "", .truncated),
    ])
    func `an answer that is no such stream fails in its own way`(
        type: String, body: String, kind: ModelGatewayFailure.Kind
    ) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.answer(200, type: type, body)
        }
        defer { server.stop() }
        let failure = await modelFailure { try await collect(from: server) }
        #expect(failure == kind)
    }

    @Test
    func `an error after some text ends the stream with that error`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(
                Recording.head + "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
                    + "data: {\"error\":{\"message\":\"sk-secret\",\"type\":\"server_error\"}}\n\n"
                    + "data: [DONE]\n\n")
        }
        defer { server.stop() }
        let received = Mutex<[ModelEvent]>([])
        let failure = await #expect(throws: ModelGatewayFailure.self) {
            try await withTransfers { transfers in
                try await gateway(transfers).stream(
                    Recording.request, from: endpoint(server)
                ) { event in received.withLock { $0.append(event) } }
            }
        }
        #expect(failure?.kind == .serverError)
        #expect(failure?.message.contains("sk-secret") == false)
        #expect(received.withLock { $0 } == [.delta("a")])
    }

    @Test(
        arguments: [
            (#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#, [3, 4]),
            (#"{"prompt_tokens":3,"completion_tokens":0}"#, [3, 0]),
            (#"{"prompt_tokens":-3,"completion_tokens":4}"#, nil),
            (#"{"prompt_tokens":3,"completion_tokens":-4}"#, nil),
            (#"{"prompt_tokens":0,"completion_tokens":4}"#, nil),
            (#"{"prompt_tokens":3,"completion_tokens":99999999999999}"#, nil),
            (#"{"prompt_tokens":3,"completion_tokens":1e400}"#, nil),
            (#"{"prompt_tokens":"3","completion_tokens":4}"#, nil), (#"{"prompt_tokens":3}"#, nil),
            ("null", nil), ("[]", nil),
            (
                #"null}\#n\#ndata: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\#n\#n"#
                    + #"data: {"usage":{"prompt_tokens":5,"completion_tokens":6}"#, [5, 6]
            ),
            (
                #"{"prompt_tokens":5,"completion_tokens":6}}\#n\#n"#
                    + #"data: {"usage":{"prompt_tokens":5,"completion_tokens":0}"#, [5, 6]
            ),
        ] as [(String, [Int64]?)])
    func `usage is taken when it makes sense, the last one counting`(
        usage: String, expected: [Int64]?
    ) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(
                Recording.head
                    + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],"
                    + "\"usage\":\(usage)}\n\ndata: [DONE]\n\n")
        }
        defer { server.stop() }
        let counted = expected.map { TokenUsage(promptTokens: $0[0], completionTokens: $0[1]) }
        #expect(
            try await collect(from: server) == [.finished(reason: "length", usage: counted)])
    }

    @Test
    func `one answer too many is refused here, and no word falls on the provider`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            _ = connection.waitForClose(milliseconds: 30_000)
        }
        defer { server.stop() }
        try await withTransfers(HTTPTransfers.Configuration(mostTransfers: 1)) { transfers in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await gateway(transfers).stream(
                        Recording.request, from: endpoint(server)
                    ) { _ in }
                }
                while server.connections < 1 { try await Task.sleep(for: .milliseconds(1)) }
                let refused = await #expect(throws: Failure.self) {
                    try await gateway(transfers).stream(
                        Recording.request, from: endpoint(server)
                    ) { _ in }
                }
                #expect(refused?.code == .unavailable)
                #expect(refused?.retryAfterMilliseconds == Limits.outgoingRetryMilliseconds)
                group.cancelAll()
                await #expect(throws: (any Error).self) { try await group.next() }
            }
        }
    }

    @Test
    func `text that cost no token was not counted`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(
                Recording.head + Recording.delta("a")
                    + "data: {\"choices\":[],\"usage\":"
                    + "{\"prompt_tokens\":9,\"completion_tokens\":0}}\n\ndata: [DONE]\n\n")
        }
        defer { server.stop() }
        #expect(
            try await collect(from: server)
                == [.delta("a"), .finished(reason: "unknown", usage: nil)])
    }

    @Test(arguments: [
        ("stop", "stop"), ("length", "length"), ("sensitive", "content_filter"),
        ("content_filter", "content_filter"), ("tool_calls", "tool_calls"), ("mood", "unknown"),
    ])
    func `a reason is one of a few words`(sent: String, told: String) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(Recording.head + Recording.end(because: sent))
        }
        defer { server.stop() }
        #expect(try await collect(from: server) == [.finished(reason: told, usage: nil)])
    }

    @Test(arguments: ["network_error", "insufficient_system_resource"])
    func `an answer its provider broke off is not whole, whatever ends the stream`(
        reason: String
    ) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(
                Recording.head + Recording.delta("a") + Recording.end(because: reason))
        }
        defer { server.stop() }
        #expect(await modelFailure { try await collect(from: server) } == .truncated)
    }

    @Test
    func `a stall is a time-out`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(Recording.head + Recording.firstHalf)
            _ = connection.waitForClose(milliseconds: 5_000)
        }
        defer { server.stop() }
        let kind = await modelFailure {
            try await withTransfers { transfers in
                try await gateway(transfers, idleMilliseconds: 150).stream(
                    Recording.request, from: endpoint(server)
                ) { _ in }
            }
        }
        #expect(kind == .timedOut)
    }

    @Test
    func `an event without end is malformed long before memory is short`() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(Recording.head + "data: ")
            let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 65_536)
            for _ in 0..<160 where connection.send(piece) {}
        }
        defer { server.stop() }
        let kind = await modelFailure { try await collect(from: server) }
        #expect(kind == .malformed)
    }

    @Test
    func `leaving while an event is handled closes the connection at once`() async throws {
        struct Leave: Error {}
        let closed = Mutex<ContinuousClock.Instant?>(nil)
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(Recording.head + Recording.firstHalf)
            if connection.waitForClose(milliseconds: 5_000) { closed.withLock { $0 = .now } }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let taken = try await fastestOfThree {
                closed.withLock { $0 = nil }
                let left = Mutex<ContinuousClock.Instant?>(nil)
                _ = await #expect(throws: Leave.self) {
                    try await gateway(transfers).stream(
                        Recording.request, from: endpoint(server)
                    ) { _ in
                        left.withLock { $0 = .now }
                        throw Leave()
                    }
                }
                let end = try await eventually { closed.withLock { $0 } }
                return end - (try #require(left.withLock { $0 }))
            }
            // A goal of 100 ms; a busy machine gets slack, short of the server giving up.
            #expect(taken < .milliseconds(4_000))
        }
    }

    @Test
    func `an unreachable provider says so`() async throws {
        let server = try RawServer { _ in }
        server.stop()
        let kind = await modelFailure { try await collect(from: server) }
        #expect(kind == .unreachable)
    }

    @Test
    func `finished answers leave their connection for the next`() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                let body = Recording.whole
                connection.answer(200, type: "text/event-stream", body)
            }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            for _ in 0..<10 {
                try await gateway(transfers).stream(
                    Recording.request, from: endpoint(server)
                ) { _ in }
            }
        }
        #expect(server.connections == 1)
    }
}

// MARK: Helpers

private func gateway(_ transfers: HTTPTransfers, idleMilliseconds: Int64 = 5_000)
    -> OpenAICompatibleGateway
{
    OpenAICompatibleGateway(
        transfers: transfers, clock: FixedClock(moment: Timestamp(seconds: 1_767_225_600)),
        timeouts: TransferTimeouts(
            firstByteMilliseconds: 5_000, idleMilliseconds: idleMilliseconds,
            totalMilliseconds: 10_000))
}

private func endpoint(_ server: RawServer, path: String = "") -> ModelEndpoint {
    ModelEndpoint(
        channel: "test", kind: .openAICompatible, baseURL: server.url + path + "/v1",
        apiKey: "sk-test")
}

private func collect(from server: RawServer, path: String = "") async throws -> [ModelEvent] {
    try await withTransfers { transfers in
        var events: [ModelEvent] = []
        try await gateway(transfers).stream(
            Recording.request, from: endpoint(server, path: path)
        ) { events.append($0) }
        return events
    }
}

/// The events with the texts of neighbouring deltas put together: how an answer was cut on its way
/// is no property of it.
private func joined(_ events: [ModelEvent]) -> [ModelEvent] {
    events.reduce(into: []) { result, event in
        if case .delta(let text) = event, case .delta(let before) = result.last {
            result[result.count - 1] = .delta(before + text)
        } else {
            result.append(event)
        }
    }
}

private func modelFailure<Value>(_ body: () async throws -> Value) async
    -> ModelGatewayFailure.Kind?
{
    do {
        _ = try await body()
        return nil
    } catch {
        #expect(error is ModelGatewayFailure)
        return (error as? ModelGatewayFailure)?.kind
    }
}

/// A short stream in OpenAI's form.
private enum Recording {
    static let request = ModelRequest(
        upstreamModel: "upstream",
        messages: [
            ChatMessage(role: .system, content: "Be brief."),
            ChatMessage(role: .user, content: "Say \"你好\"\n"),
        ], maxTokens: 256, correlationID: "correlation-1")

    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    /// The last events of an answer that ended because of `reason`.
    static func end(because reason: String) -> String {
        #"data: {"choices":[{"delta":{},"finish_reason":"\#(reason)"}]}"# + "\n\ndata: [DONE]\n\n"
    }

    static let firstHalf = """
        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[\
        {"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}

        data: {"choices":[{"index":0,"delta":{"content":"你"},"logprobs":null,"finish_reason":null}]}


        """

    static let whole =
        firstHalf + """
            data: {"choices":[{"index":0,"delta":{"content":"\\u597d\\n"}}],"obfuscation":"aa"}

            data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}

            data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,\
            "total_tokens":11,"prompt_tokens_details":{"cached_tokens":0}}}

            data: [DONE]


            """

    static let events: [ModelEvent] = [
        .delta("你好\n"),
        .finished(
            reason: "stop", usage: TokenUsage(promptTokens: 9, completionTokens: 2)),
    ]

    /// What may have come of it when it broke off.
    static let beginnings: [ModelEvent] = [.delta("你"), .delta("你好\n")]

    /// An event with a piece of text.
    static func delta(_ text: String) -> String {
        "data: {\"choices\":[{\"delta\":{\"content\":\"\(text)\"}}]}\n\n"
    }

    /// `data: {"choices":[{"delta":{"content":"zip"},"finish_reason":"stop"}]}`, a blank line and
    /// `data: [DONE]`, compressed by gzip.
    static let compressed =
        "H4sIAAAAAAACA0tJLEm0UqhWSs7Iz0xOLVayiq5WSknNKUlUsgIK5ueVpOaVKFkpVWUWKNXqKKVl"
        + "5mUWZ8QXpSYW5+cBhYtL8oHisbVcXClgc6Jd/P1cY7m4ACo/m55WAAAA"
}
