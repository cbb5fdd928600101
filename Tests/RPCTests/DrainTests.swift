import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// A server that stops loses no call it admitted.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DrainTests {
    @Test(arguments: Reach.allCases)
    func runningCallsAreAnsweredAndNewOnesRefused(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, server) async throws in
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for number in 0..<50 as Range<UInt8> {
                    group.addTask { try await transport.answer(call(TestMethods.gated, [number])) }
                }
                while events.all.count < 50 { try await Task.sleep(for: .milliseconds(2)) }
                server.drain()
                var refusal: RPCError?
                while refusal == nil {
                    refusal = await errorOf {
                        _ = try await transport.answer(call(TestMethods.echo))
                    }
                }
                // On the old connection, or because no new one is made.
                #expect(refusal?.isNotProcessed == true)
                events.report("gate opened")
                var answers: Set<UInt8> = []
                for try await answer in group { answers.formUnion(answer) }
                #expect(answers == Set(0..<50))
            }
        }
    }

    @Test func callsThatOutlastTheGraceAreCancelled() async throws {
        let events = Events()
        try await withTestServer(
            events: events, configuration: testConfiguration { $0.drainGraceMilliseconds = 50 }
        ) { (transport, server) async throws in
            async let hanging = errorOf {
                _ = try await transport.answer(call(TestMethods.hang))
            }
            #expect(await events.wait(for: "hang started"))
            server.drain()
            #expect(await hanging?.failure.code == .cancelled)
            #expect(events.all.contains("hang cancelled"))
        }
    }

    @Test func callsAreCountedWhileTheyRun() async throws {
        let events = Events()
        try await withTestServer(events: events) { (transport, server) async throws in
            #expect(try await server.population.calls == 0)
            let stream = try await transport.openStream(call(TestMethods.hangStream, [1]))
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for number in 0..<3 as Range<UInt8> {
                    group.addTask { try await transport.answer(call(TestMethods.gated, [number])) }
                }
                while events.all.filter({ $0 == "gated started" }).count < 3 {
                    try await Task.sleep(for: .milliseconds(2))
                }
                #expect(try await server.population.calls == 4)
                events.report("gate opened")
                for try await _ in group {}
            }
            #expect(try await server.population.calls == 1)
            let refused = await errorOf { _ = try await transport.answer(call(TestMethods.fail)) }
            #expect(refused != nil)
            #expect(try await server.population.calls == 1)
            stream.cancel()
            #expect(await events.wait(for: "stream cancelled"))
        }
    }

    @Test func aLostConnectionsCallsAreCountedNoMore() throws {
        let events = Events()
        let server = try EmbeddedServer(events: events)
        for id in 1...2 as ClosedRange<Int64> {
            try server.receive(try plainRequest("test.Service", "Hang", id: id))
        }
        // Its handler waits for room, and what it wrote for the socket.
        try server.receive(
            try plainRequest("test.Service", "Flood", id: 3) {
                $0.streamSettings = StreamSettings(streamID: 3, needFeedback: false, writable: true)
            })
        #expect(server.context.callCount == 3)
        server.channel.close(promise: nil)
        server.loop.run()
        #expect(events.all.count { $0 == "hang cancelled" } == 2)
        #expect(server.context.callCount == 0)
        try server.close()
    }

    @Test func cancellingTheServersTaskDrainsIt() async throws {
        let events = Events()
        let server = try RPCServer(
            {
                var configuration = RPCServerConfiguration(credentials: .none)
                configuration.host = nil
                return configuration
            }(), services: testServices(events))
        let running = Task { try await server.run() }
        _ = try await server.address
        let transport = SocketTransport(.inProcess(server), credential: nil)
        async let answer = transport.answer(call(TestMethods.slow, [1]))
        #expect(await events.wait(for: "slow started"))
        running.cancel()
        #expect(try await answer == [1])
        try await running.value
        await transport.close()
    }

    @Test func aServerThatCannotListenSaysSo() async throws {
        try await withTestServer(.socket) { (_, server) async throws in
            let address = try #require(try await server.address)
            var configuration = RPCServerConfiguration(credentials: .none)
            configuration.port = address.port
            let second = try RPCServer(configuration, services: [])
            await #expect(throws: RPCServerError.self) { try await second.run() }
            await #expect(throws: RPCServerError.self) { try await second.address }
        }
    }
}
