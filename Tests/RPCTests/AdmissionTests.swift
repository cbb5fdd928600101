import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// Who may connect, and who may call what.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AdmissionTests {
    @Test(arguments: Reach.allCases, [nil, "stranger"])
    func aConnectionWithoutAGoodCredentialIsRefused(reach: Reach, credential: String?) async throws
    {
        try await withTestServer(reach, credential: credential) { (transport, _) async throws in
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
            #expect(error?.code == RPCError.Code.unauthenticated)
            #expect(error?.failure.code == .unauthenticated)
        }
    }

    @Test func aRefusedConnectionIsAnsweredBareAndClosed() async throws {
        try await withTestServer(.socket) { (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    try plainRequest("test.Service", "Count", id: 3) {
                        $0.authenticationData = Array("stranger".utf8)
                        $0.streamSettings = StreamSettings(
                            streamID: 5, needFeedback: false, writable: true)
                    })
                let frame = try #require(try await peer.frame())
                #expect(frame.kind == .call)
                #expect(try frame.callMeta().response?.errorCode == 1_004)
                #expect(try frame.callMeta().correlationID == 3)
                #expect(await peer.isClosed())
            }
        }
    }

    /// A verifier whose secret got lost must not admit whoever shows nothing.
    @Test func anEmptyCredentialIsNone() async throws {
        let configuration = testConfiguration { $0.credentials = .verified(by: Credulous()) }
        try await withTestServer(.socket, configuration: configuration) {
            (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    try plainRequest("test.Service", "AdminOnly", id: 3) {
                        $0.authenticationData = []
                    })
                let meta = try #require(try await peer.frame()).callMeta()
                #expect(meta.response?.errorCode == RPCError.Code.unauthenticated)
            }
        }
    }

    @Test func requestsThatCameWithTheFirstWaitForItsCredential() async throws {
        try await withTestServer(.socket) { (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                var burst = ByteBuffer()
                for id in 1...10 as ClosedRange<Int64> {
                    burst.writeImmutableBuffer(
                        try plainRequest("test.Service", "Echo", id: id) {
                            if id == 1 { $0.authenticationData = Array("web".utf8) }
                        })
                }
                try await peer.send(burst)
                for id in 1...10 as ClosedRange<Int64> {
                    let meta = try #require(try await peer.frame()).callMeta()
                    #expect(meta.correlationID == id)
                    #expect(meta.response?.errorCode == 0)
                }
            }
        }
    }

    @Test func aRoleMayCallOnlyWhatItsMethodsSay() async throws {
        let verdicts: [(MethodDescriptor, String, Failure.Code?)] = [
            (TestMethods.jobsOnly, "web", .forbidden), (TestMethods.jobsOnly, "jobs", nil),
            (TestMethods.adminOnly, "jobs", .forbidden), (TestMethods.adminOnly, "admin", nil),
            (TestMethods.signedIn, "web", .unauthenticated),
        ]
        for (method, credential, code) in verdicts {
            try await withTestServer(credential: credential) { (transport, _) async throws in
                let error = await errorOf { _ = try await transport.answer(call(method)) }
                #expect(error?.failure.code == code)
            }
        }
    }

    @Test func aPersonsAuthorizationGoesWithTheCall() async throws {
        try await withTestServer { (transport, _) async throws in
            let signedIn = call(
                TestMethods.signedIn, [1], userFields: ["authorization": "session"])
            #expect(try await transport.answer(signedIn) == [1])
        }
    }

    @Test func anInterceptorSeesTheCallAndCanRefuseIt() async throws {
        let events = Events()
        try await withTestServer(
            configuration: testConfiguration {
                $0.interceptors = [RefusingInterceptor(events: events)]
            }
        ) { (transport, _) async throws in
            #expect(try await transport.answer(call(TestMethods.echo, [1])) == [1])
            let frozen = call(TestMethods.echo, userFields: ["authorization": "frozen"])
            let error = await errorOf { _ = try await transport.answer(frozen) }
            #expect(error?.failure == Failure(.accountFrozen, "Ask the operator."))
            #expect(events.all == ["test.Service/Echo by web", "test.Service/Echo by web"])
        }
    }

    @Test(arguments: Reach.allCases)
    func `interceptors see how a call ended, the last first, but not one they never let through`(
        reach: Reach
    ) async throws {
        let events = Events()
        let seen = Events()
        try await withTestServer(
            reach, events: events,
            configuration: testConfiguration {
                $0.interceptors = [
                    SeeingInterceptor(name: "one", events: seen),
                    SeeingInterceptor(name: "two", events: seen),
                    RefusingInterceptor(events: events),
                    SeeingInterceptor(name: "last", events: seen),
                ]
            }
        ) { (transport, _) async throws in
            #expect(try await transport.answer(call(TestMethods.echo, [1])) == [1])
            #expect(await seen.wait(for: "one Echo done true"))
            let frozen = call(TestMethods.echo, userFields: ["authorization": "frozen"])
            let error = await errorOf { _ = try await transport.answer(frozen) }
            #expect(error?.failure == Failure(.accountFrozen, "Ask the operator."))
        }
        #expect(
            seen.all == [
                "one sees Echo", "two sees Echo", "last sees Echo", "last Echo done true",
                "two Echo done true", "one Echo done true", "one sees Echo", "two sees Echo",
                "two Echo failed: Failure true", "one Echo failed: Failure true",
            ])
    }

    @Test func aConnectionsCallsAreLimited() async throws {
        let events = Events()
        try await withTestServer(.socket, events: events) { (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                var burst = ByteBuffer()
                let limit = Int64(Limits.rpcCallsInFlightPerConnection)
                try await peer.send(
                    try plainRequest("test.Service", "Echo", id: 0) {
                        $0.authenticationData = Array("web".utf8)
                    })
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 0)
                for id in 1...limit + 1 {
                    burst.writeImmutableBuffer(try plainRequest("test.Service", "Hang", id: id))
                }
                try await peer.send(burst)
                let meta = try #require(try await peer.frame()).callMeta()
                #expect(meta.response?.errorCode == RPCError.Code.limit)
                #expect(meta.correlationID == limit + 1)
            }
            #expect(await events.wait(for: "hang cancelled"))
        }
    }

    @Test func aServerThatAnyMachineCouldReachIsNotMade() {
        var configuration = RPCServerConfiguration(credentials: .verified(by: NamedRoles()))
        configuration.host = "0.0.0.0"
        #expect(throws: RPCServerError.addressBeyondLoopback("0.0.0.0")) {
            try RPCServer(configuration, services: [])
        }
        configuration.isInsecure = true
        #expect(throws: Never.self) { try RPCServer(configuration, services: []) }
    }
}

private struct Credulous: CredentialVerifier {
    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        ConnectionIdentity(name: "admin", role: .admin)
    }
}

private struct RefusingInterceptor: CallInterceptor {
    let events: Events

    func intercept(_ context: ServerCallContext) async throws {
        await Task.yield()
        events.report("\(context.method.fullName) by \(context.identity?.name ?? "nobody")")
        if context.authorization == "frozen" {
            throw Failure(.accountFrozen, "Ask the operator.")
        }
    }
}

/// Says what it sees of each call.
private struct SeeingInterceptor: CallInterceptor {
    let name: String
    let events: Events

    func intercept(_ context: ServerCallContext) async throws {
        events.report("\(name) sees \(context.method.name)")
    }

    func didServe(_ context: ServerCallContext, duration: Duration, error: (any Error)?) async {
        await Task.yield()
        let end = error.map { "failed: \(type(of: $0))" } ?? "done"
        events.report("\(name) \(context.method.name) \(end) \(duration > .zero)")
    }
}
