import CTollgate
import Dispatch
import Foundation
import Synchronization
import Testing
import TollgateC
import TollgateClient
import TollgateKernel
import TollgateRPC

/// The interface for C, called as C calls it: from a thread of its own, over a real socket.
@Suite(.serialized, .timeLimit(.minutes(2))) struct CInterfaceTests {
    private struct AnyCredential: CredentialVerifier {
        func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
            ConnectionIdentity(name: "web", role: .web)
        }
    }

    private var services: [ServiceRegistration] {
        [
            ServiceRegistration(
                name: "tollgate.v1.DiagnosticsService",
                methods: [
                    .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, context) in
                        if request.payload == [0xff] { try await Self.hang() }
                        if request.payload == [0xfe] {
                            Self.refused.signal()
                            throw RPCError(
                                code: RPCError.Code.overcrowded, text: "Much later.",
                                isNotProcessed: true, retryAfterMilliseconds: 20_000)
                        }
                        let attachment = context.attachmentBytes
                        if !attachment.isEmpty { context.setResponseAttachment(attachment + [0]) }
                        context.setTrailers(["a": context.userFields["a"] ?? "none", "b": ""])
                        return V1.PingResponse(payload: request.payload)
                    }
                ]),
            ServiceRegistration(
                name: "tollgate.v1.ChatService",
                methods: [
                    .serverStreaming(Methods.ChatService.ask) {
                        (
                            request: V1.AskRequest, context,
                            writer: ServerStreamWriter<V1.AnswerEvent>
                        )
                        in
                        guard context.authorization == "session" else {
                            throw Failure(
                                .rateLimited, "Wait a little.", retryAfterMilliseconds: 250)
                        }
                        for word in (request.turns.first?.content ?? "").split(separator: " ") {
                            if word == "hang" { try await Self.hang() }
                            try await writer.write(.init(event: .delta(String(word))))
                        }
                        try await writer.write(.init(event: .done(.init(finishReason: "stop"))))
                    }
                ]),
        ]
    }

    /// Signalled by each handler that asks for another attempt much later.
    private static let refused = DispatchSemaphore(value: 0)
    /// Signalled by each handler that hangs.
    private static let hanging = DispatchSemaphore(value: 0)

    private static func hang() async throws {
        hanging.signal()
        try await Task.sleep(for: .seconds(60))
    }

    /// Runs `body` on a thread that may block, with the address of a server.
    private func onThread<Result: Sendable>(
        _ body: @escaping @Sendable (String) -> Result
    ) async throws -> Result {
        var configuration = RPCServerConfiguration(credentials: .verified(by: AnyCredential()))
        configuration.port = 0
        return try await withRPCServer(configuration, services: services) { server in
            let address = try #require(try await server.address).description
            return await withCheckedContinuation { continuation in
                Thread.detachNewThread { continuation.resume(returning: body(address)) }
            }
        }
    }

    private static func text(_ bytes: tollgate_error) -> String {
        withUnsafeBytes(of: bytes.code) { raw in
            String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static func message(_ bytes: tollgate_error) -> String {
        withUnsafeBytes(of: bytes.message) { raw in
            String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    @Test func `a call in JSON and one in bytes are answered`() async throws {
        let (json, bytes) = try await onThread { address -> (String?, [UInt8]?) in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            let answer = tollgate_call_json(
                client, "tollgate.v1.DiagnosticsService/Ping", #"{"payload": "AQI="}"#, nil, nil)
            defer { tollgate_free(answer) }
            var length = 0
            let request: [UInt8] = [0x0a, 2, 1, 2]
            let raw = tollgate_call_bytes(
                client, "tollgate.v1.DiagnosticsService/Ping", request, request.count, nil,
                &length, nil)
            defer { tollgate_free(raw) }
            return (
                answer.map { String(cString: $0) },
                raw.map { Array(UnsafeBufferPointer(start: $0, count: length)) }
            )
        }
        #expect(json?.contains(#""payload":"AQI=""#) == true, "\(json ?? "nothing")")
        #expect(bytes.map { Array($0.prefix(4)) } == [0x0a, 2, 1, 2])
    }

    @Test func `bytes and metadata go beside a message, and others come back`() async throws {
        let seen = try await onThread { address -> [String] in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            return "a".withCString { name in
                "value".withCString { value in
                    var field = tollgate_field(name: name, value: value)
                    var options = tollgate_options()
                    return withUnsafePointer(to: &field) { fields -> [String] in
                        options.fields = fields
                        options.field_count = 1
                        var answer = tollgate_answer()
                        let status = tollgate_exchange(
                            client, "tollgate.v1.DiagnosticsService/Ping", nil, 0, [1, 2, 3], 3,
                            &options, &answer, nil)
                        defer { tollgate_answer_clear(&answer) }
                        let attachment = UnsafeBufferPointer(
                            start: answer.attachment, count: answer.attachment_length)
                        let entries = UnsafeBufferPointer(
                            start: answer.fields, count: answer.field_count)
                        return ["\(status)", "\(Array(attachment))"]
                            + entries.map {
                                "\(String(cString: $0.name))=\(String(cString: $0.value))"
                            }
                    }
                }
            }
        }
        #expect(seen == ["0", "[1, 2, 3, 0]", "a=value", "b="])
    }

    @Test func `an answer with nothing beside it has no NULL, and can be cleared twice`()
        async throws
    {
        let seen = try await onThread { address -> [Bool] in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            var answer = tollgate_answer()
            let status = tollgate_exchange(
                client, "tollgate.v1.DiagnosticsService/Ping", nil, 0, nil, 0, nil, &answer, nil)
            let isThere = answer.message != nil && answer.attachment != nil
            let isEmpty = answer.attachment_length == 0
            tollgate_answer_clear(&answer)
            let isCleared = answer.message == nil && answer.fields == nil
            tollgate_answer_clear(&answer)
            tollgate_answer_clear(nil)
            return [status == 0, isThere, isEmpty, isCleared]
        }
        #expect(seen == [true, true, true, true])
    }

    /// Such a call is on no connection: nothing but its client's end ends it before its time.
    @Test func `a client that is closed ends a call that waits for its next attempt`() async throws
    {
        let code = try await onThread { address -> String in
            let client = tollgate_connect(address, "key", nil)
            let number = UInt(bitPattern: client)
            let caller = DispatchGroup()
            let code = Mutex("")
            caller.enter()
            Thread.detachNewThread {
                var options = tollgate_options()
                options.timeout_milliseconds = 60_000
                var error = tollgate_error()
                let answer = tollgate_call_json(
                    OpaquePointer(bitPattern: number), "tollgate.v1.DiagnosticsService/Ping",
                    #"{"payload": "/g=="}"#, &options, &error)
                tollgate_free(answer)
                code.withLock { $0 = answer == nil ? Self.text(error) : "answered" }
                caller.leave()
            }
            Self.refused.wait()
            tollgate_close(client)
            caller.wait()
            return code.withLock { $0 }
        }
        // An attempt that was made after all would have found no client to connect with.
        #expect(code == "cancelled")
    }

    @Test func `another thread cancels a call and a stream, and what begins later`() async throws {
        let codes = try await onThread { address -> [String] in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            let number = UInt(bitPattern: client)
            let canceller = tollgate_canceller_create()
            let cancellerNumber = UInt(bitPattern: canceller)
            let callers = DispatchGroup()
            let codes = Mutex<[String]>([])
            func begin(_ call: @escaping @Sendable (inout tollgate_options) -> String) {
                callers.enter()
                Thread.detachNewThread {
                    var options = tollgate_options()
                    options.canceller = OpaquePointer(bitPattern: cancellerNumber)
                    let code = call(&options)
                    codes.withLock { $0.append(code) }
                    callers.leave()
                }
            }
            let hang: @Sendable (inout tollgate_options) -> String = { options in
                var error = tollgate_error()
                let answer = tollgate_call_json(
                    OpaquePointer(bitPattern: number), "tollgate.v1.DiagnosticsService/Ping",
                    #"{"payload": "/w=="}"#, &options, &error)
                tollgate_free(answer)
                return answer == nil ? Self.text(error) : "answered"
            }
            begin(hang)
            begin { options in
                var error = tollgate_error()
                let status = "session".withCString { session in
                    options.authorization = session
                    return tollgate_stream_json(
                        OpaquePointer(bitPattern: number), "tollgate.v1.ChatService/Ask",
                        #"{"turns": [{"role": "user", "content": "one hang"}]}"#, &options,
                        { _, _ in 0 }, nil, &error)
                }
                return status == 0 ? "answered" : Self.text(error)
            }
            Self.hanging.wait()
            Self.hanging.wait()
            tollgate_cancel(canceller)
            callers.wait()
            var options = tollgate_options()
            options.canceller = canceller
            codes.withLock { $0.append(hang(&options)) }
            tollgate_canceller_destroy(canceller)
            // What it was is no canceller any more, and is not taken for one.
            codes.withLock { $0.append(hang(&options)) }
            tollgate_cancel(canceller)
            tollgate_canceller_destroy(canceller)
            tollgate_canceller_destroy(nil)
            return codes.withLock { $0 }
        }
        #expect(codes == ["cancelled", "cancelled", "cancelled", "invalid_request"])
    }

    @Test func `a stream's messages come one by one, until the callback has enough`()
        async throws
    {
        let counts = try await onThread { address -> [Int32] in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            return [Int32(100), 2].flatMap { limit -> [Int32] in
                var state = (seen: Int32(0), limit: limit)
                let request = #"{"turns": [{"role": "user", "content": "one two three"}]}"#
                let status = "session".withCString { session in
                    var options = tollgate_options()
                    options.authorization = session
                    return tollgate_stream_json(
                        client, "tollgate.v1.ChatService/Ask", request, &options,
                        { _, context in
                            guard
                                let state = context?.assumingMemoryBound(
                                    to: (seen: Int32, limit: Int32).self)
                            else { return 1 }
                            state.pointee.seen += 1
                            return state.pointee.seen == state.pointee.limit ? 1 : 0
                        }, &state, nil)
                }
                return [status, state.seen]
            }
        }
        #expect(counts == [0, 4, 0, 2])
    }

    @Test func `a stream's window has a byte at least`() async throws {
        let seen = try await onThread { address -> [String] in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            return [Int64(-1), 1].map { window in
                let request = #"{"turns": [{"role": "user", "content": "one two"}]}"#
                var error = tollgate_error()
                let status = "session".withCString { session in
                    var options = tollgate_options()
                    options.authorization = session
                    options.window_bytes = window
                    return tollgate_stream_json(
                        client, "tollgate.v1.ChatService/Ask", request, &options, { _, _ in 0 },
                        nil, &error)
                }
                return status == 0 ? "answered" : Self.text(error)
            }
        }
        #expect(seen == ["invalid_request", "answered"])
    }

    @Test func `errors have a code, a status and a pause`() async throws {
        let error = try await onThread { address -> tollgate_error in
            let client = tollgate_connect(address, "key", nil)
            defer { tollgate_close(client) }
            var error = tollgate_error()
            let status = tollgate_stream_json(
                client, "tollgate.v1.ChatService/Ask", "{}", nil, { _, _ in 0 }, nil, &error)
            #expect(status == -1)
            return error
        }
        #expect(Self.text(error) == "unauthenticated")
        #expect(error.http_status == 401)
        #expect(error.retry_after_milliseconds == -1)
    }

    @Test func `closing waits for a call whose callback still runs, and refuses new ones`()
        async throws
    {
        let seen = try await onThread { address -> [String] in
            let client = tollgate_connect(address, "key", nil)
            let number = UInt(bitPattern: client)
            let progress = CallbackProgress()
            let callers = DispatchGroup()
            Self.begin(callers) {
                let request = #"{"turns": [{"role": "user", "content": "one two three"}]}"#
                let status = "session".withCString { session in
                    var options = tollgate_options()
                    options.authorization = session
                    return tollgate_stream_json(
                        OpaquePointer(bitPattern: number), "tollgate.v1.ChatService/Ask", request,
                        &options,
                        { _, context in
                            guard let context else { return 1 }
                            let progress = Unmanaged<CallbackProgress>.fromOpaque(context)
                                .takeUnretainedValue()
                            progress.hasBegun.signal()
                            progress.mayEnd.wait()
                            progress.note("callback ended")
                            return 1
                        }, Unmanaged.passUnretained(progress).toOpaque(), nil)
                }
                progress.note("call returned \(status)")
            }
            progress.hasBegun.wait()
            Self.begin(callers) {
                tollgate_close(OpaquePointer(bitPattern: number))
                progress.note("closed")
            }
            let ping = "tollgate.v1.DiagnosticsService/Ping"
            var error = tollgate_error()
            // Until the client is closing, calls are answered or fail with their connection.
            while Self.text(error) != "cancelled" {
                tollgate_free(tollgate_call_json(client, ping, "{}", nil, &error))
            }
            progress.note(Self.text(error))
            // Long enough for a close that waits for nobody.
            Thread.sleep(forTimeInterval: 0.1)
            progress.mayEnd.signal()
            callers.wait()
            tollgate_close(client)
            _ = tollgate_call_json(client, ping, "{}", nil, &error)
            progress.note(Self.text(error))
            return progress.all
        }
        #expect(seen.first == "cancelled")
        #expect(seen.last == "cancelled")
        #expect(seen.dropFirst().first == "callback ended")
        #expect(Set(seen.dropFirst(2).dropLast()) == ["call returned 0", "closed"])
    }

    private static func begin(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread {
            body()
            group.leave()
        }
    }

    @Test func `what makes no sense is refused without a server`() async throws {
        var error = tollgate_error()
        #expect(tollgate_connect(nil, nil, &error) == nil)
        #expect(Self.text(error) == "invalid_request")
        #expect(tollgate_connect("nowhere", nil, &error) == nil)
        #expect(Self.text(error) == "invalid_request")
        #expect(tollgate_call_json(nil, "x", "{}", nil, &error) == nil)
        let client = tollgate_connect("127.0.0.1:1", nil, nil)
        let stream = "tollgate.v1.ChatService/Ask"
        #expect(tollgate_call_json(client, "no.such/Method", "{}", nil, &error) == nil)
        #expect(tollgate_call_json(client, stream, "{}", nil, &error) == nil)
        let ping = "tollgate.v1.DiagnosticsService/Ping"
        #expect(tollgate_call_json(client, ping, "{", nil, &error) == nil)
        #expect(tollgate_call_json(client, ping, nil, nil, nil) == nil)
        var options = tollgate_options()
        options.field_count = 1
        #expect(tollgate_call_json(client, ping, "{}", &options, &error) == nil)
        #expect(tollgate_exchange(client, ping, nil, 0, nil, 0, nil, nil, &error) == -1)
        #expect(Self.text(error) == "invalid_request")
        var answer = tollgate_answer()
        #expect(tollgate_exchange(client, ping, nil, 0, nil, 1, nil, &answer, &error) == -1)
        #expect(Self.message(error).contains("attachment"))
        tollgate_close(client)
        tollgate_close(nil)
        tollgate_free(nil)
        #expect(tollgate_api_version() == TOLLGATE_API_VERSION)
    }
}

/// How far a callback has come, and in which order things happened.
private final class CallbackProgress: Sendable {
    let hasBegun = DispatchSemaphore(value: 0)
    let mayEnd = DispatchSemaphore(value: 0)
    private let events: Mutex<[String]> = Mutex([])

    func note(_ event: String) { events.withLock { $0.append(event) } }

    var all: [String] { events.withLock { $0 } }
}
