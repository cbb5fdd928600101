import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// Streams of requests, between our own ends.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DuplexStreamTests {
    @Test(arguments: Reach.allCases)
    func `messages go both ways in turns`(reach: Reach) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.echoEach))
            for number in 0..<100 as Range<UInt8> {
                try await stream.outgoing.write(ByteBuffer(bytes: [number]))
                #expect(try await stream.incoming.next() == [number])
            }
            stream.outgoing.finish()
            #expect(try await stream.incoming.next() == nil)
        }
    }

    @Test func `empty messages are messages too`() async throws {
        try await withTestServer { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.gather))
            for _ in 0..<3 { try await stream.outgoing.write(ByteBuffer()) }
            stream.outgoing.finish()
            let answer = try #require(try await stream.incoming.next())
            #expect(String(decoding: answer, as: UTF8.self) == "3 messages, 0 bytes")
        }
    }

    @Test(arguments: Reach.allCases)
    func `half-close lets the server go on, and its answer carries trailers`(
        reach: Reach
    ) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.gather))
            for count in [1, 65_536, 65_537, 300_000] {
                try await stream.outgoing.write(ByteBuffer(repeating: 1, count: count))
            }
            stream.outgoing.finish()
            let answer = try #require(try await stream.incoming.next())
            #expect(String(decoding: answer, as: UTF8.self) == "4 messages, 431074 bytes")
            #expect(try await stream.incoming.next() == nil)
            #expect(stream.incoming.trailers == ["seen": "all"])
        }
    }

    @Test func `a stream that is finished at once has no messages`() async throws {
        try await withTestServer { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.gather))
            stream.outgoing.finish()
            let answer = try #require(try await stream.incoming.next())
            #expect(String(decoding: answer, as: UTF8.self) == "0 messages, 0 bytes")
        }
    }

    @Test(arguments: Reach.allCases)
    func `a server that does not read holds the writer back`(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.deaf))
            let writer = Task {
                for number in 0..<400 {
                    try await stream.outgoing.write(ByteBuffer(repeating: 7, count: 32_768))
                    events.report("wrote \(number)")
                }
                stream.outgoing.finish()
            }
            #expect(await events.wait(for: "wrote 63"))
            try await Task.sleep(for: .milliseconds(200))
            // 64 messages of 32 KiB fill the window of 2 MiB.
            #expect(!events.all.contains("wrote 64"))
            events.report("ears opened")
            try await writer.value
            #expect(await events.wait(for: "deaf heard all"))
            #expect(try await stream.incoming.next() == nil)
        }
    }

    @Test func `leaving cancels the handler`() async throws {
        let events = Events()
        try await withTestServer(events: events) { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.deaf))
            #expect(await events.wait(for: "deaf started"))
            events.report("ears opened")
            stream.cancel()
            #expect(await events.wait(for: "deaf cancelled"))
            await #expect(throws: CancellationError.self) {
                try await stream.outgoing.write(ByteBuffer(string: "late"))
            }
        }
    }

    @Test func `a server that has enough is not written to any more`() async throws {
        try await withTestServer { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.satisfied))
            try await stream.outgoing.write(ByteBuffer(string: "first"))
            #expect(try await stream.incoming.next() == Array("enough".utf8))
            #expect(try await stream.incoming.next() == nil)
            let isWanted = try await stream.outgoing.write(ByteBuffer(string: "second"))
            #expect(!isWanted)
        }
    }

    @Test(arguments: Reach.allCases)
    func `a refusal reaches writer and reader with its hints`(reach: Reach) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.refusing))
            try await stream.outgoing.write(ByteBuffer(string: "first"))
            let reading = await errorOf { _ = try await stream.incoming.next() }
            #expect(reading?.failure.code == .quotaExhausted)
            #expect(reading?.retryAfterMilliseconds == 1_500)
            let writing = await errorOf {
                _ = try await stream.outgoing.write(ByteBuffer(string: "second"))
            }
            #expect(writing == reading)
        }
    }

    @Test func `a stream's trailers come with its end`() async throws {
        try await withTestServer { (transport, _) async throws in
            let stream = try await transport.openStream(call(TestMethods.trailing))
            #expect(try await stream.next() == Array("answer".utf8))
            #expect(try await stream.next() == nil)
            #expect(stream.trailers == ["balance": "12"])
        }
    }

    @Test(arguments: [1, 1_000, 100_000] as [Int64])
    func `the receiver's window holds the server back`(windowBytes: Int64) async throws {
        let events = Events()
        try await withTestServer(events: events) { (transport, _) async throws in
            var outgoing = call(TestMethods.flood)
            outgoing.windowBytes = windowBytes
            let stream = try await transport.openStream(outgoing)
            let allowed = Int(windowBytes + 32_767) / 32_768
            #expect(await events.wait(for: "wrote \(allowed - 1)"))
            try await Task.sleep(for: .milliseconds(100))
            #expect(events.all.count <= allowed)
            var count = 0
            while try await stream.next() != nil { count += 1 }
            #expect(count == 1_000)
        }
    }

    @Test func `many streams both ways at once keep their messages apart`() async throws {
        try await withTestServer(.socket) { (transport, _) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 as Range<UInt8> {
                    group.addTask { () async throws in
                        let stream = try await transport.openDuplex(call(TestMethods.echoEach))
                        let message = [UInt8](repeating: number, count: 50_000)
                        for _ in 0..<20 {
                            try await stream.outgoing.write(ByteBuffer(bytes: message))
                            let isEcho = try await stream.incoming.next() == message
                            #expect(isEcho)
                        }
                        stream.outgoing.finish()
                        let isOver = try await stream.incoming.next() == nil
                        #expect(isOver)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `a method that streams requests needs a stream`() async throws {
        try await withTestServer { (transport, _) async throws in
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.gather)) }
            #expect(error?.code == RPCError.Code.badRequest)
        }
    }
}
