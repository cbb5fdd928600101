import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What comes or goes in many parts is not copied with each of them.
@Suite(.timeLimit(.minutes(2))) struct HTTPBodyTests {
    private let chunked = [("transfer-encoding", "chunked")]

    /// How often something that grows was found at another place.
    private struct Moves {
        private(set) var count = 0
        private var place: UnsafeRawPointer?

        mutating func note(_ bytes: UnsafeRawBufferPointer) {
            guard bytes.baseAddress != place else { return }
            place = bytes.baseAddress
            count += 1
        }
    }

    @Test func `a call's body is gathered in one place`() throws {
        let http = try EmbeddedHTTP()
        try http.receive(
            .head(EmbeddedHTTP.head("/test.Texts/Echo", method: .POST, headers: chunked)))
        let part = ByteBuffer(repeating: UInt8(ascii: " "), count: 64)
        var moves = Moves()
        for _ in 0..<Limits.rpcHTTPBodyBytes / 64 {
            try http.receive(.body(part))
            http.connection.body.withUnsafeReadableBytes { moves.note($0) }
        }
        #expect(http.connection.body.readableBytes == Limits.rpcHTTPBodyBytes)
        // It doubles twenty times, and may stay where it is even then.
        #expect(moves.count <= 20)
        try http.receive(.body(part))
        #expect(try http.statuses() == [413])
        #expect(http.connection.body.storageCapacity == 0)
        try http.close()
    }

    @Test(arguments: [HTTPMethod.GET, .PUT, .POST])
    func `a page's body is not kept, and no longer than a call's`(method: HTTPMethod) throws {
        let http = try EmbeddedHTTP()
        try http.receive(.head(EmbeddedHTTP.head("/health", method: method, headers: chunked)))
        let part = ByteBuffer(repeating: 1, count: Limits.rpcHTTPBodyBytes / 4)
        for _ in 0..<4 { try http.receive(.body(part)) }
        #expect(http.connection.body.storageCapacity == 0)
        #expect(try http.statuses() == [])
        try http.receive(.body(ByteBuffer(repeating: 1, count: 1)))
        #expect(try http.statuses() == [413])
        try http.close()
    }

    @Test func `a body is the next request's no more`() throws {
        let http = try EmbeddedHTTP()
        let call = EmbeddedHTTP.head("/test.Texts/Echo", method: .POST)
        for number in 1...3 {
            try http.receive(call, body: "{\"number\":\"\(number)\"}")
            http.channel.embeddedEventLoop.run()
        }
        #expect(try http.statuses() == [200, 200, 200])
        try http.close()
    }

    @Test func `a long message of a stream is gathered without copies of what came`() throws {
        let http = try EmbeddedHTTP()
        let head = EmbeddedHTTP.head("/test.Texts/Count", method: .POST)
        let call = try HTTPCall(
            head, HTTPTestService.method("Count", streaming: .serverStreaming), id: 1)
        http.connection.phase = .answering(HTTPConnection.Answer(keepAlive: true, call: call))
        var response = RpcMeta()
        response.correlationID = 1
        response.response = RpcResponseMeta()
        var inner = ByteBuffer()
        try inner.writeCall(response, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        var meta = StreamFrameMeta(streamID: 1, sourceStreamID: 7, frameType: .data)
        var opening = ByteBuffer()
        try opening.writeStream(meta, payload: inner)
        try http.channel.writeOutbound(opening)
        meta.hasContinuation = true
        var fragment = ByteBuffer()
        try fragment.writeStream(
            meta, payload: ByteBuffer(repeating: 0, count: Limits.rpcFragmentBytes))
        var moves = Moves()
        var gathered = 0
        for _ in 0..<64 {
            try http.channel.writeOutbound(fragment)
            guard case .answering(let answer) = http.connection.phase else { break }
            answer.call?.part.withUnsafeBytes { moves.note($0) }
            gathered = answer.call?.part.count ?? 0
        }
        #expect(gathered == 64 * Limits.rpcFragmentBytes)
        #expect(moves.count <= 16)
        try http.close()
    }
}
