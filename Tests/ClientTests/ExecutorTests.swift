import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Callers whose tasks run where the client's connection lives.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ExecutorTests {
    private static func method(
        _ name: String, _ streaming: MethodDescriptor.Streaming = .unary
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "tollgate.v1.DiagnosticsService", name: name, access: .connection, roles: [],
            isIdempotent: false, defaultDeadlineMilliseconds: 60_000, streaming: streaming,
            request: V1.PingRequest.descriptor, response: V1.PingResponse.descriptor)
    }

    private static let echo = method("Echo")
    private static let hang = method("Hang")
    private static let converse = method("Converse", .bidirectionalStreaming)

    private func services(_ journal: Journal) -> [ServiceRegistration] {
        [
            ServiceRegistration(
                name: "tollgate.v1.DiagnosticsService",
                methods: [
                    .unary(Self.echo) { (request: V1.PingRequest, _) in
                        V1.PingResponse(payload: request.payload)
                    },
                    .unary(Self.hang) { (_: V1.PingRequest, _) -> V1.PingResponse in
                        journal.note("hanging")
                        do {
                            try await Task.sleep(for: .seconds(60))
                        } catch {
                            journal.note("cancelled")
                            throw error
                        }
                        return V1.PingResponse()
                    },
                    .bidirectionalStreaming(Self.converse) {
                        (
                            requests: RequestStream<V1.PingRequest>, _,
                            responses: ServerStreamWriter<V1.PingResponse>
                        ) in
                        for try await request in requests {
                            try await responses.write(V1.PingResponse(payload: request.payload))
                        }
                    },
                ])
        ]
    }

    private func echo(_ client: TollgateClient, _ bytes: [UInt8]) async throws -> [UInt8] {
        let response: V1.PingResponse = try await client.unary(
            Self.echo, V1.PingRequest(payload: bytes))
        return response.payload
    }

    /// Callers inside and outside share the connection, so both ways of submitting meet.
    @Test(arguments: Reach.allCases)
    func `each caller gets its own answers, wherever it runs`(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
                for caller in 0..<64 {
                    let executor = caller.isMultiple(of: 4) ? nil : client.executor
                    group.addTask(executorPreference: executor) {
                        var wrong = 0
                        for number in 0..<50 {
                            let bytes = [UInt8(caller), UInt8(number)]
                            if try await echo(client, bytes) != bytes { wrong += 1 }
                        }
                        return wrong
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(wrong == 0)
        }
    }

    @Test(arguments: Reach.allCases)
    func `cancelling a caller on the loop reaches the handler`(reach: Reach) async throws {
        let journal = Journal()
        try await withTestClient(reach, services: services(journal)) {
            (client, _) async throws in
            let failure = await withTaskGroup(of: (any Error)?.self) { group in
                group.addTask(executorPreference: client.executor) {
                    do {
                        let _: V1.PingResponse = try await client.unary(
                            Self.hang, V1.PingRequest())
                        return nil
                    } catch {
                        return error
                    }
                }
                let isHanging = await journal.wait(for: "hanging")
                #expect(isHanging)
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(failure is CancellationError)
            let isCancelled = await journal.wait(for: "cancelled")
            #expect(isCancelled)
            // The connection goes on for others.
            let answer = try await echo(client, [1, 2, 3])
            #expect(answer == [1, 2, 3])
        }
    }

    @Test(arguments: Reach.allCases)
    func `a conversation on the loop keeps its order and ends`(reach: Reach) async throws {
        try await withTestClient(reach, services: services(Journal())) {
            (client, _) async throws in
            let heard = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                group.addTask(executorPreference: client.executor) {
                    try await client.bidirectionalStream(Self.converse) {
                        (
                            requests: RequestWriter<V1.PingRequest>,
                            responses: ServerStream<V1.PingResponse>
                        ) in
                        var heard: [UInt8] = []
                        var iterator = responses.makeAsyncIterator()
                        for number in UInt8(0)..<200 {
                            try await requests.write(V1.PingRequest(payload: [number]))
                            heard += try await iterator.next()?.payload ?? []
                        }
                        requests.finish()
                        let isEnded = try await iterator.next() == nil
                        #expect(isEnded)
                        return heard
                    }
                }
                return try await group.next() ?? []
            }
            #expect(heard == Array(0..<200))
        }
    }
}
