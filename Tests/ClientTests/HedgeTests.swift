import NIOCore
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Answers the first attempt of each call late or never, the others at once.
private final class SlowFirst: ClientTransport {
    private let counts = Mutex((attempts: 0, cancelled: 0))
    private let seen: Mutex<Set<ObjectIdentifier>> = Mutex([])
    private let trails: Mutex<[CallTrail]> = Mutex([])

    var attempts: Int { counts.withLock { $0.attempts } }
    var cancelled: Int { counts.withLock { $0.cancelled } }

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        counts.withLock { $0.attempts += 1 }
        let isFirst = seen.withLock { seen in
            guard let trail = call.trail else { return true }
            // Kept, so that no other call's trail gets its place in memory.
            trails.withLock { $0.append(trail) }
            return seen.insert(ObjectIdentifier(trail)).inserted
        }
        guard isFirst else { return [2] }
        do {
            try await Task.sleep(for: .milliseconds(call.deadline.remainingMilliseconds))
        } catch {
            counts.withLock { $0.cancelled += 1 }
            throw RPCError(code: RPCError.Code.cancelled, text: "cancelled")
        }
        throw RPCError(code: RPCError.Code.timedOut, text: "late")
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        throw RPCError(code: RPCError.Code.badRequest, text: "no streams here")
    }

    func close() async {}
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct HedgeTests {
    private func options(hedge: Int64?, attempt: Int64? = nil) -> CallOptions {
        var options = CallOptions(timeoutMilliseconds: 60_000)
        options.hedgeAfterMilliseconds = hedge
        options.attemptTimeoutMilliseconds = attempt
        return options
    }

    @Test func `a second server is asked, its answer counts, and the first call is cancelled`()
        async throws
    {
        let transport = SlowFirst()
        let client = TollgateClient(transport: transport)
        let answer = try await client.unaryBytes(
            Methods.DiagnosticsService.ping, [], options: options(hedge: 1))
        #expect(answer == [2])
        #expect(transport.attempts == 2)
        #expect(transport.cancelled == 1)
    }

    @Test func `what may not be repeated is not hedged`() async throws {
        let transport = SlowFirst()
        let client = TollgateClient(transport: transport)
        var options = options(hedge: 1)
        options.timeoutMilliseconds = 100
        let error = await errorOf {
            _ = try await client.unaryBytes(Methods.AuthService.login, [], options: options)
        }
        #expect(error?.code == "deadline_exceeded")
        #expect(transport.attempts == 1)
    }

    @Test func `hedges end with their budget`() async throws {
        let transport = SlowFirst()
        let client = TollgateClient(
            transport: transport, retries: RetryPolicy(retriesInHand: 0, hedgesInHand: 3))
        var answered = 0
        for _ in 0..<10 {
            var options = options(hedge: 1)
            options.timeoutMilliseconds = 50
            let answer = try? await client.unaryBytes(
                Methods.DiagnosticsService.ping, [], options: options)
            if answer == [2] { answered += 1 }
        }
        #expect(answered == 3)
        #expect(transport.attempts == 13)
    }

    @Test func `ten calls that go well earn a hedge`() async throws {
        let visits = Visits()
        // The first call and the last need a second server to be answered.
        let transport = cluster(["a", "b"], .roundRobin, visits) { _, visit in
            visit == 1 || visit == 12 ? .never : .bytes([2])
        }
        let client = TollgateClient(
            transport: transport, retries: RetryPolicy(retriesInHand: 0, hedgesInHand: 1))
        for _ in 0..<11 {
            let answer = try await client.unaryBytes(
                Methods.DiagnosticsService.ping, [],
                options: options(hedge: [0, 11].contains(visits.all.count) ? 1 : nil))
            #expect(answer == [2])
        }
        #expect(visits.all.count == 13)
        try await closeChecked(client)
    }

    @Test func `an attempt that takes too long is made again within the call's time`()
        async throws
    {
        let transport = SlowFirst()
        let client = TollgateClient(transport: transport)
        let answer = try await client.unaryBytes(
            Methods.DiagnosticsService.ping, [], options: options(hedge: nil, attempt: 20))
        #expect(answer == [2])
        #expect(transport.attempts == 2)
    }

    @Test func `cancelling the caller ends both calls`() async throws {
        let transport = SlowFirst()
        let client = TollgateClient(transport: transport)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try? await client.unaryBytes(
                    Methods.DiagnosticsService.ping, [], options: options(hedge: 50_000))
            }
            while transport.attempts == 0 { await Task.yield() }
            group.cancelAll()
        }
        #expect(transport.cancelled == 1)
        #expect(transport.attempts == 1)
    }

    /// Addresses of a fixed list; nothing is looked up.
    private struct Numbers: AddressResolver {
        func resolve(
            _ target: ServerAddress, on eventLoop: any EventLoop
        ) -> EventLoopFuture<[ServerAddress]> { eventLoop.makeSucceededFuture([target]) }
    }

    private func cluster(
        _ hosts: [String], _ strategy: BalancingStrategy, _ visits: Visits,
        answers: @escaping @Sendable (_ host: String, _ visit: Int) -> Visits.Answer
    ) -> ClusterTransport {
        ClusterTransport(
            hosts.map { ServerAddress(host: $0, port: 1) }, strategy: strategy,
            resolver: Numbers()
        ) { address in VisitedServer(host: address.host, visits: visits, answers: answers) }
    }

    @Test(arguments: BalancingStrategy.allCases, [nil, "account-7"])
    func `a hedge goes to another server than the first attempt`(
        strategy: BalancingStrategy, key: String?
    ) async throws {
        for _ in 0..<20 {
            let visits = Visits()
            // Who is asked first never answers.
            let transport = cluster(["a", "b"], strategy, visits) { _, visit in
                visit == 1 ? .never : .bytes([2])
            }
            let client = TollgateClient(transport: transport)
            var options = options(hedge: 1)
            options.affinityKey = key
            let answer = try await client.unaryBytes(
                Methods.DiagnosticsService.ping, [], options: options)
            #expect(answer == [2])
            #expect(visits.all.count == 2)
            #expect(Set(visits.all).count == 2, "\(visits.all)")
            try await closeChecked(client)
        }
    }

    /// Also if it is due before the first attempt has gone anywhere.
    @Test(arguments: [0, 1] as [Int64])
    func `where there is no second server there is no hedge, and none is spent`(
        after: Int64
    ) async throws {
        let visits = Visits()
        let transport = cluster(["a"], .leastLatency, visits) { _, visit in
            visit == 1 ? .late : .bytes([2])
        }
        let retries = RetryPolicy(retriesInHand: 0, hedgesInHand: 1)
        let client = TollgateClient(transport: transport, retries: retries)
        let answer = try await client.unaryBytes(
            Methods.DiagnosticsService.ping, [], options: options(hedge: after))
        #expect(answer == [1])
        #expect(visits.all == ["a"])
        try await closeChecked(client)

        let others = Visits()
        let pair = cluster(["a", "b"], .roundRobin, others) { _, visit in
            visit == 1 ? .never : .bytes([2])
        }
        let another = TollgateClient(transport: pair, retries: retries)
        let hedged = try await another.unaryBytes(
            Methods.DiagnosticsService.ping, [], options: options(hedge: 1))
        #expect(hedged == [2])
        try await closeChecked(another)
    }

    @Test func `an address that was put aside is no second server`() async throws {
        let visits = Visits()
        let transport = cluster(["a", "b"], .roundRobin, visits) { host, visit in
            visit == 1 ? .gone : visit == 2 ? .bytes([1]) : visit == 3 ? .late : .bytes([2])
        }
        // Else it would come back when its time is over.
        let supervision = Task { await transport.supervise { _ in false } }
        while transport.supervisorCount == 0 { await Task.yield() }
        let client = TollgateClient(transport: transport)
        for hedge in [nil, 1] as [Int64?] {
            let answer = try await client.unaryBytes(
                Methods.DiagnosticsService.ping, [], options: options(hedge: hedge))
            #expect(answer == [1])
        }
        let places = visits.all
        #expect(places.count == 3)
        #expect(Set(places.dropFirst()).count == 1)
        #expect(places.first != places.last)
        try await closeChecked(client)
        await supervision.value
    }

    @Test(arguments: BalancingStrategy.allCases, [nil, "account-7"])
    func `a retry goes to another server than the one that has just failed`(
        strategy: BalancingStrategy, key: String?
    ) async throws {
        for _ in 0..<20 {
            let visits = Visits()
            let transport = cluster(["a", "b"], strategy, visits) { _, visit in
                visit < 3 ? .failure : .bytes([2])
            }
            let client = TollgateClient(transport: transport)
            var options = options(hedge: nil)
            options.affinityKey = key
            let answer = try await client.unaryBytes(
                Methods.DiagnosticsService.ping, [], options: options)
            #expect(answer == [2])
            let places = visits.all
            #expect(places.count == 3)
            #expect(zip(places, places.dropFirst()).allSatisfy { $0 != $1 }, "\(places)")
            try await closeChecked(client)
        }
    }
}

