import NIOCore
import TollgateKernel
import TollgateRPC
import TollgateWire

/// A service whose messages have a form in JSON: `{"text": …, "number": …}`.
enum HTTPTestService {
    static let shape = MessageDescriptor(
        name: "test.Text",
        fields: [
            FieldDescriptor(name: "text", jsonName: "text", number: 1, kind: .string),
            FieldDescriptor(name: "number", jsonName: "number", number: 2, kind: .int64),
        ])

    static func method(
        _ name: String, access: MethodDescriptor.Access = .connection, roles: [ServiceRole] = [],
        streaming: MethodDescriptor.Streaming = .unary
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "test.Texts", name: name, access: access, roles: roles, isIdempotent: false,
            defaultDeadlineMilliseconds: 60_000, streaming: streaming, request: shape,
            response: shape)
    }

    /// A message's bytes.
    static func bytes(_ json: String) throws -> ByteBuffer {
        ByteBuffer(bytes: try WireJSON.bytes(of: json, as: shape))
    }

    /// A text whose JSON is not made on an event loop.
    static let longText = String(repeating: "z", count: 100_000)

    /// Characters of an answer that no kernel keeps for a peer that does not read.
    static let hugeCount = 7 * 1_024 * 1_024

    private static let huge = MethodRegistration.raw(method("Huge")) { _, _ in
        try bytes("{\"text\":\"\(String(repeating: "z", count: hugeCount))\"}")
    }

    static func registration(_ events: Events) -> ServiceRegistration {
        typealias Answer = @Sendable (ByteBuffer, ServerCallContext) async throws -> ByteBuffer
        let echo: Answer = { body, _ in body }
        return ServiceRegistration(
            name: "test.Texts",
            methods: [
                .raw(method("Echo"), echo),
                .raw(method("SignedIn", access: .user)) { _, context in
                    try bytes("{\"text\":\"\(context.authorization ?? "")\"}")
                },
                .raw(method("JobsOnly", access: .service, roles: [.jobs]), echo),
                .raw(method("Fail")) { _, _ in
                    throw Failure(.quotaExhausted, "Buy \"more\".", retryAfterMilliseconds: 1_500)
                },
                .raw(method("Gated")) { body, _ in
                    events.report("gated started")
                    guard await events.wait(for: "gate opened") else { throw SecretError() }
                    return body
                },
                .raw(method("Long")) { _, _ in
                    events.report("long answered")
                    return try bytes("{\"text\":\"\(longText)\"}")
                },
                huge,
                .raw(method("Hang")) { body, _ in
                    try await Task.sleep(for: .seconds(60))
                    return body
                },
                .rawServerStreaming(method("Count", streaming: .serverStreaming)) { _, _, stream in
                    for number in 1...3 {
                        try await stream.write(try bytes("{\"number\":\"\(number)\"}"))
                    }
                },
                .rawServerStreaming(method("LongEvents", streaming: .serverStreaming)) {
                    _, _, stream in
                    for text in ["first", longText, "third", longText, "fifth"] {
                        try await stream.write(try bytes("{\"text\":\"\(text)\"}"))
                    }
                    events.report("long events written")
                },
                .rawServerStreaming(method("FailLate", streaming: .serverStreaming)) {
                    _, _, stream in
                    try await stream.write(try bytes("{\"text\":\"part\"}"))
                    throw Failure(.upstreamFailed, "The model broke off.")
                },
                .rawServerStreaming(method("HangStream", streaming: .serverStreaming)) {
                    _, _, stream in
                    try await stream.write(try bytes("{\"text\":\"first\"}"))
                    do {
                        try await Task.sleep(for: .seconds(60))
                    } catch {
                        events.report("stream cancelled")
                        throw error
                    }
                },
                .rawServerStreaming(method("Flood", streaming: .serverStreaming)) { _, _, stream in
                    let text = String(repeating: "x", count: 32 * 1_024)
                    let message = try bytes("{\"text\":\"\(text)\"}")
                    do {
                        for number in 0..<1_000 {
                            try await stream.write(message)
                            events.report("wrote \(number)")
                        }
                    } catch {
                        events.report("flood cancelled")
                        throw error
                    }
                },
            ])
    }
}

/// A server of the JSON test service, and what HTTP peers need to reach it.
func withHTTPServer<Result>(
    events: Events = Events(), configuration: RPCServerConfiguration = testConfiguration(),
    _ body: (RPCServer, String) async throws -> Result
) async throws -> Result {
    try await withCountedServer(
        configuration, services: [HTTPTestService.registration(events)]
    ) { server in
        guard let address = try await server.address else { throw SecretError() }
        return try await body(server, address.description)
    }
}

/// A call as an HTTP client writes it.
func httpCall(
    _ method: String, host: String, body: String = "{}", type: String = "application/json",
    credential: String? = "web", headers: [String] = ["Connection: close"]
) -> String {
    var lines = ["POST /test.Texts/\(method) HTTP/1.1", "Host: \(host)"]
    if let credential { lines.append("Authorization: Bearer \(credential)") }
    lines.append("Content-Type: \(type)")
    lines.append("Content-Length: \(body.utf8.count)")
    return (lines + headers).joined(separator: "\r\n") + "\r\n\r\n" + body
}

/// Sends some text over a connection of its own, and reads until the server closes.
func httpExchange(_ server: RPCServer, _ text: String) async throws -> String {
    try await httpExchange(server, bytes: ByteBuffer(string: text))
}

/// Sends some bytes over a connection of its own, and reads until the server closes.
func httpExchange(_ server: RPCServer, bytes: ByteBuffer) async throws -> String {
    try await RawPeer.connect(to: server) { peer in
        try await peer.send(bytes)
        return try await peer.rest()
    }
}
