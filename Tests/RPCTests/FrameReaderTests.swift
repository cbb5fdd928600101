import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What a connection keeps of what it read.
@Suite(.timeLimit(.minutes(2))) struct FrameReaderTests {
    private func request(_ id: Int64, _ count: Int) throws -> ByteBuffer {
        let letter = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(id % 26)))
        return try plainRequest(
            "a.B", "C", id: id, payload: String(repeating: letter, count: count))
    }

    /// Feeds bytes in parts, as sockets do: each in memory of its own, and as much again with it.
    private func read(
        _ bytes: ByteBuffer, by partBytes: Int, _ reader: inout FrameReader,
        _ look: (FrameReader) -> Void = { _ in }
    ) throws -> [Frame] {
        var bytes = bytes
        var frames: [Frame] = []
        while bytes.readableBytes > 0 {
            var part = ByteBuffer()
            part.reserveCapacity(2 * partBytes)
            if let next = bytes.readSlice(length: min(partBytes, bytes.readableBytes)) {
                part.writeImmutableBuffer(next)
            }
            reader.append(part)
            while let frame = try reader.next() { frames.append(frame) }
            look(reader)
        }
        return frames
    }

    @Test(arguments: [1, 7, 100, 4_096, 65_536, 1 << 20])
    func `frames come out the same whatever comes at once`(partBytes: Int) throws {
        var all = ByteBuffer()
        var expected: [Frame] = []
        let sizes = partBytes < 100 ? [0, 3, 500] : [0, 40_000, 3, 200_000, 90, 16_384, 65_536, 1]
        for (id, count) in zip((1 as Int64)..., sizes + sizes) {
            let packet = try request(id, count)
            expected += try frames(packet)
            all.writeImmutableBuffer(packet)
        }
        var reader = FrameReader()
        #expect(try read(all, by: partBytes, &reader) == expected)
        #expect(reader.unfinishedBytes == 0)
        #expect(reader.keptBytes <= Limits.rpcUnfinishedFreeBytes)
    }

    @Test func `nothing is kept of the longest frame once it was taken`() throws {
        let long = try request(1, Limits.rpcBodyBytes - 1_024)
        var reader = FrameReader()
        #expect(try read(long, by: 65_536, &reader).count == 1)
        #expect(reader.keptBytes == 0)
    }

    @Test(arguments: [1, 5, 30_000])
    func `what came behind a long frame keeps little more than itself`(count: Int) throws {
        let next = try request(2, 60_000)
        var reader = FrameReader()
        var read = try request(1, 1 << 20)
        read.writeImmutableBuffer(next.getSlice(at: next.readerIndex, length: count) ?? next)
        reader.append(read)
        #expect(try reader.next() != nil)
        #expect(try reader.next() == nil)
        #expect(reader.unfinishedBytes == count)
        #expect(reader.keptBytes <= max(64, 2 * count))
        reader.append(
            next.getSlice(
                at: next.readerIndex + count, length: next.readableBytes - count) ?? next)
        #expect(try reader.next() == frames(next).first)
        #expect(try reader.next() == nil)
        #expect(reader.keptBytes == 0)
    }

    /// It would be copied with each doubling.
    @Test func `room that was made for a long frame stays until it is whole`() throws {
        // It begins behind another, whose memory is left.
        var all = try request(1, 100)
        let long = try request(2, 4 << 20)
        all.writeImmutableBuffer(long)
        var reader = FrameReader()
        var kept: Set<Int> = []
        _ = try read(all, by: 65_536, &reader) { reader in
            if reader.unfinishedBytes > (4 << 20) / 3 { kept.insert(reader.keptBytes) }
        }
        #expect(kept.count == 1)
        #expect(kept.allSatisfy { $0 >= long.readableBytes })
    }

    @Test(arguments: [1, 100, 65_536])
    func `the rest of a frame that was given up is left out`(partBytes: Int) throws {
        let (first, second) = (try request(1, 100_000), try request(2, 7))
        var reader = FrameReader()
        reader.append(first.getSlice(at: first.readerIndex, length: 50_000) ?? first)
        #expect(try reader.next() == nil)
        let given = reader.giveUp()
        let beginning = try #require(given)
        #expect(try beginning.callMeta() == frames(first)[0].callMeta())
        #expect(reader.unfinishedBytes == 0)
        #expect(reader.keptBytes == 0)
        var rest =
            first.getSlice(at: first.readerIndex + 50_000, length: first.readableBytes - 50_000)
            ?? first
        rest.writeImmutableBuffer(second)
        let all = try read(rest, by: partBytes, &reader) { reader in
            #expect(reader.keptBytes <= Limits.rpcUnfinishedFreeBytes)
        }
        let expected = try frames(second)
        #expect(all == expected)
    }

    @Test(arguments: [0, 3, 11, 12, 20])
    func `a frame whose meta is not there is nobody's`(count: Int) throws {
        let packet = try request(1, 100)
        var reader = FrameReader()
        reader.append(packet.getSlice(at: packet.readerIndex, length: count) ?? packet)
        #expect(try reader.next() == nil)
        let given = reader.giveUp()
        #expect(given == nil)
        reader.append(
            packet.getSlice(at: packet.readerIndex + count, length: packet.readableBytes - count)
                ?? packet)
        #expect(try reader.next() == frames(packet).first, "nothing was left out")
    }

    // MARK: Both ends and HTTP

    @Test func `a server's idle connection keeps nothing of a long request`() throws {
        let server = try EmbeddedServer()
        try server.receive(
            try plainRequest(
                "test.Service", "Echo", id: 1, payload: String(repeating: "x", count: 1 << 20)))
        #expect(try server.release().count == 1)
        #expect(server.connection.frameReader.keptBytes == 0)
        try server.close()
    }

    @Test func `a client's idle connection keeps nothing of a long answer`() throws {
        let channel = EmbeddedChannel()
        let connection = ClientConnection(
            executor: LoopExecutor(eventLoop: channel.embeddedEventLoop), credential: nil
        ) { _ in }
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        // An answer to nobody is cut out of what was read all the same.
        let answer = try request(1, 1 << 20)
        try channel.writeInbound(answer)
        #expect(connection.frameReader.keptBytes == 0)
        #expect(connection.frameReader.unfinishedBytes == 0)
        try channel.writeInbound(answer.getSlice(at: 0, length: answer.readableBytes - 1) ?? answer)
        #expect(connection.frameReader.keptBytes > 1 << 20, "it is not whole")
        _ = try channel.finish()
    }

    @Test func `an idle connection over HTTP keeps nothing of a long answer`() throws {
        let http = try EmbeddedHTTP()
        // An answer to nobody is cut out of what was written all the same.
        try http.channel.writeOutbound(try request(1, 1 << 20))
        #expect(http.connection.frameReader.keptBytes == 0)
        #expect(http.connection.frameReader.unfinishedBytes == 0)
        try http.close()
    }
}
