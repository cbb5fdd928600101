import ServiceContextModule
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// What goes along with calls: traces, interceptors, and servers of a test's own.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ContextTests {
    private let patient = CallOptions(timeoutMilliseconds: 60_000)
    private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    /// Answers with the trace that the call belongs to.
    private var tracePing: HostedMethod {
        .unary(Methods.DiagnosticsService.ping) { (_: V1.PingRequest, call) in
            V1.PingResponse(version: call.userFields["traceparent"] ?? "none")
        }
    }

    @Test func `a trace goes through a server to the servers behind it`() async throws {
        try await withHostedMethods([tracePing]) { behind in
            let front = HostedMethod.unary(Methods.DiagnosticsService.ping) {
                (request: V1.PingRequest, _) in
                try await DiagnosticsServiceClient(behind).ping(
                    request, options: CallOptions(timeoutMilliseconds: 60_000))
            }
            try await withHostedMethods([front]) { client in
                var options = patient
                let untraced = try await DiagnosticsServiceClient(client)
                    .ping(.init(), options: options)
                #expect(untraced.version == "none")
                options.userFields["traceparent"] = Self.trace
                let traced = try await DiagnosticsServiceClient(client)
                    .ping(.init(), options: options)
                #expect(traced.version == Self.trace)
            }
        }
    }

    @Test func `what is no traceparent is not handed on`() async throws {
        let inner = Mutex<String?>(nil)
        let ping = HostedMethod.unary(Methods.DiagnosticsService.ping) {
            (_: V1.PingRequest, _) in
            var fields: [String: String] = [:]
            TraceContext.inject(ServiceContext.current, into: &fields)
            inner.withLock { $0 = fields["traceparent"] }
            return V1.PingResponse()
        }
        try await withHostedMethods([ping]) { client in
            var options = patient
            options.userFields["traceparent"] = "00-evil\n-01"
            _ = try await DiagnosticsServiceClient(client).ping(.init(), options: options)
        }
        #expect(inner.withLock { $0 } == nil)
    }

    /// Notes what it sees under its name, and adds a field.
    private struct Noting: ClientInterceptor {
        let name: String
        let journal: Journal

        func willCall(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
            journal.note("\(name) before \(method.name)")
            options.userFields["seen-by-\(name)"] = "yes"
            if options.authorization == "refuse in \(name)" {
                throw TollgateError(code: "forbidden", message: "Not from here.")
            }
        }

        func didCall(
            _ method: MethodDescriptor, _ options: CallOptions, duration: Duration,
            error: (any Error)?
        ) async {
            journal.note("\(name) after \((error as? TollgateError)?.code ?? "ok")")
        }
    }

    @Test func `interceptors see calls before and after, in order`() async throws {
        let journal = Journal()
        let ping = HostedMethod.unary(Methods.DiagnosticsService.ping) {
            (_: V1.PingRequest, call) in
            journal.note(call.userFields.keys.sorted().joined(separator: " "))
            return V1.PingResponse()
        }
        let interceptors = ["a", "b"].map { Noting(name: $0, journal: journal) }
        try await withHostedMethods([ping], interceptors: interceptors) { client in
            _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            for name in ["b", "a"] {
                let refused = await errorOf {
                    _ = try await DiagnosticsServiceClient(client)
                        .ping(.init(), options: CallOptions(authorization: "refuse in \(name)"))
                }
                #expect(refused?.code == "forbidden")
            }
        }
        // Whoever refused a call is not told so, and who was not asked about it hears nothing.
        #expect(
            journal.all == [
                "a before Ping", "b before Ping", "seen-by-a seen-by-b", "b after ok", "a after ok",
                "a before Ping", "b before Ping", "a after forbidden", "a before Ping",
            ])
    }

    @Test func `a hosted stream ends, breaks and is cancelled like a server's`() async throws {
        let journal = Journal()
        let ask = HostedMethod.serverStreaming(Methods.ChatService.ask) {
            (request: V1.AskRequest, call, stream: HostedStream<V1.AnswerEvent>) in
            do {
                try await stream.write(.init(event: .delta(call.authorization ?? "")))
                if request.turns.isEmpty {
                    throw TollgateError(code: "quota_exhausted", message: "Buy more.")
                }
                if request.turns.count > 1 { try await Task.sleep(for: .seconds(60)) }
                try await stream.write(.init(event: .done(.init(finishReason: "stop"))))
            } catch is CancellationError {
                journal.note("cancelled")
            }
        }
        try await withHostedMethods([ask]) { client in
            let chat = ChatServiceClient(client)
            let options = CallOptions(authorization: "session", timeoutMilliseconds: 60_000)
            func read(_ turns: Int, upTo limit: Int = .max) async throws -> Int {
                let turn = V1.ChatTurn(role: "user", content: "hello")
                let request = V1.AskRequest(turns: Array(repeating: turn, count: turns))
                return try await chat.ask(request, options: options) { stream in
                    var count = 0
                    for try await _ in stream {
                        count += 1
                        if count == limit { break }
                    }
                    return count
                }
            }
            let whole = try await read(1)
            #expect(whole == 2)
            let error = await errorOf { _ = try await read(0) }
            #expect(error?.code == "quota_exhausted")
            let cut = try await read(2, upTo: 1)
            #expect(cut == 1)
            let isCancelled = await journal.wait(for: "cancelled")
            #expect(isCancelled)
        }
    }

    @Test func `a method cannot be hosted twice`() async {
        let error = await errorOf {
            try await withHostedMethods([tracePing, tracePing]) { _ in }
        }
        #expect(error?.code == "invalid_request")
    }
}
