import NIOCore
import Synchronization
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What a call keeps in memory beside what it counts for.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PinnedBytesTests {
    /// What a handler was given: texts, and the memory that they lie in.
    private struct Given: Hashable {
        var payload: String
        var attachment: String
        var payloadMemory: Int
        var attachmentMemory: Int
    }

    private final class Calls: Sendable {
        private let given: Mutex<[Given]> = Mutex([])

        var all: [Given] { given.withLock { $0 } }

        var service: ServiceRegistration {
            ServiceRegistration(
                name: "test.Service",
                methods: [
                    .raw(TestMethods.echo) { [self] payload, context in
                        let call = Given(
                            payload: String(buffer: payload),
                            attachment: String(buffer: context.attachment),
                            payloadMemory: payload.storageCapacity,
                            attachmentMemory: context.attachment.storageCapacity)
                        given.withLock { $0.append(call) }
                        return payload
                    }
                ])
        }
    }

    private func short(_ id: Int64) throws -> ByteBuffer {
        try plainRequest(
            "test.Service", "Echo", id: id, payload: "short \(id)", attachment: "beside \(id)")
    }

    @Test(arguments: [200_000, 1_024 * 1_024])
    func `a call does not keep the long packet before it`(count: Int) throws {
        let calls = Calls()
        let server = try EmbeddedServer(services: [calls.service])
        let long = String(repeating: "x", count: count)
        for id in 1...8 as ClosedRange<Int64> {
            var read = try plainRequest("test.Service", "Nothing", id: 100 + id, payload: long)
            read.writeImmutableBuffer(try short(id))
            try server.receive(read)
        }
        #expect(calls.all.count == 8)
        for (id, call) in zip(1..., calls.all) {
            #expect(call.payload == "short \(id)")
            #expect(call.attachment == "beside \(id)")
            #expect(call.payloadMemory <= 1_024)
            #expect(call.attachmentMemory <= 1_024)
        }
        try server.close()
    }

    /// A copy costs a call as much as all else of its reading.
    @Test func `calls that come together are left where they are`() throws {
        let calls = Calls()
        let server = try EmbeddedServer(services: [calls.service])
        var read = ByteBuffer()
        read.reserveCapacity(Limits.rpcSharedReadBytes)
        for id in 1...100 as ClosedRange<Int64> { read.writeImmutableBuffer(try short(id)) }
        try server.receive(read)
        #expect(calls.all.count == 100)
        #expect(calls.all.allSatisfy { $0.payloadMemory == read.storageCapacity })
        try server.close()
    }

    @Test func `a long call is not copied`() throws {
        let calls = Calls()
        let server = try EmbeddedServer(services: [calls.service])
        let long = String(repeating: "x", count: 300_000)
        let read = try plainRequest("test.Service", "Echo", id: 1, payload: long)
        try server.receive(read)
        #expect(calls.all.map(\.payloadMemory) == [read.storageCapacity])
        try server.close()
    }

    @Test func `a call's metadata counts as long as it runs`() async throws {
        let events = Events()
        let configuration = testConfiguration { $0.limits.bytesInFlightPerConnection = 64 * 1_024 }
        let fields = ["note": String(repeating: "n", count: 40_000)]
        try await withTestServer(events: events, configuration: configuration) {
            (transport, server) async throws in
            async let first = transport.answer(call(TestMethods.gated, [1], userFields: fields))
            #expect(await events.wait(for: "gated started"))
            #expect(server.core.edge.countedBytes.inFlight > 40_000)
            let error = await errorOf {
                _ = try await transport.answer(call(TestMethods.echo, [1], userFields: fields))
            }
            #expect(error?.code == RPCError.Code.limit)
            events.report("gate opened")
            #expect(try await first == [1])
            let again = call(TestMethods.echo, [1], userFields: fields)
            #expect(try await transport.answer(again) == [1])
        }
    }
}
