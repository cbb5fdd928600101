import Foundation
import FuzzTargets
import NIOCore
import NIOTestUtils
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// What peers send who mean harm or are broken.
@Suite(.serialized, .timeLimit(.minutes(3))) struct AbuseTests {
    // MARK: Every kind of frame, cut everywhere

    private func packet(_ meta: RpcMeta, _ payload: String = "", beside: String = "") throws
        -> ByteBuffer
    {
        var buffer = ByteBuffer()
        try ByteBuffer(string: payload).withUnsafeReadableBytes {
            try buffer.writeCall(meta, payload: $0, attachment: ByteBuffer(string: beside))
        }
        return buffer
    }

    private func stream(
        _ type: StreamFrameMeta.FrameType, _ payload: String = "",
        _ change: (inout StreamFrameMeta) -> Void = { _ in }
    ) throws -> ByteBuffer {
        var meta = StreamFrameMeta(streamID: 0, sourceStreamID: 1 << 40, frameType: type)
        change(&meta)
        var buffer = ByteBuffer()
        try buffer.writeStream(meta, payload: ByteBuffer(string: payload))
        return buffer
    }

    /// One of each kind that any end of ours sends.
    private func everyKind() throws -> [ByteBuffer] {
        var request = RpcMeta()
        request.request = RpcRequestMeta(
            serviceName: "a.B", methodName: "C", timeoutMilliseconds: -1)
        request.correlationID = -1
        request.authenticationData = [0, 255]
        request.userFields = ["authorization": "é"]
        request.envelopeExtension = .announcement
        request.envelopeExtension?.priority = -1
        request.envelopeExtension?.acceptCompress = 12
        request.envelopeExtension?.noReply = true
        request.compressType = 3
        request.checksumType = 1
        request.checksum = 0x61f6_3a7e
        request.checksumCoversAttachment = true
        var open = request
        open.streamSettings = StreamSettings(
            streamID: 0, needFeedback: true, writable: true, initialWindowBytes: 1,
            extraStreamIDs: [0, -1, .max])
        var response = RpcMeta()
        response.correlationID = .max
        response.response = RpcResponseMeta(errorCode: 2_004, errorText: "busy")
        response.envelopeExtension = EnvelopeExtension()
        response.envelopeExtension?.retryAfterMilliseconds = 5
        response.envelopeExtension?.notProcessed = true
        var controls: [ByteBuffer] = []
        for control in EnvelopeExtension.Control.allCases {
            var meta = RpcMeta()
            meta.response = RpcResponseMeta()
            meta.envelopeExtension = EnvelopeExtension()
            meta.envelopeExtension?.control = control
            meta.envelopeExtension?.lastAccepted = 7
            meta.envelopeExtension?.graceMilliseconds = 8
            controls.append(try packet(meta))
        }
        var cancel = RpcMeta()
        cancel.request = RpcRequestMeta(serviceName: "rpc.Control", methodName: "Cancel")
        cancel.envelopeExtension = EnvelopeExtension()
        cancel.envelopeExtension?.cancelID = 3
        let wrapped = try packet(response)
        return try [
            packet(request, "payload", beside: "attachment"), packet(open), packet(response),
            packet(cancel), packet(RpcMeta()),
            stream(.data, String(buffer: wrapped)), stream(.data, "message"), stream(.data),
            stream(.data, "part") { $0.hasContinuation = true },
            stream(.data) {
                $0.envelopeExtension = EnvelopeExtension()
                $0.envelopeExtension?.endOfStream = true
            },
            stream(.close) {
                $0.envelopeExtension = EnvelopeExtension()
                $0.envelopeExtension?.errorCode = 0
                $0.envelopeExtension?.trailers = ["balance": "1"]
            },
            stream(.reset) { $0.sourceStreamID = nil },
            stream(.feedback) { $0.consumedSize = 13 },
        ] + controls
    }

    @Test func `every kind of frame comes out the same wherever its bytes are cut`() throws {
        let kinds = try everyKind()
        let pairs = try kinds.map { ($0, try frames($0)) }
        var together = ByteBuffer()
        for kind in kinds { together.writeImmutableBuffer(kind) }
        try ByteToMessageDecoderVerifier.verifyDecoder(
            inputOutputPairs: pairs + [(together, pairs.flatMap(\.1))],
            decoderFactory: { FrameDecoder() })
    }

    @Test func `every meta is read back as it was written`() throws {
        for kind in try everyKind() {
            let frame = try #require(try frames(kind).first)
            switch frame.kind {
            case .call:
                let meta = try frame.callMeta()
                var again: RpcMeta?
                try meta.encode { again = try? RpcMeta.decode($0) }
                #expect(again == meta)
            case .stream:
                let meta = try frame.streamMeta()
                var again: StreamFrameMeta?
                try meta.encode { again = try? StreamFrameMeta.decode($0) }
                #expect(again == meta)
            }
        }
    }

    // MARK: Against a server

    private func withServer(_ body: (RPCServer) async throws -> Void) async throws {
        try await withTestServer(
            .socket, configuration: testConfiguration { $0.credentials = .none }
        ) { (_, server) async throws in try await body(server) }
    }

    private func expectAlive(_ peer: inout RawPeer) async throws {
        try await peer.send(try plainRequest("test.Service", "Echo", id: 99, payload: "alive"))
        let frame = try #require(try await peer.frame())
        #expect(try frame.callMeta().correlationID == 99)
        #expect(frame.body == ByteBuffer(string: "alive"))
    }

    /// Two bytes each on the wire, some seventy each in memory.
    @Test func `sixteen MiB of empty sub-messages are refused within their memory`() async throws {
        // Written by the kibibyte: under the thread sanitizer each write is dear.
        let empties = Array(repeating: [UInt8]([0x12, 0]), count: 512).flatMap(\.self)
        let count = Limits.rpcBodyBytes / empties.count - 1
        var bomb = ByteBuffer()
        bomb.reserveCapacity(empties.count * count)
        for _ in 0..<count { bomb.writeBytes(empties) }
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                var meta = RpcMeta()
                meta.request = RpcRequestMeta(serviceName: "test.Service", methodName: "Typed")
                meta.correlationID = 1
                var packet = ByteBuffer()
                try bomb.withUnsafeReadableBytes { try packet.writeCall(meta, payload: $0) }
                try await peer.send(packet)
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
                try await expectAlive(&peer)
            }
        }
    }

    @Test(arguments: [
        // Bodies and metas that are longer than allowed, or than what holds them.
        "50525043 01000001 00000000", "5354524d 7fffffff 00000001", "50525043 00000001 00000002",
        "5354524d 00010001 00010001",
        // A meta of groups within groups, which protobuf-c must not follow.
        "50525043 00000010 00000010 0b0b0b0b0b0b0b0b 0c0c0c0c0c0c0c0c",
        // A negative attachment, a length beyond its meta, a number that never ends.
        "50525043 0000000b 0000000b 28 ffffffffffffffffff01", "50525043 00000003 00000003 0aff01",
        "50525043 0000000c 0000000c 20 ffffffffffffffffffff01",
        // A stream frame without its required number.
        "5354524d 00000000 00000000",
    ])
    func `what breaks the format closes its connection and no other`(bytes: String) async throws {
        try await withServer { server in
            try await RawPeer.connect(to: server) { bystander in
                try await expectAlive(&bystander)
                try await RawPeer.connect(to: server) { peer in
                    try await peer.send(hexBuffer(bytes))
                    #expect(await peer.isClosed())
                }
                try await expectAlive(&bystander)
            }
        }
    }

    @Test func `a stream of requests that breaks its window is reset, its neighbours are not`()
        async throws
    {
        try await withTestServer(
            .socket, configuration: testConfiguration { $0.credentials = .none }
        ) { (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    try plainRequest("test.Service", "Deaf", id: 9) {
                        $0.streamSettings = StreamSettings(
                            streamID: 5, needFeedback: true, writable: true)
                    })
                let opening = try #require(try await peer.frame()).streamMeta()
                let server = try #require(opening.sourceStreamID)
                var burst = ByteBuffer()
                let message = ByteBuffer(repeating: 1, count: 1 << 20)
                // Two fill the window, and one more would be one too many.
                for _ in 0..<3 {
                    try burst.writeStream(
                        StreamFrameMeta(streamID: server, sourceStreamID: 5, frameType: .data),
                        payload: message)
                }
                try await peer.send(burst)
                let end = try #require(try await peer.frame()).streamMeta()
                #expect(end == StreamFrameMeta(streamID: 5, frameType: .reset))
                try await expectAlive(&peer)
            }
        }
    }

    /// Who counts bytes alone, as bRPC does, may send a number of empty messages; who announced
    /// that it counts messages has agreed to the window.
    @Test(arguments: [true, false])
    func `a stream of messages without bytes is reset at its bound`(countsMessages: Bool)
        async throws
    {
        let bound =
            countsMessages
            ? Int(Limits.rpcStreamWindowBytes) / Limits.rpcStreamMessageBytes
            : Limits.rpcStreamUnreadMessages
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    try plainRequest("test.Service", "Idle", id: 9) {
                        $0.streamSettings = StreamSettings(
                            streamID: 5, needFeedback: true, writable: true)
                        if countsMessages { $0.envelopeExtension = .announcement }
                    })
                let opening = try #require(try await peer.frame()).streamMeta()
                let stream = try #require(opening.sourceStreamID)
                var empty = ByteBuffer()
                try empty.writeStream(
                    StreamFrameMeta(streamID: stream, sourceStreamID: 5, frameType: .data))
                let packets = Array(
                    repeating: Array(empty.readableBytesView), count: 4_096
                ).flatMap(\.self)
                for _ in 0..<bound / 4_096 { try await peer.send(ByteBuffer(bytes: packets)) }
                // Whose answer would come after a reset.
                try await expectAlive(&peer)
                try await peer.send(empty)
                let end = try #require(try await peer.frame()).streamMeta()
                #expect(end == StreamFrameMeta(streamID: 5, frameType: .reset))
                try await expectAlive(&peer)
            }
        }
    }

    @Test func `a window that is not positive is refused`() async throws {
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                for window in [0, -1, Int64.min] {
                    try await peer.send(
                        try plainRequest("test.Service", "Count", id: 9) {
                            $0.streamSettings = StreamSettings(
                                streamID: 5, needFeedback: false, writable: true,
                                initialWindowBytes: window)
                        })
                    let inner = try frames(try #require(try await peer.frame()).body)
                    #expect(try inner.first?.callMeta().response?.errorCode == 1_003)
                }
                try await expectAlive(&peer)
            }
        }
    }

    /// Neither the order nor the moment of other streams' frames may matter.
    @Test func `fragments of two streams may be mixed`() async throws {
        try await withServer { server in
            try await RawPeer.connect(to: server) { peer in
                var ends: [Int64] = []
                for id in [5, 6] as [Int64] {
                    try await peer.send(
                        try plainRequest("test.Service", "EchoEach", id: id) {
                            $0.streamSettings = StreamSettings(
                                streamID: id, needFeedback: false, writable: true)
                        })
                    ends.append(try #require(try await peer.frame()?.streamMeta().sourceStreamID))
                }
                var burst = ByteBuffer()
                for (place, text) in [(0, "a"), (1, "x"), (0, "b"), (1, "y"), (0, "c"), (1, "z")] {
                    var meta = StreamFrameMeta(
                        streamID: ends[place], sourceStreamID: 5 + Int64(place), frameType: .data)
                    meta.hasContinuation = text != "c" && text != "z"
                    try burst.writeStream(meta, payload: ByteBuffer(string: text))
                }
                try await peer.send(burst)
                var echoes: [Int64: ByteBuffer] = [:]
                for _ in 0..<2 {
                    let frame = try #require(try await peer.frame())
                    echoes[try frame.streamMeta().streamID] = frame.body
                }
                #expect(echoes == [5: ByteBuffer(string: "abc"), 6: ByteBuffer(string: "xyz")])
            }
        }
    }

    // MARK: Mutations

    /// libFuzzer's corpus, mutated for a moment; `make fuzz` goes on for hours.
    @Test func `mutated inputs of the corpus break nothing`() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Corpus")
        let seeds = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
        #expect(seeds.count >= 10)
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        print("TOLLGATE_SEED=\(seed)")
        for input in seeds { input.withUnsafeBytes(FuzzTargets.run) }
        for _ in 0..<20_000 {
            guard var input = seeds.randomElement(using: &random) else { return }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                mutate(&input, seeds, &random)
            }
            input.withUnsafeBytes(FuzzTargets.run)
        }
    }

    private func mutate(
        _ input: inout [UInt8], _ seeds: [[UInt8]], _ random: inout SeededRandom
    ) {
        guard input.count > 1 else { return }
        let place = Int.random(in: 1..<input.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: input[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: input[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
        case 2: input.removeSubrange(place...)
        case 3: input.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 4: input.remove(at: place)
        default:
            guard let other = seeds.randomElement(using: &random) else { return }
            input += other.dropFirst()
        }
    }
}
