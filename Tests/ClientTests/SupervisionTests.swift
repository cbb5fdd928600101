import NIOCore
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Addresses that were put aside, and who looks after them; no sockets.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SupervisionTests {
    /// A client of the servers `a` and `b`, and what spreads its calls over them.
    private func makeClient(_ hosts: Hosts) -> (TollgateClient, ClusterTransport) {
        let cluster = ClusterTransport(
            ["a", "b"].map { ServerAddress(host: $0, port: 1) }, strategy: .roundRobin,
            resolver: AsTheyAre()
        ) { address in ScriptedTransport(host: address.host, hosts: hosts) }
        let client = TollgateClient(
            transport: cluster, cluster: cluster, retries: RetryPolicy(retriesInHand: 0))
        return (client, cluster)
    }

    /// Runs a client and its supervision while `body` runs.
    private func supervised(
        _ hosts: Hosts, _ body: (TollgateClient) async throws -> Void
    ) async throws {
        let (client, _) = makeClient(hosts)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await client.run()
                hosts.journal.note("run returned")
            }
            try await body(client)
            await client.close()
            try await group.waitForAll()
        }
    }

    private func ask(_ client: TollgateClient) async throws {
        _ = try await client.unaryBytes(Methods.AuthService.whoAmI, [])
    }

    /// Waits until `a` has been probed so often; false if that takes longer than 20 seconds.
    private func waitForProbes(_ count: Int, _ hosts: Hosts) async throws -> Bool {
        for _ in 0..<4_000 {
            if hosts.probes(of: "a") >= count { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test func `an address that was put aside gets no call before a probe found it well`()
        async throws
    {
        let hosts = Hosts(dead: ["a"])
        try await supervised(hosts) { client in
            while hosts.calls(of: "a") == 0 { try await ask(client) }
            // It would take calls from now on, and is known to be well only once it is probed.
            hosts.revive("a")
            for _ in 0..<2_000 where hosts.calls(of: "a") < 2 {
                try await ask(client)
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        let entries = hosts.journal.all.filter { $0.hasPrefix("a ") }
        #expect(entries.prefix(3) == ["a called", "a probed", "a called"])
    }

    @Test func `while it is probed and not well an address gets no call`() async throws {
        let hosts = Hosts(dead: ["a"], probes: .slow)
        try await supervised(hosts) { client in
            while hosts.probes(of: "a") < 2 {
                try await ask(client)
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(hosts.calls(of: "a") == 1, "that which put it aside")
    }

    /// Each probe that fails doubles the pause, so `b`, which is away for the first time, is always
    /// due well before `a`; if the machine stands still meanwhile, the next attempt has more time.
    @Test func `one that is away for long holds up no other's return`() async throws {
        let hosts = Hosts(dead: ["a"])
        try await supervised(hosts) { client in
            while hosts.calls(of: "a") == 0 { try await ask(client) }
            var isTimely = false
            for attempt in 2..<6 where !isTimely {
                guard try await waitForProbes(attempt, hosts) else { break }
                let before = hosts.probes(of: "b")
                hosts.kill("b")
                // Nobody is left who could answer it.
                while hosts.isDead("b") { try? await ask(client) }
                for _ in 0..<4_000 where hosts.probes(of: "b") == before {
                    try await Task.sleep(for: .milliseconds(5))
                }
                isTimely = hosts.probes(of: "b") > before && hosts.probes(of: "a") == attempt
            }
            #expect(isTimely)
        }
    }

    /// As above: with each attempt the pause that the close has to end is twice as long.
    @Test func `the client's close ends a pause between two probes`() async throws {
        var isTimely = false
        for attempt in 3..<6 where !isTimely {
            let hosts = Hosts(dead: ["a"])
            try await supervised(hosts) { client in
                while hosts.calls(of: "a") == 0 { try await ask(client) }
                #expect(try await waitForProbes(attempt, hosts))
                await client.close()
                // The next probe is due in two seconds at the earliest.
                try await Task.sleep(for: .seconds(1))
                isTimely = hosts.journal.all.last == "run returned"
            }
        }
        #expect(isTimely)
    }

    @Test func `who stops looking after the addresses may begin again`() async throws {
        let hosts = Hosts(dead: ["a"])
        let (client, _) = makeClient(hosts)
        for _ in 0..<3 {
            let run = Task { await client.run() }
            while hosts.calls(of: "a") == 0 { try await ask(client) }
            #expect(try await waitForProbes(hosts.probes(of: "a") + 1, hosts))
            run.cancel()
            await run.value
        }
        #expect(hosts.calls(of: "a") == 1)
        await client.close()
        // There is nothing left to look after.
        await client.run()
    }

    @Test func `a probe that is given up says nothing about its server`() async throws {
        let hosts = Hosts(dead: ["a"], probes: .endless)
        let (client, _) = makeClient(hosts)
        let run = Task { await client.run() }
        while hosts.calls(of: "a") == 0 { try await ask(client) }
        for _ in 0..<4_000 where !hosts.journal.all.contains("a asked") {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(hosts.probes(of: "a") == 0)
        run.cancel()
        await run.value
        #expect(hosts.probes(of: "a") == 1)
        // Its time is over, and nobody looks after it any more: it is given calls again at once.
        hosts.revive("a")
        for _ in 0..<2 { try await ask(client) }
        #expect(hosts.calls(of: "a") == 2)
        await client.close()
    }

    @Test func `of two who look after the addresses one may stop`() async throws {
        let hosts = Hosts(dead: ["a"])
        let (client, cluster) = makeClient(hosts)
        let runs = (0..<2).map { _ in Task { await client.run() } }
        while cluster.supervisorCount < 2 { await Task.yield() }
        while hosts.calls(of: "a") == 0 { try await ask(client) }
        runs[0].cancel()
        await runs[0].value
        #expect(cluster.supervisorCount == 1)
        #expect(try await waitForProbes(hosts.probes(of: "a") + 2, hosts))
        try await ask(client)
        try await ask(client)
        #expect(hosts.calls(of: "a") == 1)
        await client.close()
        await runs[1].value
        #expect(cluster.supervisorCount == 0)
    }
}

/// Which servers answer, and who asked them.
private final class Hosts: Sendable {
    /// How long it takes until a probe is answered.
    enum Probes {
        case quick
        case slow
        /// Until it is given up.
        case endless
    }

    let journal = Journal()
    let probes: Probes
    private let dead: Mutex<Set<String>>

    init(dead: Set<String>, probes: Probes = .quick) {
        self.dead = Mutex(dead)
        self.probes = probes
    }

    func isDead(_ host: String) -> Bool { dead.withLock { $0.contains(host) } }

    func kill(_ host: String) { dead.withLock { _ = $0.insert(host) } }

    func revive(_ host: String) { dead.withLock { _ = $0.remove(host) } }

    func calls(of host: String) -> Int { journal.all.count { $0 == "\(host) called" } }

    func probes(of host: String) -> Int { journal.all.count { $0 == "\(host) probed" } }
}

/// Answers for one server; `b` is dead for one call only.
private struct ScriptedTransport: ClientTransport {
    let host: String
    let hosts: Hosts

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        let isProbe = call.method.fullName == Methods.DiagnosticsService.ping.fullName
        // Whatever is probed at the same time is counted before it.
        if isProbe, hosts.probes == .endless {
            hosts.journal.note("\(host) asked")
            try? await Task.sleep(for: .seconds(60))
        } else if isProbe, host == "b" || hosts.probes == .slow {
            try? await Task.sleep(for: .milliseconds(200))
        }
        hosts.journal.note("\(host) \(isProbe ? "probed" : "called")")
        guard hosts.isDead(host) else { return [] }
        if host == "b" { hosts.revive("b") }
        throw RPCError(
            code: RPCError.Code.connectionRefused, text: "nobody there", isNotProcessed: true)
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        throw RPCError(code: RPCError.Code.badRequest, text: "no streams here")
    }

    func close() async {}
}

/// Names that stand for themselves.
private struct AsTheyAre: AddressResolver {
    func resolve(
        _ target: ServerAddress, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[ServerAddress]> {
        eventLoop.makeSucceededFuture([target])
    }
}
