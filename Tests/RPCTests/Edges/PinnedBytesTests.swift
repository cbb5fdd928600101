import NIOCore
import NIOEmbedded
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

    /// Calls that wait until they are let go, on one event loop; what each was given.
    private final class Waiting: Sendable {
        private let all: Mutex<[CheckedContinuation<Void, Never>]> = Mutex([])
        let memory: Mutex<[Int]> = Mutex([])

        var service: ServiceRegistration {
            ServiceRegistration(
                name: "test.Service",
                methods: [
                    .raw(TestMethods.gated) { [self] payload, context in
                        memory.withLock { $0.append(payload.storageCapacity) }
                        await wait()
                        return payload
                    },
                    .rawServerStreaming(TestMethods.count) { [self] payload, _, stream in
                        memory.withLock { $0.append(payload.storageCapacity) }
                        await wait()
                        try await stream.write(payload)
                    },
                    .raw(TestMethods.echo) { payload, _ in payload },
                ])
        }

        private func wait() async {
            await withCheckedContinuation { continuation in
                all.withLock { $0.append(continuation) }
            }
        }

        func letGo(_ count: Int) {
            let first = all.withLock { all in
                defer { all.removeFirst(count) }
                return all.prefix(count)
            }
            for continuation in first { continuation.resume() }
        }
    }

    /// A read of so many calls that wait, among many that do not.
    private func read(_ methods: [MethodDescriptor]) throws -> ByteBuffer {
        var read = ByteBuffer()
        read.reserveCapacity(Limits.rpcSharedReadBytes)
        for (id, method) in zip((1 as Int64)..., methods) {
            read.writeImmutableBuffer(
                try plainRequest("test.Service", method.name, id: id, payload: "short") {
                    $0.authenticationData = Array("web".utf8)
                    if method.streaming == .unary { return }
                    $0.streamSettings = StreamSettings(
                        streamID: id, needFeedback: false, writable: true)
                })
        }
        return read
    }

    @Test func `a read that calls wait in counts once, and until the last of them ends`() throws {
        let waiting = Waiting()
        let server = try EmbeddedServer(services: [waiting.service])
        let methods = [
            TestMethods.echo, TestMethods.gated, TestMethods.count, TestMethods.echo,
            TestMethods.gated,
        ]
        let first = try read(methods)
        try server.receive(first)
        #expect(waiting.memory.withLock { $0 } == Array(repeating: first.storageCapacity, count: 3))
        #expect(server.edge.pinnedBytes == first.storageCapacity)
        // They are answered at once, and keep nothing.
        try server.receive(try read([TestMethods.echo, TestMethods.echo]))
        #expect(server.edge.pinnedBytes == first.storageCapacity)
        try server.receive(try read([TestMethods.gated]))
        #expect(server.edge.pinnedBytes == 2 * first.storageCapacity)
        waiting.letGo(2)
        server.loop.run()
        #expect(server.edge.pinnedBytes == 2 * first.storageCapacity)
        waiting.letGo(1)
        server.loop.run()
        #expect(server.edge.pinnedBytes == first.storageCapacity)
        waiting.letGo(1)
        server.loop.run()
        #expect(server.edge.pinnedBytes == 0)
        #expect(try server.release().count == 10)
        try server.close()
    }

    @Test func `beyond the bound a call does not keep what it was read with`() throws {
        let waiting = Waiting()
        var limits = ServerLimits()
        limits.pinnedBytes = 2 * Limits.rpcSharedReadBytes
        let server = try EmbeddedServer(services: [waiting.service], limits: limits)
        for _ in 0..<5 {
            try server.receive(try read([TestMethods.gated, TestMethods.count]))
        }
        #expect(server.edge.pinnedBytes == limits.pinnedBytes)
        let memory = waiting.memory.withLock { $0 }
        #expect(memory.prefix(4).allSatisfy { $0 == Limits.rpcSharedReadBytes })
        #expect(memory.dropFirst(4).count == 6)
        #expect(memory.dropFirst(4).allSatisfy { $0 <= 1_024 })
        waiting.letGo(10)
        server.loop.run()
        #expect(server.edge.pinnedBytes == 0)
        try server.close()
    }

    /// Calls every credential good once it is let go.
    private final class Gate: CredentialVerifier {
        private let checked: Mutex<CheckedContinuation<Void, Never>?> = Mutex(nil)

        func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
            await withCheckedContinuation { continuation in
                checked.withLock { $0 = continuation }
            }
            return ConnectionIdentity(name: "web", role: .web)
        }

        func letGo() { checked.withLock { $0.take() }?.resume() }
    }

    @Test func `calls that waited for a credential count for the read each came in`() throws {
        let waiting = Waiting()
        let gate = Gate()
        let server = try EmbeddedServer(services: [waiting.service], verifier: gate)
        let first = try read([TestMethods.gated])
        try server.receive(first)
        try server.receive(try read([TestMethods.gated]))
        #expect(server.edge.pinnedBytes == 0, "what strangers send is counted as it comes")
        gate.letGo()
        server.loop.run()
        #expect(server.edge.pinnedBytes == 2 * first.storageCapacity)
        // Nor is what comes now taken for one of those reads.
        try server.receive(try read([TestMethods.gated]))
        #expect(server.edge.pinnedBytes == 3 * first.storageCapacity)
        waiting.letGo(3)
        server.loop.run()
        #expect(server.edge.pinnedBytes == 0)
        #expect(try server.release().count == 3)
        try server.close()
    }

    @Test func `a short read is left to its calls uncounted`() throws {
        let waiting = Waiting()
        let server = try EmbeddedServer(services: [waiting.service])
        let short = try plainRequest("test.Service", "Gated", id: 1)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(Limits.rpcPinnedFreeBytes)
        buffer.writeImmutableBuffer(short)
        try server.receive(buffer)
        #expect(server.edge.pinnedBytes == 0)
        waiting.letGo(1)
        server.loop.run()
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
