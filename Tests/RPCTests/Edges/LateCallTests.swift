import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What calls that end without an answer tell the limiter of their method.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LateCallTests {
    /// A server whose Echo answers nothing at once and hangs over everything else, and whose limit
    /// follows the latency after every four calls.
    private func withServer(
        events: Events = Events(), _ body: (RPCServer, MethodGate) async throws -> Void
    ) async throws {
        var settings = GradientLimiter.Settings()
        settings.minimum = 2
        settings.initial = 100
        settings.maximum = 100
        settings.window = .zero
        settings.windowCalls = 4
        let configuration = testConfiguration { [settings] in $0.limits.adaptive = settings }
        let service = ServiceRegistration(
            name: "test.Service",
            methods: [
                .raw(TestMethods.echo) { payload, _ in
                    if payload.readableBytes > 0 {
                        events.report("hangs")
                        try await Task.sleep(for: .seconds(60))
                    }
                    return payload
                }
            ])
        try await withCountedServer(configuration, services: [service]) { server in
            let gate = try Array("test.Service".utf8).withUnsafeBytes { service in
                try Array("Echo".utf8).withUnsafeBytes { method in
                    try server.core.router.find(service: service, method: method).gate
                }
            }
            try await body(server, gate)
        }
    }

    private func waitForNobody(_ gate: MethodGate) async throws {
        for _ in 0..<2_000 where gate.inFlight > 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(gate.inFlight == 0)
    }

    @Test func `calls that outlast their deadline lower their method's limit`() async throws {
        try await withServer { server, gate in
            try await RawPeer.connect(to: server) { peer in
                // A peer that does not cancel: the server alone sees that it is late.
                for id in 1...8 as ClosedRange<Int64> {
                    let request = try plainRequest(
                        "test.Service", "Echo", id: id, payload: id > 4 ? "hang" : ""
                    ) {
                        $0.authenticationData = Array("web".utf8)
                        if id > 4 { $0.request?.timeoutMilliseconds = 60 }
                    }
                    try await peer.send(request)
                    let code = try await peer.frame()?.callMeta().response?.errorCode
                    #expect(code == (id > 4 ? RPCError.Code.timedOut : 0))
                }
            }
            try await waitForNobody(gate)
            #expect(gate.adaptiveLimit.map { $0 < 100 } == true, "\(gate.adaptiveLimit ?? -1)")
        }
    }

    @Test func `a caller's own look at the deadline counts as the server's`() async throws {
        try await withServer { server, gate in
            let transport = SocketTransport(.inProcess(server), credential: Array("web".utf8))
            for number in 1...8 {
                let late = call(TestMethods.echo, number > 4 ? [1] : [], milliseconds: 60)
                let quick = call(TestMethods.echo)
                let error = await errorOf {
                    _ = try await transport.answer(number > 4 ? late : quick)
                }
                #expect(error?.code == (number > 4 ? RPCError.Code.timedOut : nil))
            }
            try await waitForNobody(gate)
            #expect(gate.adaptiveLimit.map { $0 < 100 } == true, "\(gate.adaptiveLimit ?? -1)")
            await transport.close()
        }
    }

    @Test func `calls that their callers cancel leave the limit alone`() async throws {
        let events = Events()
        try await withServer(events: events) { server, gate in
            let transport = SocketTransport(.inProcess(server), credential: Array("web".utf8))
            for _ in 1...4 { _ = try await transport.answer(call(TestMethods.echo)) }
            let hanging = (1...8).map { _ in
                Task {
                    await errorOf { _ = try await transport.answer(call(TestMethods.echo, [1])) }
                }
            }
            while events.all.count < 8 { try await Task.sleep(for: .milliseconds(5)) }
            for task in hanging { task.cancel() }
            for task in hanging { #expect(await task.value?.code == RPCError.Code.cancelled) }
            try await waitForNobody(gate)
            #expect(gate.adaptiveLimit == 100)
            await transport.close()
        }
    }
}
