import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Messages of a byte from a peer that counts bytes alone: they cost their keeper many times that.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TinyMessageTests {
    private let count = 60_000

    private func withServer(
        bytes: Int, events: Events = Events(), _ body: (RPCServer) async throws -> Void
    ) async throws {
        let configuration = testConfiguration {
            $0.credentials = .none
            $0.limits.bytesInFlightPerConnection = bytes
        }
        try await withTestServer(.socket, events: events, configuration: configuration) {
            (_, server) async throws in
            try await body(server)
            for _ in 0..<1_000 where server.core.edge.countedBytes.inFlight > 0 {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(server.core.edge.countedBytes.inFlight == 0)
        }
    }

    /// Opens a stream of requests; the number of the server's end.
    private func open(_ method: String, _ peer: inout RawPeer) async throws -> Int64 {
        try await peer.send(
            try plainRequest("test.Service", method, id: 9) {
                $0.streamSettings = StreamSettings(streamID: 5, needFeedback: false, writable: true)
            })
        let opening = try #require(try await peer.frame())
        return try #require(try opening.streamMeta().sourceStreamID)
    }

    private func messages(_ count: Int, to stream: Int64) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        for _ in 0..<count {
            try bytes.writeStream(
                StreamFrameMeta(streamID: stream, sourceStreamID: 5, frameType: .data),
                payload: ByteBuffer(integer: UInt8(1)))
        }
        return bytes
    }

    @Test func `those that nobody reads end their stream at the limit`() async throws {
        let events = Events()
        try await withServer(bytes: 64 * 1_024, events: events) { server in
            try await RawPeer.connect(to: server) { peer in
                let stream = try await open("Deaf", &peer)
                var bytes = try messages(4_000, to: stream)
                bytes.writeImmutableBuffer(try plainRequest("test.Service", "Echo", id: 10))
                try await peer.send(bytes)
                let reset = try #require(try await peer.frame())
                #expect(reset.kind == .stream)
                if reset.kind == .stream {
                    #expect(try reset.streamMeta().frameType == .reset)
                }
                events.report("ears opened")
            }
        }
    }

    @Test func `those that are read are given back`() async throws {
        try await withServer(bytes: 1_024 * 1_024) { server in
            try await RawPeer.connect(to: server) { peer in
                let stream = try await open("Gather", &peer)
                for _ in 0..<count / 2_000 {
                    try await peer.send(try messages(2_000, to: stream))
                }
                var end = StreamFrameMeta(streamID: stream, sourceStreamID: 5, frameType: .data)
                end.envelopeExtension = EnvelopeExtension()
                end.envelopeExtension?.endOfStream = true
                var bytes = ByteBuffer()
                try bytes.writeStream(end)
                try await peer.send(bytes)
                let answer = try #require(try await peer.frame())
                #expect(String(buffer: answer.body) == "\(count) messages, \(count) bytes")
            }
        }
    }
}
