import TollgateClient

/// Asks a server that is named as the first argument, or one of its own inside the process: what a
/// team does in its tests.
@main
struct Greet {
    static func main() async throws {
        if let address = CommandLine.arguments.dropFirst().first {
            let configuration = TollgateClientConfiguration(address: address)
            try await withTollgateClient(configuration, greet)
        } else {
            try await withHostedMethods([ping, ask], greet)
        }
    }

    static func greet(_ client: TollgateClient) async throws {
        let pong = try await DiagnosticsServiceClient(client)
            .ping(.init(payload: Array("hello".utf8)))
        print("pong: \(String(decoding: pong.payload, as: UTF8.self))")

        let question = V1.AskRequest(turns: [V1.ChatTurn(role: "user", content: "Who is there?")])
        let options = CallOptions(authorization: "session")
        do {
            try await ChatServiceClient(client).ask(question, options: options) { events in
                for try await event in events {
                    if case .delta(let text) = event.event { print("answer: \(text)") }
                }
            }
        } catch let error as TollgateError where error.code == "quota_exhausted" {
            print("no quota: \(error.message)")
        }
    }

    static var ping: HostedMethod {
        .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, _) in
            V1.PingResponse(payload: request.payload)
        }
    }

    static var ask: HostedMethod {
        .serverStreaming(Methods.ChatService.ask) {
            (request: V1.AskRequest, call, stream: HostedStream<V1.AnswerEvent>) in
            try await stream.write(.init(event: .delta("A test.")))
            throw TollgateError(code: "quota_exhausted", message: "That was all.")
        }
    }
}
