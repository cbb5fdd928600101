import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What the end of a drain's grace, and of an idle connection, says to those who are cut off.
@Suite(.timeLimit(.minutes(1))) struct DrainCutTests {
    private func open(_ method: String, payload: String = "") throws -> ByteBuffer {
        try plainRequest("test.Service", method, id: 1, payload: payload) {
            $0.streamSettings = StreamSettings(streamID: 1, needFeedback: false, writable: true)
            $0.envelopeExtension = .announcement
        }
    }

    /// Everything that the server sends; it has a few turns to send it.
    private func sent(by server: EmbeddedServer) throws -> [Frame] {
        var frames: [Frame] = []
        for _ in 0..<4 { frames += try server.release() }
        return frames
    }

    @Test func `a stream is not said to be whole whose last messages were dropped`() throws {
        let server = try EmbeddedServer()
        try server.receive(try open("Lenient"))
        #expect(server.context.callCount == 1)
        server.connection.cancelCalls()
        server.loop.run()
        #expect(server.context.callCount == 0)
        let metas = try sent(by: server).map { try $0.streamMeta() }
        #expect(metas.count { $0.frameType == .close } == 1)
        #expect(metas.last?.frameType == .close)
        let end = try #require(metas.last?.envelopeExtension)
        #expect(end.errorCode == RPCError.Code.loggedOff)
        // Begun, and perhaps charged: `unavailable` would say that nothing was.
        #expect(end.trailers[RPCError.Field.code] == Failure.Code.cancelled.rawValue)
        try server.close()
    }

    @Test func `a stream whose handler has ended is forgotten with its end`() throws {
        let server = try EmbeddedServer()
        // One message of 400,000 bytes: seven fragments.
        try server.receive(try open("Big", payload: "\0\u{6}\u{1A}\0"))
        #expect(server.context.callCount == 1)
        server.connection.cancelCalls()
        server.loop.run()
        #expect(server.context.callCount == 0)
        let close = try #require(try sent(by: server).last).streamMeta()
        #expect(close.frameType == .close)
        #expect(close.envelopeExtension?.errorCode == RPCError.Code.loggedOff)
        try server.close()
    }

    /// An error in place of the response would have its caller begin it elsewhere.
    @Test func `a stream that had nothing to say yet is not said to be unbegun`() throws {
        let events = Events()
        let server = try EmbeddedServer(events: events)
        try server.receive(try open("HangStream"))
        #expect(events.all == ["stream started"])
        server.connection.cancelCalls()
        server.loop.run()
        #expect(events.all.last == "stream cancelled")
        #expect(server.context.callCount == 0)
        let frames = try sent(by: server)
        #expect(frames.count == 2)
        var response = try #require(frames.first).body
        var decoder = FrameDecoder()
        let meta = try #require(try decoder.decode(buffer: &response)).callMeta()
        #expect(meta.response?.errorCode == 0)
        let close = try #require(frames.last).streamMeta()
        #expect(close.envelopeExtension?.errorCode == RPCError.Code.loggedOff)
        try server.close()
    }

    @Test func `an idle connection is promised no more time than it has`() throws {
        let server = try EmbeddedServer()
        try server.receive(
            try plainRequest("test.Service", "Echo", id: 1) {
                $0.envelopeExtension = .announcement
            })
        _ = try server.release()
        server.channel.pipeline.fireUserInboundEventTriggered(ConnectionIsIdle())
        server.loop.run()
        let goAway = try #require(try server.release().last).callMeta().envelopeExtension
        #expect(goAway?.control == .goAway)
        #expect(goAway?.graceMilliseconds == Int32(Limits.rpcCloseMilliseconds))
        try server.close()
        // What the connection had planned would keep the loop, and the loop it.
        server.loop.advanceTime(by: .milliseconds(Limits.rpcCloseMilliseconds))
    }
}
