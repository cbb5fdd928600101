import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Where a client's calls go, over real sockets, as its configuration says.
@Suite(.serialized, .timeLimit(.minutes(2))) struct BalancingTests {
    private let patient = CallOptions(authorization: "session", timeoutMilliseconds: 60_000)

    /// Says who somebody is, under a name that is counted; `before` runs first.
    private func whoAmI(
        _ name: String, _ journal: Journal,
        before: @escaping @Sendable () async throws -> Void = {}
    ) -> ServiceRegistration {
        ServiceRegistration(
            name: "tollgate.v1.AuthService",
            methods: [
                .unary(Methods.AuthService.whoAmI) { (_: V1.WhoAmIRequest, _) in
                    journal.note(name)
                    try await before()
                    return V1.WhoAmIResponse(accountId: name)
                }
            ])
    }

    /// Answers pings, by which an address is probed, once it is well.
    private func ping(_ name: String, _ journal: Journal, _ health: Health) -> ServiceRegistration {
        ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (_: V1.PingRequest, _) in
                    journal.note("\(name) probed")
                    try health.check()
                    return V1.PingResponse()
                }
            ])
    }

    private func withTwoServers(
        _ first: [ServiceRegistration], _ second: [ServiceRegistration],
        _ body: (TollgateClientConfiguration) async throws -> Void
    ) async throws {
        try await withRPCServer(testConfiguration(port: 0), services: first) { one in
            try await withRPCServer(testConfiguration(port: 0), services: second) { other in
                let addresses = [
                    try #require(try await one.address).description,
                    try #require(try await other.address).description,
                ]
                try await body(
                    TollgateClientConfiguration(
                        address: addresses.joined(separator: ","), credential: "key"))
            }
        }
    }

    private func ask(_ client: TollgateClient) async throws {
        let answer = try await AuthServiceClient(client).whoAmI(.init(), options: patient)
        #expect(!answer.accountId.isEmpty)
    }

    @Test func `calls go to the faster server unless the configuration says otherwise`()
        async throws
    {
        let journal = Journal()
        let slow = whoAmI("slow", journal) { try await Task.sleep(for: .milliseconds(500)) }
        try await withTwoServers([slow], [whoAmI("fast", journal)]) { configuration in
            try await withCheckedClient(configuration) { client in
                for _ in 0..<20 { try await ask(client) }
            }
        }
        // Once to learn it, and again only if the other should stand still for as long.
        #expect(journal.all.count { $0 == "slow" } <= 5, "\(journal.all)")
    }

    @Test func `a server that fails in a row is put aside until a probe finds it well`()
        async throws
    {
        let journal = Journal()
        let health = Health()
        let failing = whoAmI("a", journal) { try health.check() }
        try await withTwoServers(
            [failing, ping("a", journal, health)],
            [whoAmI("b", journal), ping("b", journal, health)]
        ) { configuration in
            var configuration = configuration
            // Each has its turn: who judged by speed would soon ask the failing one no more.
            configuration.balancing = .roundRobin
            try await withCheckedClient(configuration) { client in
                while !journal.all.contains("a probed") {
                    try await ask(client)
                    try await Task.sleep(for: .milliseconds(5))
                }
                let failures = journal.all.count { $0 == "a" }
                #expect(failures == Limits.clientFailuresBeforeEjection)
                health.recover()
                while journal.all.count(where: { $0 == "a" }) == failures {
                    try await ask(client)
                    try await Task.sleep(for: .milliseconds(5))
                }
                let probe = journal.all.lastIndex(of: "a probed") ?? .max
                let call = journal.all.lastIndex(of: "a") ?? .min
                #expect(probe < call, "a probe found it well")
            }
        }
        #expect(!journal.all.contains("b probed"), "it was never put aside")
    }

    @Test func `an address has as many connections as the configuration says`() async throws {
        let journal = Journal()
        let service = whoAmI("a", journal) { _ = await journal.wait(for: "go on") }
        try await withRPCServer(testConfiguration(port: 0), services: [service]) { server in
            let address = try #require(try await server.address).description
            var configuration = TollgateClientConfiguration(address: address, credential: "key")
            configuration.connectionsPerAddress = 3
            try await withCheckedClient(configuration) { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<24 { group.addTask { try await ask(client) } }
                    for _ in 0..<2_000 where journal.all.count < 24 {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    #expect(try await server.population.connections == 3)
                    #expect(await client.population.connections == 3)
                    journal.note("go on")
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func `a stream is in flight at its address until it has ended`() async throws {
        let journal = Journal()
        let chat = ServiceRegistration(
            name: "tollgate.v1.ChatService",
            methods: [
                .serverStreaming(Methods.ChatService.ask) {
                    (_: V1.AskRequest, _, writer: ServerStreamWriter<V1.AnswerEvent>) in
                    try await writer.write(.init(event: .delta("hi")))
                    _ = await journal.wait(for: "go on")
                    try await writer.write(.init(event: .done(.init(finishReason: "stop"))))
                }
            ])
        try await withRPCServer(testConfiguration(port: 0), services: [chat]) { server in
            let address = try #require(try await server.address).description
            let transport = ClusterTransport([try #require(ServerAddress(address))]) { address in
                SocketTransport(
                    .address(host: address.host, port: address.port), credential: Array("k".utf8))
            }
            let client = TollgateClient(transport: transport)
            try await ChatServiceClient(client).ask(.init(), options: patient) { events in
                var iterator = events.makeAsyncIterator()
                #expect(try await iterator.next()?.event == .delta("hi"))
                #expect(transport.inFlight == [address: 1])
                journal.note("go on")
                while try await iterator.next() != nil {}
            }
            #expect(transport.inFlight == [address: 0])
            try await closeChecked(client)
        }
    }

    /// Whether a server is overloaded, which is no reason to ask another one at no cost.
    private final class Health: Sendable {
        private let isWell = Mutex(false)

        func recover() { isWell.withLock { $0 = true } }

        func check() throws {
            guard isWell.withLock({ $0 }) else {
                throw RPCError(
                    code: RPCError.Code.limit, text: "too much to do", isNotProcessed: true)
            }
        }
    }
}
