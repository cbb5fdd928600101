import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// In which order a connection sends, and how much it holds for a socket that does not take it.
@Suite(.timeLimit(.minutes(1))) struct OutboundOrderTests {
    private func open(_ method: String, id: Int64, payload: String = "") throws -> ByteBuffer {
        try plainRequest("test.Service", method, id: id, payload: payload) {
            $0.streamSettings = StreamSettings(streamID: id, needFeedback: false, writable: true)
        }
    }

    /// Streams of the frames, in order; a whole response is 0.
    private func streams(_ frames: [Frame]) throws -> [Int64] {
        try frames.map { try $0.kind == .stream ? $0.streamMeta().streamID : 0 }
    }

    @Test func `a stuck socket is given a little and the writer waits`() throws {
        let events = Events()
        let server = try EmbeddedServer(events: events)
        try server.receive(try open("Flood", id: 1))
        #expect(server.heldBytes > Limits.rpcStreamBytesInFlight / 2)
        #expect(server.heldBytes < Limits.rpcStreamBytesInFlight + 2 * Limits.rpcFragmentBytes)
        // What the socket has, and what waits for it: messages of 32 KiB.
        let written = events.all.count
        #expect(written * 32_768 <= server.heldBytes + Limits.rpcStreamUnsentBytes + 65_536)
        _ = try server.release()
        #expect(events.all.count > written)
        try server.close()
    }

    @Test func `answers and new streams overtake bulk`() throws {
        let server = try EmbeddedServer()
        try server.receive(try open("Flood", id: 1))
        try server.receive(try open("Count", id: 2, payload: "\0\0\0\u{1}"))
        try server.receive(try plainRequest("test.Service", "Echo", id: 3))
        let first = try streams(try server.release())
        let second = try streams(try server.release())
        // Bulk already given to the socket goes first, then what is short.
        let all = first + second
        let bulkBefore = all.prefix { $0 == 1 }.count
        #expect(bulkBefore <= 6)
        #expect(all.contains(0))
        #expect(all.filter { $0 == 2 }.count == 3)
        let last = try #require(all.lastIndex(of: 2))
        #expect(all[...last].filter { $0 == 1 }.count <= 8)
        try server.close()
    }

    @Test func `streams take turns`() throws {
        let server = try EmbeddedServer()
        for id in 1...4 as ClosedRange<Int64> { try server.receive(try open("Flood", id: id)) }
        var counts: [Int64: Int] = [:]
        var worst = 0
        for _ in 0..<20 {
            for stream in try streams(try server.release()) { counts[stream, default: 0] += 1 }
            guard counts.count == 4 else { continue }
            worst = max(worst, (counts.values.max() ?? 0) - (counts.values.min() ?? 0))
        }
        #expect(counts.count == 4)
        // The first stream had the connection for itself for one release.
        #expect(worst <= 6)
        try server.close()
    }

    @Test func `a reader that is stuck can still cancel`() throws {
        let server = try EmbeddedServer()
        try server.receive(try open("Flood", id: 1))
        #expect(server.context.callCount == 1)
        var reset = ByteBuffer()
        try reset.writeStream(StreamFrameMeta(streamID: 0, frameType: .reset))
        try server.receive(reset)
        #expect(server.context.callCount == 0)
        try server.close()
    }

    @Test func `a stream's end waits for its last message, however long that takes`() throws {
        let server = try EmbeddedServer()
        // One message of 400,000 bytes: seven fragments.
        try server.receive(try open("Big", id: 1, payload: "\0\u{6}\u{1A}\0"))
        #expect(server.context.callCount == 1)
        var frames: [Frame] = []
        for _ in 0..<10 { frames += try server.release() }
        #expect(server.context.callCount == 0)
        let metas = try frames.map { try $0.streamMeta() }
        #expect(metas.last?.frameType == .close)
        #expect(metas.dropLast().allSatisfy { $0.frameType == .data })
        // The first is the response.
        #expect(metas.dropFirst().dropLast().map(\.hasContinuation).filter { !$0 }.count == 1)
        #expect(frames.dropFirst().reduce(0) { $0 + $1.bodySize } == 399_872)
        #expect(frames.allSatisfy { $0.bodySize <= Limits.rpcFragmentBytes })
        try server.close()
    }

    @Test func `an end that is not taken in time is cut and said`() throws {
        let server = try EmbeddedServer()
        var request = try plainRequest(
            "test.Service", "Big", id: 1, payload: "\0\u{6}\u{1A}\0"
        ) {
            $0.request?.timeoutMilliseconds = 100
            $0.streamSettings = StreamSettings(streamID: 1, needFeedback: false, writable: true)
            $0.envelopeExtension = .announcement
        }
        try server.receive(request)
        request.clear()
        server.connection.expireCalls(.now() + .seconds(1))
        server.loop.run()
        #expect(server.context.callCount == 0)
        var frames: [Frame] = []
        for _ in 0..<3 { frames += try server.release() }
        let close = try #require(frames.last).streamMeta()
        #expect(close.frameType == .close)
        #expect(close.envelopeExtension?.errorCode == RPCError.Code.timedOut)
        try server.close()
    }
}
