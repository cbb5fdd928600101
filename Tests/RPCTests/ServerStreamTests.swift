import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

@Suite(.serialized, .timeLimit(.minutes(2))) struct ServerStreamTests {
    private func bigEndian(_ number: UInt32) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    private func readAll(_ stream: any IncomingStream) async throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while let message = try await stream.next() { messages.append(message) }
        return messages
    }

    @Test(arguments: Reach.allCases, [0, 1, 1_000] as [UInt32])
    func messagesArriveInOrderAndTheStreamEnds(reach: Reach, count: UInt32) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            let stream = try await transport.openStream(
                call(TestMethods.count, bigEndian(count)))
            #expect(try await readAll(stream) == (0..<count).map { bigEndian($0) })
        }
    }

    @Test func streamsAndCallsInterleave() async throws {
        try await withTestServer { (transport, _) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 as Range<UInt32> {
                    group.addTask { () async throws in
                        let count = number * 10
                        let stream = try await transport.openStream(
                            call(TestMethods.count, bigEndian(count)))
                        #expect(try await readAll(stream).count == Int(count))
                    }
                    group.addTask { () async throws in
                        let payload = bigEndian(number)
                        #expect(
                            try await transport.answer(call(TestMethods.echo, payload)) == payload)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: [65_535, 65_536, 65_537, 1_000_000] as [UInt32])
    func longMessagesAreSentInFragments(count: UInt32) async throws {
        try await withTestServer { (transport, _) async throws in
            let stream = try await transport.openStream(call(TestMethods.big, bigEndian(count)))
            let messages = try await readAll(stream)
            // A failed comparison would print every byte.
            let isWhole = messages == [(0..<Int(count)).map { UInt8($0 & 0xff) }]
            #expect(isWhole)
        }
    }

    @Test func `a window above the server's own does not stop a stream`() async throws {
        try await withTestServer { (transport, _) async throws in
            var outgoing = call(TestMethods.flood, milliseconds: 30_000)
            outgoing.windowBytes = 8 * Limits.rpcStreamWindowBytes
            let stream = try await transport.openStream(outgoing)
            #expect(try await readAll(stream).count == 1_000)
        }
    }

    @Test func aStreamThatFailsBeforeItsFirstMessageFailsToOpen() async throws {
        try await withTestServer { (transport, _) async throws in
            var method = call(TestMethods.failLate)
            method.method = TestMethods.fail
            let error = await errorOf { _ = try await transport.openStream(method) }
            #expect(error?.failure.code == .quotaExhausted)
        }
    }

    @Test(arguments: Reach.allCases)
    func aStreamThatFailsLaterSaysHow(reach: Reach) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            let stream = try await transport.openStream(call(TestMethods.failLate))
            #expect(try await stream.next() == Array("part".utf8))
            let error = await errorOf { _ = try await stream.next() }
            #expect(
                error?.failure
                    == Failure(
                        .upstreamFailed, "The model broke off.", retryAfterMilliseconds: 9))
        }
    }

    @Test(arguments: Reach.allCases)
    func aSlowReaderHoldsTheWriterBack(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, _) async throws in
            let stream = try await transport.openStream(call(TestMethods.flood))
            #expect(await events.wait(for: "wrote 60"))
            try await Task.sleep(for: .milliseconds(200))
            // 32 KiB messages: 64 fill the window of 2 MiB, of a whole of 1,000.
            #expect(events.all.count <= 65)
            #expect(try await readAll(stream).count == 1_000)
            #expect(events.all.count == 1_000)
        }
    }

    @Test(arguments: Reach.allCases)
    func cancellingAnOpenStreamReachesTheHandler(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, _) async throws in
            let stream = try await transport.openStream(call(TestMethods.hangStream, [1]))
            #expect(try await stream.next() == [1])
            stream.cancel()
            #expect(await events.wait(for: "stream cancelled"))
            await #expect(throws: CancellationError.self) { try await stream.next() }
        }
    }

    @Test func cancellingAStreamBeforeItsFirstMessageReachesTheHandler() async throws {
        let events = Events()
        try await withTestServer(events: events) { (transport, _) async throws in
            let caller = Task { _ = try await transport.openStream(call(TestMethods.hangStream)) }
            #expect(await events.wait(for: "stream started"))
            caller.cancel()
            #expect(await events.wait(for: "stream cancelled"))
            await #expect(throws: RPCError.self) { try await caller.value }
        }
    }

    @Test func cancellingTheReadersTaskReachesTheHandler() async throws {
        let events = Events()
        try await withTestServer(events: events) { (transport, _) async throws in
            let reader = Task {
                let stream = try await transport.openStream(call(TestMethods.hangStream, [1]))
                while try await stream.next() != nil {}
            }
            #expect(await events.wait(for: "stream started"))
            reader.cancel()
            #expect(await events.wait(for: "stream cancelled"))
            await #expect(throws: (any Error).self) { try await reader.value }
        }
    }

    @Test func aStreamsDeadlineCoversAllOfIt() async throws {
        let events = Events()
        try await withTestServer(events: events) { (transport, _) async throws in
            let stream = try await transport.openStream(
                call(TestMethods.hangStream, [1], milliseconds: 2_000))
            #expect(try await stream.next() == [1])
            let error = await errorOf { _ = try await stream.next() }
            #expect(error?.code == RPCError.Code.timedOut)
            #expect(await events.wait(for: "stream cancelled"))
        }
    }

    @Test func aCallerCannotStretchAStreamBeyondTheMethodsOwnDeadline() async throws {
        try await withTestServer { (transport, _) async throws in
            let stream = try await transport.openStream(
                call(TestMethods.remainingOfStream, milliseconds: 86_400_000))
            let bytes = try #require(try await stream.next())
            let left = try #require(ByteBuffer(bytes: bytes).getInteger(at: 0, as: Int64.self))
            let own = TestMethods.remainingOfStream.defaultDeadlineMilliseconds
            #expect((1...own).contains(left))
        }
    }
}
