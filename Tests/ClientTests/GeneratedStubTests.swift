import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// The generated stubs over a real server, inside the process and over a socket.
@Suite(.serialized, .timeLimit(.minutes(2))) struct GeneratedStubTests {
    /// The methods' own deadlines are short for a machine that runs other tests too.
    private let patient = CallOptions(timeoutMilliseconds: 60_000)
    private let session = CallOptions(authorization: "session", timeoutMilliseconds: 60_000)

    private func services(_ journal: Journal) -> [ServiceRegistration] {
        [
            ServiceRegistration(
                name: "tollgate.v1.DiagnosticsService",
                methods: [
                    .unary(Methods.DiagnosticsService.ping) {
                        (request: V1.PingRequest, context) in
                        V1.PingResponse(payload: request.payload, version: context.peer)
                    }
                ]),
            ServiceRegistration(
                name: "tollgate.v1.ChatService",
                methods: [
                    .unary(Methods.ChatService.listModels) {
                        (_: V1.ListModelsRequest, context) -> V1.ListModelsResponse in
                        guard context.authorization == "session" else {
                            throw Failure(
                                .rateLimited, "Wait a little.", retryAfterMilliseconds: 250)
                        }
                        return V1.ListModelsResponse(models: [V1.Model(name: "demo-chat")])
                    },
                    .serverStreaming(Methods.ChatService.ask) {
                        (
                            request: V1.AskRequest, _,
                            writer: ServerStreamWriter<V1.AnswerEvent>
                        ) in
                        try await answer(request, writer, journal)
                    },
                ]),
        ]
    }

    @Test(arguments: Reach.allCases)
    func aCallBringsItsTypedResponse(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let diagnostics = DiagnosticsServiceClient(client)
            let response = try await diagnostics.ping(
                V1.PingRequest(payload: [1, 2, 3]), options: patient)
            #expect(response.payload == [1, 2, 3])
            let models = try await ChatServiceClient(client).listModels(
                V1.ListModelsRequest(), options: session)
            #expect(models.models.map(\.name) == ["demo-chat"])
        }
    }

    @Test(arguments: Reach.allCases)
    func aFailureBecomesTheClientsOwnError(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let chat = ChatServiceClient(client)
            let limited = await errorOf {
                _ = try await chat.listModels(
                    V1.ListModelsRequest(),
                    options: CallOptions(authorization: "other", timeoutMilliseconds: 60_000))
            }
            #expect(
                limited
                    == TollgateError(
                        Failure(.rateLimited, "Wait a little.", retryAfterMilliseconds: 250)))
            #expect(limited?.httpStatus == 429)
            let anonymous = await errorOf {
                _ = try await chat.listModels(V1.ListModelsRequest(), options: patient)
            }
            #expect(anonymous?.code == "unauthenticated")
            let missing = await errorOf {
                _ = try await AuthServiceClient(client).login(V1.LoginRequest())
            }
            #expect(missing?.code == "invalid_request")
        }
    }

    @Test(arguments: Reach.allCases)
    func anAnswerIsStreamedToItsEnd(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let text = try await ask(client, "one two three") { stream in
                var text = ""
                for try await event in stream {
                    if case .delta(let delta) = event.event { text += delta }
                }
                return text
            }
            #expect(text == "one two three")
        }
    }

    @Test(arguments: Reach.allCases)
    func leavingAStreamCancelsItsHandler(reach: Reach) async throws {
        let journal = Journal()
        try await withTestClient(reach, services: services(journal)) {
            (client, _) async throws in
            try await ask(client, "for ever") { stream in
                for try await event in stream {
                    guard case .delta = event.event else { continue }
                    break
                }
            }
            #expect(await journal.wait(for: "answer cancelled"))
        }
    }

    @Test(arguments: Reach.allCases)
    func aStreamThatFailsThrowsWhatTheHandlerThrew(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let early = await errorOf { try await ask(client, "refuse") { _ in } }
            #expect(early?.code == "content_refused")
            let late = await errorOf {
                try await ask(client, "break off") { stream in for try await _ in stream {} }
            }
            #expect(late?.code == "upstream_failed")
        }
    }

    private func ask<Result>(
        _ client: TollgateClient, _ text: String,
        _ body: (ServerStream<V1.AnswerEvent>) async throws -> Result
    ) async throws -> Result {
        let request = V1.AskRequest(turns: [V1.ChatTurn(role: "user", content: text)])
        return try await ChatServiceClient(client).ask(
            request, options: session, body)
    }
}

private func answer(
    _ request: V1.AskRequest, _ writer: ServerStreamWriter<V1.AnswerEvent>, _ journal: Journal
) async throws {
    let text = request.turns.first?.content ?? ""
    if text == "refuse" { throw Failure(.contentRefused, "Not these words.") }
    try await writer.write(V1.AnswerEvent(event: .start(V1.AnswerStart(model: "demo"))))
    if text == "break off" { throw Failure(.upstreamFailed, "The model broke off.") }
    do {
        repeat {
            for character in text {
                try await writer.write(V1.AnswerEvent(event: .delta(String(character))))
                await Task.yield()
            }
        } while text == "for ever"
    } catch {
        journal.note("answer cancelled")
        throw error
    }
    try await writer.write(V1.AnswerEvent(event: .done(V1.AnswerDone(finishReason: "stop"))))
}