/// Which servers were asked, in order.
private final class Visits: Sendable {
    enum Answer {
        case bytes([UInt8])
        case failure
        case gone
        case never
        /// What a hedge that is sent would have been answered before: the byte 1.
        case late
    }

    private let hosts: Mutex<[String]> = Mutex([])

    var all: [String] { hosts.withLock { $0 } }

    /// Notes a visit; which one of all it is, from 1.
    func note(_ host: String) -> Int {
        hosts.withLock { hosts in
            hosts.append(host)
            return hosts.count
        }
    }
}

/// A server of a cluster that notes who asks it.
private struct VisitedServer: ClientTransport {
    let host: String
    let visits: Visits
    let answers: @Sendable (_ host: String, _ visit: Int) -> Visits.Answer

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        switch answers(host, visits.note(host)) {
        case .bytes(let bytes): return bytes
        case .failure:
            throw RPCError(code: RPCError.Code.endOfFile, text: "broken off")
        case .gone:
            throw RPCError(
                code: RPCError.Code.connectionRefused, text: "nobody", isNotProcessed: true)
        case .late:
            try? await Task.sleep(for: .milliseconds(200))
            return [1]
        case .never:
            try? await Task.sleep(for: .seconds(60))
            throw RPCError(code: RPCError.Code.cancelled, text: "cancelled")
        }
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        throw RPCError(code: RPCError.Code.badRequest, text: "no streams here")
    }

    func close() async {}
}
