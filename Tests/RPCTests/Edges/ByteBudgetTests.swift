import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What requests keep in memory counts, however few bytes they came in.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ByteBudgetTests {
    private let mebibyte = 1_024 * 1_024

    /// A server whose connections may have so many bytes in work.
    private func withServer(
        bytes: Int, events: Events = Events(),
        _ body: (SocketTransport, RPCServer) async throws -> Void
    ) async throws {
        let configuration = testConfiguration { $0.limits.bytesInFlightPerConnection = bytes }
        try await withTestServer(events: events, configuration: configuration) {
            (transport, server) async throws in
            try await body(transport, server)
            for _ in 0..<1_000 where server.core.edge.countedBytes.inFlight > 0 {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(server.core.edge.countedBytes.inFlight == 0)
        }
    }

    private func compressed(_ method: MethodDescriptor, _ count: Int) -> OutgoingCall {
        var outgoing = call(method, Array(repeating: 0, count: count))
        outgoing.compression = .zlib
        return outgoing
    }

    @Test(arguments: [TestMethods.echo, TestMethods.big])
    func `few bytes that hide many are refused beyond the limit`(
        method: MethodDescriptor
    ) async throws {
        try await withServer(bytes: 64 * 1_024) { transport, _ in
            let bomb = compressed(method, mebibyte)
            let error = await errorOf {
                if method.streaming == .unary {
                    _ = try await transport.answer(bomb)
                } else {
                    let stream = try await transport.openStream(bomb)
                    while try await stream.next() != nil {}
                }
            }
            #expect(error?.code == RPCError.Code.limit)
            #expect(error?.failure.retryAfterMilliseconds != nil)
            let small = try await transport.answer(compressed(TestMethods.echo, 8_192))
            #expect(small.count == 8_192)
        }
    }

    @Test func `what was unpacked counts as long as its call runs`() async throws {
        let events = Events()
        try await withServer(bytes: 4 * mebibyte, events: events) { transport, server in
            async let answer = transport.answer(compressed(TestMethods.gated, 3 * mebibyte))
            #expect(await events.wait(for: "gated started"))
            #expect(server.core.edge.countedBytes.inFlight > 3 * mebibyte)
            let error = await errorOf {
                _ = try await transport.answer(compressed(TestMethods.echo, 2 * mebibyte))
            }
            #expect(error?.code == RPCError.Code.limit)
            #expect(error?.isNotProcessed == true)
            events.report("gate opened")
            let answered = try await answer
            #expect(answered.count == 3 * mebibyte)
        }
    }

    @Test func `a stream of requests that nobody reads ends at the limit`() async throws {
        let events = Events()
        try await withServer(bytes: 256 * 1_024, events: events) { transport, server in
            let stream = try await transport.openDuplex(call(TestMethods.deaf))
            let error = await errorOf {
                for _ in 0..<32 {
                    try await stream.outgoing.write(ByteBuffer(repeating: 1, count: 32_768))
                }
                _ = try await stream.incoming.next()
            }
            #expect(error?.code == RPCError.Code.limit)
            #expect(error?.isNotProcessed == false, "its handler had begun")
            events.report("ears opened")
            #expect(await events.wait(for: "deaf cancelled"))
            stream.cancel()
        }
    }

    @Test func `what a reader has taken is given back`() async throws {
        try await withServer(bytes: 3 * mebibyte) { transport, _ in
            let stream = try await transport.openDuplex(call(TestMethods.gather))
            for _ in 0..<160 {
                try await stream.outgoing.write(ByteBuffer(repeating: 1, count: 65_536))
            }
            stream.outgoing.finish()
            let answer = try #require(try await stream.incoming.next())
            #expect(String(decoding: answer, as: UTF8.self) == "160 messages, 10485760 bytes")
            stream.cancel()
        }
    }
}
