import Foundation
import NIOCore
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// One client and several servers, over real sockets.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ClusterTests {
    private let patient = CallOptions(timeoutMilliseconds: 60_000)

    /// Answers pings; counts them under a name and notes who asks.
    private func ping(
        _ name: String, _ journal: Journal,
        before: @escaping @Sendable () async throws -> Void = {}
    ) -> ServiceRegistration {
        ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, context) in
                    journal.note(name)
                    try await before()
                    return V1.PingResponse(payload: request.payload, version: context.peer)
                }
            ])
    }

    private func withServers<Result>(
        _ services: [ServiceRegistration], _ body: ([RPCServer], [String]) async throws -> Result
    ) async throws -> Result {
        func start(
            _ rest: ArraySlice<ServiceRegistration>, _ servers: [RPCServer]
        ) async throws -> Result {
            guard let service = rest.first else {
                var addresses: [String] = []
                for server in servers {
                    addresses.append(try #require(try await server.address).description)
                }
                return try await body(servers, addresses)
            }
            return try await withRPCServer(testConfiguration(port: 0), services: [service]) {
                try await start(rest.dropFirst(), servers + [$0])
            }
        }
        return try await start(services[...], [])
    }

    private func configuration(_ addresses: [String]) -> TollgateClientConfiguration {
        TollgateClientConfiguration(address: addresses.joined(separator: ","), credential: "key")
    }

    @Test func `every address of a list gets calls`() async throws {
        let journal = Journal()
        let services = ["a", "b", "c"].map { ping($0, journal) }
        try await withServers(services) { _, addresses in
            var configuration = configuration(addresses)
            configuration.balancing = .roundRobin
            try await withCheckedClient(configuration) { client in
                for _ in 0..<30 {
                    _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
                }
            }
        }
        #expect(["a", "b", "c"].map { name in journal.all.count { $0 == name } } == [10, 10, 10])
    }

    @Test func `a key's calls go to one server`() async throws {
        let journal = Journal()
        let services = ["a", "b", "c"].map { ping($0, journal) }
        try await withServers(services) { _, addresses in
            try await withCheckedClient(configuration(addresses)) { client in
                var options = patient
                options.affinityKey = "account-7"
                for _ in 0..<20 {
                    _ = try await DiagnosticsServiceClient(client).ping(.init(), options: options)
                }
            }
        }
        #expect(Set(journal.all).count == 1)
    }

    @Test func `a pool has as many connections as it may, and no more`() async throws {
        let journal = Journal()
        let service = ping("a", journal) { _ = await journal.wait(for: "go on") }
        try await withServers([service]) { _, addresses in
            let targets = addresses.compactMap { ServerAddress($0) }
            let connections = Mutex<[SocketTransport]>([])
            let transport = ClusterTransport(targets, connectionsPerAddress: 3) { address in
                let connection = SocketTransport(
                    .address(host: address.host, port: address.port), credential: Array("k".utf8))
                connections.withLock { $0.append(connection) }
                return connection
            }
            let client = TollgateClient(transport: transport)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<24 {
                    group.addTask {
                        _ = try await DiagnosticsServiceClient(client)
                            .ping(.init(), options: CallOptions(timeoutMilliseconds: 60_000))
                    }
                }
                for _ in 0..<2_000 where journal.all.count < 24 {
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect(transport.connectionCount == 3)
                for connection in connections.withLock({ $0 }) {
                    #expect(await connection.population.calls == 8, "each carries its share")
                }
                journal.note("go on")
                try await group.waitForAll()
            }
            try await closeChecked(client)
            #expect(transport.connectionCount == 0)
        }
    }

    @Test func `a draining server's calls go elsewhere and cost no budget`() async throws {
        let journal = Journal()
        let release = Journal()
        let slow = ping("a", journal) { _ = await release.wait(for: "go on") }
        try await withServers([slow, ping("b", journal)]) { servers, addresses in
            let targets = addresses.compactMap { ServerAddress($0) }
            let transport = ClusterTransport(targets, strategy: .roundRobin) { address in
                SocketTransport(
                    .address(host: address.host, port: address.port), credential: Array("k".utf8))
            }
            let client = TollgateClient(
                transport: transport, cluster: transport, retries: RetryPolicy(retriesInHand: 0))
            // One call holds the draining server up, so that it goes on answering 2003.
            async let held = DiagnosticsServiceClient(client).ping(.init(), options: patient)
            for _ in 0..<4 where !journal.all.contains("a") {
                async let other = DiagnosticsServiceClient(client).ping(.init(), options: patient)
                _ = await journal.wait(for: "a")
                _ = try? await other
            }
            servers[0].drain()
            for _ in 0..<40 {
                _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            }
            release.note("go on")
            _ = try await held
            try await closeChecked(client)
        }
        #expect(journal.all.count { $0 == "b" } >= 40)
    }

    @Test func `a server that refuses at once for a reason of its own is left, at no cost`()
        async throws
    {
        let journal = Journal()
        let refusing = ping("a", journal) {
            throw Failure(.unavailable, "This server's clock is wrong.", isNotProcessed: true)
        }
        // Slower than a refusal: who judged by speed alone would ask the refusing one each time.
        let answering = ping("b", journal) { try await Task.sleep(for: .milliseconds(20)) }
        let calls = 200
        try await withServers([refusing, answering]) { _, addresses in
            let client = unwatched(addresses)
            for _ in 0..<calls {
                _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            }
            try await closeChecked(client)
        }
        #expect(journal.all.count { $0 == "b" } == calls)
        // It was asked, and hardly ever again: a few times for each of its absences at the most,
        // each of which lasts twice as long.
        let refusals = journal.all.count { $0 == "a" }
        #expect(refusals >= 1)
        #expect(refusals <= calls / 5)
    }

    /// A client without retries whose addresses nobody watches: a probe is a ping too.
    private func unwatched(_ addresses: [String]) -> TollgateClient {
        let targets = addresses.compactMap { ServerAddress($0) }
        let transport = ClusterTransport(targets) { address in
            SocketTransport(
                .address(host: address.host, port: address.port), credential: Array("k".utf8))
        }
        return TollgateClient(
            transport: transport, cluster: transport, retries: RetryPolicy(retriesInHand: 0))
    }

    @Test func `what each server would refuse is asked of one`() async throws {
        let journal = Journal()
        let refusing = ["a", "b"].map { name in
            ping(name, journal) {
                throw RPCError(
                    code: RPCError.Code.noMethod, text: "no such method", isNotProcessed: true)
            }
        }
        try await withServers(refusing) { _, addresses in
            let client = unwatched(addresses)
            let error = await errorOf {
                _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            }
            #expect(error?.code == "invalid_request")
            try await closeChecked(client)
        }
        #expect(journal.all.count == 1)
    }

    /// Connections over TCP to wherever the resolver says that a name leads.
    private func transport(_ resolver: ScriptedResolver) -> ClusterTransport {
        ClusterTransport(
            [ServerAddress(host: "tollgate.test", port: 7_400)], resolver: resolver
        ) { address in
            SocketTransport(
                .address(host: address.host, port: address.port), credential: Array("k".utf8))
        }
    }

    @Test func `names are resolved, and resolved again`() async throws {
        let journal = Journal()
        try await withServers([ping("a", journal), ping("b", journal)]) { _, addresses in
            let resolver = ScriptedResolver(
                answers: addresses.compactMap { ServerAddress($0) }.map { [$0] })
            let transport = transport(resolver)
            let client = TollgateClient(transport: transport, cluster: transport)
            for _ in 0..<5 {
                _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            }
            #expect(resolver.count == 1)
            #expect(Array(transport.inFlight.keys) == [addresses[0]])
            try await closeChecked(client)
        }
        #expect(journal.all == Array(repeating: "a", count: 5))
    }

    @Test func `a name whose server has gone is found at its new address`() async throws {
        let journal = Journal()
        let gone = try await withRPCServer(
            testConfiguration(port: 0), services: [ping("a", journal)]
        ) { try #require(try await $0.address) }
        try await withServers([ping("b", journal)]) { _, addresses in
            let resolver = ScriptedResolver(
                answers: ([gone.description] + addresses).compactMap { ServerAddress($0) }
                    .map { [$0] })
            let transport = transport(resolver)
            let client = TollgateClient(transport: transport, cluster: transport)
            var codes: Set<String> = []
            // A call that finds nobody has the name looked up again, a second later at the latest.
            while journal.all.isEmpty {
                let error = await errorOf {
                    _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
                }
                if let error { codes.insert(error.code) }
            }
            #expect(codes == ["unavailable"])
            #expect(journal.all == ["b"])
            #expect(Array(transport.inFlight.keys) == addresses)
            #expect(transport.connectionCount == 1, "the old one has left")
            try await closeChecked(client)
        }
    }

    @Test func `no call waits until another address's connection is closed`() async throws {
        let journal = Journal()
        let resolver = ScriptedResolver(
            answers: [
                [ServerAddress(host: "old", port: 1)], [ServerAddress(host: "new", port: 1)],
            ])
        let transport = ClusterTransport(
            [ServerAddress(host: "tollgate.test", port: 7_400)], resolver: resolver
        ) { address in LingeringTransport(host: address.host, journal: journal) }
        let client = TollgateClient(
            transport: transport, retries: RetryPolicy(retriesInHand: 0))
        // A call that finds nobody has the names looked up again, a second later at the latest.
        var answer: [UInt8]?
        while answer == nil {
            answer = try? await client.unaryBytes(Methods.DiagnosticsService.ping, [])
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(answer == [1])
        #expect(journal.all == ["old is leaving"], "it is closed, and nobody waits for it")
        async let closing: Void = client.close()
        #expect(await journal.wait(for: "somebody waits for old"))
        journal.note("old may go")
        await closing
    }

    @Test func `a name that stands for nothing is an error that names it`() async throws {
        let configuration = TollgateClientConfiguration(address: "no-such-host.invalid:7400")
        try await withCheckedClient(configuration) { client in
            let error = await errorOf {
                _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            }
            #expect(error?.code == "unavailable")
            let sentence = error?.message ?? ""
            #expect(sentence.hasPrefix("No address is known for no-such-host.invalid:7400 ("))
            // Why, in the system's words.
            #expect(!sentence.contains("()"))
        }
    }

    @Test func `one of three servers dies and comes back under load, and no call is lost`()
        async throws
    {
        let journal = Journal()
        try await withServers([ping("a", journal), ping("b", journal)]) { _, addresses in
            let victim = try await withRPCServer(
                testConfiguration(port: 0), services: [ping("c", journal)]
            ) { try #require(try await $0.address) }
            let all = addresses + [victim.description]
            try await withCheckedClient(configuration(all)) { client in
                let over = Journal()
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            var answered = 0
                            while over.all.isEmpty {
                                _ = try await DiagnosticsServiceClient(client)
                                    .ping(.init(), options: patient)
                                answered += 1
                            }
                            return answered
                        }
                    }
                    for _ in 0..<3 {
                        let before = journal.all.count { $0 == "c" }
                        try await abruptly(victim.port, ping("c", journal)) {
                            for _ in 0..<2_000 {
                                if journal.all.count(where: { $0 == "c" }) > before + 5 { break }
                                try await Task.sleep(for: .milliseconds(5))
                            }
                        }
                        #expect(journal.all.count { $0 == "c" } > before, "it is used again")
                    }
                    over.note("over")
                    var answered = 0
                    for try await count in group { answered += count }
                    #expect(answered > 0)
                }
            }
        }
    }

    /// Runs a server on a port while `body` runs, and then takes its connections away at once.
    private func abruptly(
        _ port: Int, _ service: ServiceRegistration, _ body: () async throws -> Void
    ) async throws {
        var configuration = testConfiguration(port: port)
        configuration.drainGraceMilliseconds = 0
        try await withRPCServer(configuration, services: [service]) { _ in try await body() }
    }

    @Test func `the budget bounds the load on servers that refuse everything`() async throws {
        let journal = Journal()
        let refusing = ["a", "b"].map { name in
            ping(name, journal) {
                throw RPCError(
                    code: RPCError.Code.limit, text: "too much to do", isNotProcessed: true)
            }
        }
        let calls = 400
        try await withServers(refusing) { _, addresses in
            // Nobody watches the addresses: a probe is a ping too.
            let client = try TollgateClient(configuration(addresses))
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<calls / 8 {
                            let error = await errorOf {
                                _ = try await DiagnosticsServiceClient(client)
                                    .ping(.init(), options: patient)
                            }
                            #expect(error?.code == "unavailable")
                        }
                    }
                }
            }
            try await closeChecked(client)
        }
        #expect(journal.all.count >= calls)
        #expect(journal.all.count <= calls + Limits.clientRetriesInHand)
    }

    @Test func `after the client's close no descriptor is left`() async throws {
        let journal = Journal()
        try await withServers([ping("a", journal), ping("b", journal)]) { _, addresses in
            func use() async throws {
                var configuration = configuration(addresses + ["127.0.0.1:1"])
                configuration.connectionsPerAddress = 4
                try await withCheckedClient(configuration) { client in
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<50 {
                            group.addTask {
                                _ = try? await DiagnosticsServiceClient(client)
                                    .ping(.init(), options: patient)
                            }
                        }
                    }
                }
            }
            // Threads and event loops of the process are made by the first use, and stay.
            try await use()
            let before = try openSockets()
            for _ in 0..<5 { try await use() }
            // The servers see the end of a connection a little later than we do.
            for _ in 0..<2_000 {
                if try openSockets() <= before { break }
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try openSockets() <= before)
        }
    }

    private func openSockets() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/\(name)")
            return target?.hasPrefix("socket:") == true
        }
    }

    @Test(arguments: ["a:1,", "a:1,b", ",", "a:1,,b:2"])
    func `a list with something else in it is refused`(addresses: String) {
        #expect(throws: TollgateError.self) {
            try TollgateClient(TollgateClientConfiguration(address: addresses))
        }
    }
}

/// Reaches nobody as `old`, everybody as `new`, and is slow to close as `old`.
private struct LingeringTransport: ClientTransport {
    let host: String
    let journal: Journal

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        if host == "new" { return [1] }
        throw RPCError(
            code: RPCError.Code.connectionRefused, text: "nobody there", isNotProcessed: true)
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        throw RPCError(code: RPCError.Code.badRequest, text: "no streams here")
    }

    func leave(_ left: @escaping @Sendable () -> Void) {
        if host == "old", !journal.all.contains("old is leaving") {
            journal.note("old is leaving")
        }
    }

    func close() async {
        guard host == "old" else { return }
        journal.note("somebody waits for old")
        _ = await journal.wait(for: "old may go")
    }
}

/// Gives one answer after the other, the last again and again.
private final class ScriptedResolver: AddressResolver {
    private let answers: [[ServerAddress]]
    private let asked = Mutex(0)

    var count: Int { asked.withLock { $0 } }

    init(answers: [[ServerAddress]]) { self.answers = answers }

    func resolve(
        _ target: ServerAddress, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[ServerAddress]> {
        let number = asked.withLock { asked in
            asked += 1
            return asked
        }
        return eventLoop.makeSucceededFuture(answers[min(number, answers.count) - 1])
    }
}
