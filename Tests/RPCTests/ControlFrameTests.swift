import NIOCore
import NIOPosix
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Pings, dead peers, go-away, and the hints beside calls.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ControlFrameTests {
    private func withServer(
        keepalive: Keepalive = Keepalive(), events: Events = Events(),
        _ body: (RPCServer) async throws -> Void
    ) async throws {
        try await withTestServer(
            .socket, events: events,
            configuration: testConfiguration {
                $0.credentials = .none
                $0.keepalive = keepalive
            }
        ) { (_, server) async throws in try await body(server) }
    }

    // MARK: Life

    @Test func `a ping is answered to a peer that announced itself, and to no other`() async throws
    {
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                var burst = try controlPacket(.ping)
                burst.writeImmutableBuffer(try announced("Echo", id: 1))
                burst.writeImmutableBuffer(try controlPacket(.pong))
                burst.writeImmutableBuffer(try controlPacket(.ping))
                try await peer.send(burst)
                #expect(try await peer.frame()?.callMeta().correlationID == 1)
                let pong = try #require(try await peer.frame()).callMeta()
                #expect(pong.correlationID == 0)
                #expect(pong.envelopeExtension?.control == .pong)
            }
        }
    }

    @Test func `a silent peer is asked, and closed if it stays silent`() async throws {
        let keepalive = Keepalive(silenceMilliseconds: 100, patienceMilliseconds: 1_500)
        try await withServer(keepalive: keepalive) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try announced("Echo", id: 1))
                #expect(try await peer.frame()?.callMeta().correlationID == 1)
                for _ in 0..<2 {
                    let ping = try #require(try await peer.frame()).callMeta()
                    #expect(ping.envelopeExtension?.control == .ping)
                    try await peer.send(try controlPacket(.pong))
                }
                #expect(try await peer.frame()?.callMeta().envelopeExtension?.control == .ping)
                #expect(try await peer.frame() == nil)
            }
        }
    }

    @Test func `a plain peer may be silent`() async throws {
        let keepalive = Keepalive(silenceMilliseconds: 50, patienceMilliseconds: 50)
        try await withServer(keepalive: keepalive) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try plainRequest("test.Service", "Echo", id: 1))
                #expect(try await peer.frame()?.callMeta().correlationID == 1)
                try await Task.sleep(for: .milliseconds(500))
                try await peer.send(try plainRequest("test.Service", "Echo", id: 2))
                #expect(try await peer.frame()?.callMeta().correlationID == 2)
            }
        }
    }

    @Test func `an idle connection between our own ends stays open`() async throws {
        let keepalive = Keepalive(silenceMilliseconds: 50, patienceMilliseconds: 5_000)
        try await withServer(keepalive: keepalive) { server in
            let address = try #require(try await server.address)
            let transport = SocketTransport(
                .address(host: address.host, port: address.port), credential: nil,
                keepalive: keepalive)
            _ = try await transport.answer(call(TestMethods.echo))
            try await Task.sleep(for: .milliseconds(600))
            #expect(try await server.population.connections == 1)
            await transport.close()
        }
    }

    /// Half-open: the socket says nothing, and nothing comes.
    @Test func `a client gives a dead server up`() async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let transport = SocketTransport(
            .address(host: "127.0.0.1", port: port), credential: nil,
            keepalive: Keepalive(silenceMilliseconds: 50, patienceMilliseconds: 100))
        let error = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
        #expect(error?.code == RPCError.Code.connectionFailed)
        #expect(error?.isNotProcessed == false)
        await transport.close()
        try await listener.close().get()
    }

    @Test func `a probe asks after silence, and gives up after patience`() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var probe = LivenessProbe(Keepalive(silenceMilliseconds: 100, patienceMilliseconds: 30))
        func check(_ now: Int64, heard: Int64) -> LivenessProbe.Action {
            probe.check(start + .milliseconds(now), lastHeard: start + .milliseconds(heard))
        }
        #expect(check(99, heard: 0) == .wait)
        #expect(check(100, heard: 0) == .ask)
        #expect(check(129, heard: 0) == .wait)
        #expect(check(129, heard: 120) == .wait)
        #expect(probe.due(lastHeard: start + .milliseconds(120)) == start + .milliseconds(220))
        #expect(check(220, heard: 120) == .ask)
        #expect(check(250, heard: 120) == .giveUp)
    }

    // MARK: Go-away

    @Test func `a stopping server tells those who understand, and refuses the others`() async throws
    {
        let events = Events()
        try await withServer(events: events) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try announced("Gated", id: 41))
                #expect(await events.wait(for: "gated started"))
                server.drain()
                let goAway = try #require(try await peer.frame()).callMeta()
                #expect(goAway.correlationID == 0)
                #expect(goAway.envelopeExtension?.control == .goAway)
                #expect(goAway.envelopeExtension?.lastAccepted == 41)
                #expect((goAway.envelopeExtension?.graceMilliseconds ?? 0) > 0)
                try await peer.send(try announced("Echo", id: 42))
                let refusal = try #require(try await peer.frame()).callMeta()
                #expect(refusal.response?.errorCode == RPCError.Code.loggedOff)
                #expect(refusal.envelopeExtension?.notProcessed == true)
                events.report("gate opened")
                let answer = try #require(try await peer.frame()).callMeta()
                #expect(answer.correlationID == 41)
                #expect(answer.response?.errorCode == 0)
            }
        }
    }

    @Test func `a plain peer of a stopping server is told by 2003`() async throws {
        let events = Events()
        try await withServer(events: events) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try plainRequest("test.Service", "Gated", id: 1))
                #expect(await events.wait(for: "gated started"))
                server.drain()
                var code: Int32 = 0
                var id: Int64 = 2
                while code == 0 {
                    try await peer.send(try plainRequest("test.Service", "Echo", id: id))
                    let meta = try #require(try await peer.frame()).callMeta()
                    #expect(meta.correlationID == id)
                    #expect(meta.envelopeExtension == nil)
                    code = meta.response?.errorCode ?? 0
                    id += 1
                }
                #expect(code == RPCError.Code.loggedOff)
                events.report("gate opened")
                #expect(try await peer.frame()?.callMeta().correlationID == 1)
            }
        }
    }

    @Test(arguments: Reach.allCases)
    func `a drain under load loses no accepted call`(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, server) async throws in
            _ = try await transport.answer(call(TestMethods.echo))
            let outcomes = try await withThrowingTaskGroup(of: (Int, Int, Int).self) { group in
                for caller in 0..<16 as Range<UInt8> {
                    group.addTask { () async throws in
                        var (answered, refused, lost) = (0, 0, 0)
                        for number in 0..<200 as Range<UInt8> {
                            let payload = [caller, number]
                            do {
                                let answer = try await transport.answer(
                                    call(TestMethods.echo, payload))
                                if answer == payload { answered += 1 } else { lost += 1 }
                            } catch {
                                let isRefusal = (error as? RPCError)?.isNotProcessed == true
                                if isRefusal { refused += 1 } else { lost += 1 }
                                // Later calls would only wait for a server that is gone.
                                break
                            }
                            if caller == 0, number == 100 { server.drain() }
                        }
                        return (answered, refused, lost)
                    }
                }
                var sum = (0, 0, 0)
                for try await (answered, refused, lost) in group {
                    sum = (sum.0 + answered, sum.1 + refused, sum.2 + lost)
                }
                return sum
            }
            #expect(outcomes.2 == 0)
            #expect(outcomes.0 > 100)
            #expect(outcomes.1 > 0)
        }
    }

    @Test func `calls beyond the last accepted fail as not begun, the others go on`() throws {
        var machine = ClientConnectionStateMachine<String>()
        let deadline = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for name in ["a", "b", "c"] {
            _ = try machine.begin(name, deadline: deadline, opensStream: false)
        }
        var goAway = EnvelopeExtension()
        goAway.control = .goAway
        goAway.lastAccepted = 1
        guard case .retire(let refused) = machine.receiveControl(goAway) else {
            Issue.record("the client stays")
            return
        }
        #expect(refused == ["b", "c"])
        #expect(machine.callCount == 1)
        #expect(throws: RPCError.self) {
            try machine.begin("d", deadline: deadline, opensStream: false)
        }
        var response = RpcMeta()
        response.correlationID = 1
        guard case .succeed("a") = machine.receive(response) else {
            Issue.record("an accepted call was lost")
            return
        }
    }

    // MARK: Hints

    @Test(arguments: CallPriority.allCases)
    func `a call's priority reaches its handler`(priority: CallPriority) async throws {
        try await withTestServer { (transport, _) async throws in
            var outgoing = call(TestMethods.fields)
            outgoing.priority = priority
            let response = try await transport.exchange(outgoing)
            #expect(response.userFields == ["priority": "\(priority)"])
        }
    }

    @Test func `a priority beyond ours is the nearest of ours`() {
        #expect(CallPriority(wire: nil) == .normal)
        #expect(CallPriority(wire: .min) == .background)
        #expect(CallPriority(wire: .max) == .critical)
    }

    @Test(arguments: Reach.allCases)
    func `a call that wants no answer is handled and not answered`(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, _) async throws in
            try await transport.tell(call(TestMethods.fields))
            #expect(await events.wait(for: "fields normal"))
        }
    }

    @Test func `neither results nor errors nor refusals come back to no_reply`() async throws {
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                for (id, method) in [(1, "Echo"), (2, "Fail"), (3, "Nope")] as [(Int64, String)] {
                    try await peer.send(
                        try announced(method, id: id) { $0.envelopeExtension?.noReply = true })
                }
                try await peer.send(try announced("Echo", id: 4))
                #expect(try await peer.frame()?.callMeta().correlationID == 4)
            }
        }
    }

    @Test func `a failed answer says when to come back, and whether it was begun`() async throws {
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try announced("Fail", id: 1))
                let failed = try #require(try await peer.frame()).callMeta()
                #expect(failed.envelopeExtension?.retryAfterMilliseconds == 1_500)
                #expect(failed.envelopeExtension?.notProcessed == nil)
                try await peer.send(try announced("Nope", id: 2))
                let unknown = try #require(try await peer.frame()).callMeta()
                #expect(unknown.envelopeExtension?.notProcessed == true)
            }
        }
    }
}
