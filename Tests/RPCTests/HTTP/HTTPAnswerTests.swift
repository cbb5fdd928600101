import NIOCore
import Testing
import TollgateKernel

@testable import TollgateRPC

/// What HTTP clients are told of calls that do not fit into it.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HTTPAnswerTests {
    @Test func `what a caller sent is not repeated at any length`() async throws {
        try await withHTTPServer { server, host in
            let long = String(repeating: "x", count: 60_000)
            let unknown = try await httpExchange(server, httpCall(long, host: host))
            #expect(unknown.hasPrefix("HTTP/1.1 404 "))
            #expect(unknown.utf8.count < 2 * Limits.rpcErrorTextBytes)
            let body = "{\"\(String(repeating: "y", count: 500_000))\":\"z\"}"
            let malformed = try await httpExchange(server, httpCall("Echo", host: host, body: body))
            #expect(malformed.utf8.count < 2 * Limits.rpcErrorTextBytes)
        }
    }

    @Test(arguments: [Limits.rpcErrorTextBytes, 1_000_000])
    func `a failure's message is cut before it is quoted`(count: Int) {
        let text = String(repeating: "\u{1}", count: count)
        for failure in [
            HTTPFailure(status: 400, code: .invalidRequest, text),
            HTTPFailure(RPCError(code: RPCError.Code.badRequest, text: text)),
        ] {
            #expect(failure.message.utf8.count == Limits.rpcErrorTextBytes)
            #expect(failure.json.utf8.count < 7 * Limits.rpcErrorTextBytes)
        }
    }

    @Test func `what goes beside a message is not taken for a part of it`() async throws {
        let beside = ServiceRegistration(
            name: "test.Texts",
            methods: [
                .raw(HTTPTestService.method("Beside")) { body, context in
                    context.setResponseAttachment(ByteBuffer(repeating: 0xff, count: 50_000))
                    return body
                }
            ])
        try await withRPCServer(testConfiguration(), services: [beside]) { server in
            let host = try #require(try await server.address).description
            let answer = try await httpExchange(
                server, httpCall("Beside", host: host, body: "{\"text\":\"hi\"}"))
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.hasSuffix("\r\n\r\n{\"text\":\"hi\"}"))
        }
    }

    @Test func `too much metadata is told, and the connection goes on`() async throws {
        try await withHTTPServer { server, host in
            let session = String(repeating: "s", count: Limits.rpcMetaBytes)
            let answers = try await httpExchange(
                server,
                httpCall("Echo", host: host, headers: ["Tollgate-Authorization: \(session)"])
                    + httpCall("Echo", host: host, body: "{\"text\":\"after\"}"))
            #expect(answers.hasPrefix("HTTP/1.1 431 "))
            #expect(answers.hasSuffix("{\"text\":\"after\"}"))
        }
    }

    @Test func `a body that this server's packets may not have is told so`() async throws {
        let configuration = testConfiguration { $0.maximumBodyBytes = 2_048 }
        try await withHTTPServer(configuration: configuration) { server, host in
            let body = "{\"text\":\"\(String(repeating: "x", count: 3_000))\"}"
            let answers = try await httpExchange(
                server,
                httpCall("Echo", host: host, body: body, headers: [])
                    + httpCall("Echo", host: host, body: "{\"text\":\"after\"}"))
            #expect(answers.hasPrefix("HTTP/1.1 413 "))
            #expect(answers.contains("longer than 2048 bytes"))
            #expect(answers.hasSuffix("{\"text\":\"after\"}"))
        }
    }
}
