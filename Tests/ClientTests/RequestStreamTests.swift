import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Streams of requests through the public client, typed at both ends.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RequestStreamTests {
    /// Facts as the generator writes them for a method that streams its requests.
    private static func method(
        _ name: String, _ streaming: MethodDescriptor.Streaming
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "tollgate.v1.DiagnosticsService", name: name, access: .connection, roles: [],
            isIdempotent: false, defaultDeadlineMilliseconds: 60_000, streaming: streaming,
            request: V1.PingRequest.descriptor, response: V1.PingResponse.descriptor)
    }

    private static let collect = method("Collect", .clientStreaming)
    private static let converse = method("Converse", .bidirectionalStreaming)
    private static let refuse = method("Refuse", .clientStreaming)

    private func services(_ journal: Journal) -> [ServiceRegistration] {
        [
            ServiceRegistration(
                name: "tollgate.v1.DiagnosticsService",
                methods: [
                    .clientStreaming(Self.collect) {
                        (requests: RequestStream<V1.PingRequest>, _) in
                        var all: [UInt8] = []
                        do {
                            for try await request in requests { all += request.payload }
                        } catch {
                            journal.note("collect cancelled")
                            throw error
                        }
                        return V1.PingResponse(payload: all)
                    },
                    .bidirectionalStreaming(Self.converse) {
                        (
                            requests: RequestStream<V1.PingRequest>, _,
                            responses: ServerStreamWriter<V1.PingResponse>
                        ) in
                        for try await request in requests {
                            try await responses.write(
                                V1.PingResponse(payload: request.payload.reversed()))
                        }
                    },
                    .clientStreaming(Self.refuse) {
                        (requests: RequestStream<V1.PingRequest>, _) -> V1.PingResponse in
                        throw Failure(.rateLimited, "Wait a little.", retryAfterMilliseconds: 250)
                    },
                ])
        ]
    }

    @Test(arguments: Reach.allCases)
    func `many requests bring one response`(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let response: V1.PingResponse = try await client.clientStream(Self.collect) {
                (requests: RequestWriter<V1.PingRequest>) in
                for number in 0..<100 as Range<UInt8> {
                    try await requests.write(V1.PingRequest(payload: [number]))
                }
            }
            #expect(response.payload == Array(0..<100))
        }
    }

    @Test(arguments: Reach.allCases)
    func `a conversation goes on in turns and ends well`(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let answers = try await client.bidirectionalStream(Self.converse) {
                (
                    requests: RequestWriter<V1.PingRequest>,
                    responses: ServerStream<V1.PingResponse>
                ) in
                var answers: [[UInt8]] = []
                var iterator = responses.makeAsyncIterator()
                for number in 0..<20 as Range<UInt8> {
                    try await requests.write(V1.PingRequest(payload: [number, 255]))
                    if let answer = try await iterator.next() { answers.append(answer.payload) }
                }
                requests.finish()
                let isOver = try await iterator.next() == nil
                #expect(isOver)
                return answers
            }
            #expect(answers == (0..<20).map { [255, $0] })
        }
    }

    @Test func `a refusal becomes the client's own error`() async throws {
        try await withTestClient(.inProcess, services: services(Journal())) {
            (client, _) async throws in
            let error = await errorOf {
                let _: V1.PingResponse = try await client.clientStream(Self.refuse) {
                    (requests: RequestWriter<V1.PingRequest>) in
                    while try await requests.write(V1.PingRequest(payload: [1])) {}
                }
            }
            #expect(error?.code == "rate_limited")
            #expect(error?.retryAfterMilliseconds == 250)
        }
    }

    @Test func `a body that fails gives the call up`() async throws {
        struct Changed: Error {}
        let journal = Journal()
        try await withTestClient(.socket, services: services(journal)) {
            (client, _) async throws in
            await #expect(throws: Changed.self) {
                let _: V1.PingResponse = try await client.clientStream(Self.collect) {
                    (requests: RequestWriter<V1.PingRequest>) in
                    try await requests.write(V1.PingRequest(payload: [1]))
                    throw Changed()
                }
            }
            #expect(await journal.wait(for: "collect cancelled"))
        }
    }
}
