import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// What a peer sees that speaks bRPC's own bytes and knows nothing of our extensions.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PlainPeerTests {
    private func withPlainServer(
        _ events: Events = Events(), _ body: (RPCServer) async throws -> Void
    ) async throws {
        try await withTestServer(
            .socket, events: events, configuration: testConfiguration { $0.credentials = .none }
        ) { (_, server) async throws in try await body(server) }
    }

    @Test func theVectorRequestIsAnsweredInBRPCsForm() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    hexBuffer(
                        "50525043 00000026 0000001f 0a1b 0a136578616d706c652e4563686f53657276696365"
                            + "12044563686f 2007 | 0a0568656c6c6f"))
                let frame = try #require(try await peer.frame())
                // error_code 0 and the correlation id, as bRPC writes them; no extension.
                #expect(frame.packet == hexBuffer("12020800 2007 | 0a0568656c6c6f"))
                #expect(frame.metaSize == 6)
            }
        }
    }

    /// Whatever its method is (rpc-wire, 1.8).
    @Test func aRequestThatBringsAStreamIsAnsweredInside() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    try plainRequest(
                        "example.EchoService", "Echo", id: 4, payload: "hello",
                        change: { meta in
                            meta.streamSettings = StreamSettings(
                                streamID: 9, needFeedback: false, writable: true)
                        }))
                let frame = try #require(try await peer.frame())
                #expect(frame.kind == .stream)
                let outer = try frame.withMeta { (bytes) throws(WireError) in
                    try StreamFrameMeta.decode(bytes)
                }
                #expect(outer.streamID == 9)
                var packet = frame.body
                var decoder = FrameDecoder()
                let answer = try #require(try decoder.decode(buffer: &packet))
                #expect(try answer.callMeta().correlationID == 4)
                #expect(String(buffer: answer.body) == "hello")
            }
        }
    }

    @Test func fivePipelinedCallsAreAnswered() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                var burst = ByteBuffer()
                for id in 1...5 as ClosedRange<Int64> {
                    let request = try plainRequest(
                        "example.EchoService", "Echo", id: -id, payload: "m\(id)",
                        attachment: id == 3 ? "beside" : "")
                    burst.writeImmutableBuffer(request)
                }
                try await peer.send(burst)
                for id in 1...5 as ClosedRange<Int64> {
                    let frame = try #require(try await peer.frame())
                    let meta = try frame.callMeta()
                    #expect(meta.correlationID == -id)
                    #expect(meta.attachmentSize == (id == 3 ? 6 : 0))
                    #expect(String(buffer: frame.body) == (id == 3 ? "m3beside" : "m\(id)"))
                }
            }
        }
    }

    @Test func unreadableRequestsAreAnswered1003AndTheConnectionLives() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                let changes: [(inout RpcMeta) -> Void] = [
                    { $0.compressType = 4 },
                    { $0.streamSettings = nil },
                ]
                try await peer.send(
                    try plainRequest("example.EchoService", "Echo", id: 1, change: changes[0]))
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
                // A streaming method without a stream.
                try await peer.send(
                    try plainRequest("test.Service", "Count", id: 2, change: changes[1]))
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
                // attachment_size above what follows the meta.
                try await peer.send(
                    hexBuffer(
                        "50525043 00000028 00000021 "
                            + "0a1b 0a136578616d706c652e4563686f53657276696365 12044563686f"
                            + "2003 2808 | 0a0568656c6c6f"))
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
                try await peer.send(try plainRequest("EchoService", "Echo", id: 4))
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 0)
            }
        }
    }

    @Test(arguments: [
        "47 45 54 58 20 2f", "50525043 00000001 00000001 ff", "50525043 00000004 00000005",
        "50525043 00000007 00000007 0a03 0a0161 2007",
        "5354524d 00000002 00000002 1803", "50525043 ffffffff 00000001",
        "50525043 0000000b 0000000b 28 ffffffffffffffffff01",
    ])
    func brokenFormatsCloseTheConnection(bytes: String) async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(hexBuffer(bytes))
                #expect(await peer.isClosed())
            }
        }
    }

    @Test func aPacketThatIsNoRequestIsAnswered1001() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(hexBuffer("50525043 00000002 00000002 2007"))
                let meta = try #require(try await peer.frame()).callMeta()
                #expect(meta.response?.errorCode == 1_001)
                #expect(meta.correlationID == 7)
            }
        }
    }

    @Test func timeoutsThatHavePassedAreAnswered1008() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                for timeout in [0, -1] as [Int32] {
                    try await peer.send(
                        try plainRequest("example.EchoService", "Echo", id: 1) {
                            $0.request?.timeoutMilliseconds = timeout
                        })
                    #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_008)
                }
                try await peer.send(
                    try plainRequest("test.Service", "Hang", id: 2) {
                        $0.request?.timeoutMilliseconds = 50
                    })
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_008)
            }
        }
    }

    // MARK: Streams

    private func openRequest(_ method: String, payload: String = "") throws -> ByteBuffer {
        try plainRequest("test.Service", method, id: 9, payload: payload) {
            $0.streamSettings = StreamSettings(streamID: 5, needFeedback: false, writable: true)
        }
    }

    @Test func aStreamIsOpenedFedAndClosedInBRPCsForm() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try openRequest("Count", payload: "\0\0\0\u{2}"))
                let opening = try #require(try await peer.frame())
                let outer = try opening.streamMeta()
                #expect(outer.streamID == 5)
                #expect(outer.frameType == .data)
                let inner = try #require(try frames(opening.body).first).callMeta()
                #expect(inner.correlationID == 9)
                #expect(inner.response == RpcResponseMeta())
                #expect(inner.streamSettings?.streamID == outer.sourceStreamID)
                #expect(inner.envelopeExtension == nil)
                for number in 0..<2 as Range<UInt32> {
                    let frame = try #require(try await peer.frame())
                    #expect(try frame.streamMeta().frameType == .data)
                    #expect(frame.body == ByteBuffer(integer: number))
                }
                let close = try #require(try await peer.frame()).streamMeta()
                #expect(close.frameType == .close)
                #expect(close.envelopeExtension == nil)
                // Our own CLOSE is not answered; the connection goes on.
                var answer = ByteBuffer()
                try answer.writeStream(
                    StreamFrameMeta(
                        streamID: close.sourceStreamID ?? 0, sourceStreamID: 5,
                        frameType: .close))
                answer.writeImmutableBuffer(try plainRequest("EchoService", "Echo", id: 10))
                try await peer.send(answer)
                #expect(try await peer.frame()?.callMeta().correlationID == 10)
            }
        }
    }

    @Test(arguments: [("Nope", 1_002), ("Fail", 14_020)] as [(String, Int32)])
    func aStreamThatIsNotAcceptedIsAnsweredWrapped(method: String, code: Int32) async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try openRequest(method))
                let opening = try #require(try await peer.frame())
                #expect(
                    try opening.streamMeta()
                        == StreamFrameMeta(streamID: 5, sourceStreamID: -1, frameType: .data))
                let inner = try #require(try frames(opening.body).first).callMeta()
                #expect(inner.response?.errorCode == code)
                #expect(inner.streamSettings == nil)
            }
        }
    }

    /// bRPC's batch creation (rpc-wire, 1.8): an answer would need a number of ours for each of
    /// theirs, and no method here has more than one stream.
    @Test func aBatchOfStreamsIsNotAccepted() async throws {
        let events = Events()
        try await withPlainServer(events) { server in
            try await RawPeer.connect(to: server) { peer in
                let batch = try plainRequest("test.Service", "HangStream", id: 9, payload: "x") {
                    $0.streamSettings = StreamSettings(
                        streamID: 5, needFeedback: true, writable: true, extraStreamIDs: [6, 7])
                }
                // One field for each, as bRPC writes them.
                let settings = hex("420a 0805 1001 1801 2006 2007")
                #expect(Array(batch.readableBytesView).contains(settings))
                try await peer.send(batch)
                let opening = try #require(try await peer.frame())
                #expect(
                    try opening.streamMeta()
                        == StreamFrameMeta(streamID: 5, sourceStreamID: -1, frameType: .data))
                let inner = try #require(try frames(opening.body).first).callMeta()
                #expect(inner.response?.errorCode == 1_003)
                #expect(inner.streamSettings == nil)
                try await peer.send(try plainRequest("EchoService", "Echo", id: 10))
                #expect(try await peer.frame()?.callMeta().correlationID == 10)
            }
        }
        #expect(events.all.isEmpty, "it was not begun")
    }

    @Test func aFailedStreamIsResetForAPlainPeer() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try openRequest("FailLate"))
                _ = try await peer.frame()
                #expect(try await peer.frame()?.streamMeta().frameType == .data)
                #expect(
                    try await peer.frame()?.streamMeta()
                        == StreamFrameMeta(streamID: 5, frameType: .reset))
            }
        }
    }

    @Test(arguments: [StreamFrameMeta.FrameType.reset, .close, .data])
    func aPlainPeerCancelsWithAnyEndOfItsStream(type: StreamFrameMeta.FrameType) async throws {
        let events = Events()
        try await withPlainServer(events) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try openRequest("HangStream", payload: "x"))
                let opening = try #require(try await peer.frame()).streamMeta()
                #expect(try await peer.frame()?.streamMeta().frameType == .data)
                let source = type == .reset ? nil : 5 as Int64?
                var end = ByteBuffer()
                try end.writeStream(
                    StreamFrameMeta(
                        streamID: opening.sourceStreamID ?? 0, sourceStreamID: source,
                        frameType: type))
                try await peer.send(end)
                #expect(await events.wait(for: "stream cancelled"))
                switch type {
                case .close: #expect(try await peer.frame()?.streamMeta().frameType == .close)
                case .data: #expect(try await peer.frame()?.streamMeta().frameType == .reset)
                case .reset, .feedback: break
                }
            }
        }
    }

    @Test func dataForAnUnknownStreamIsResetAndTheRestIsIgnored() async throws {
        try await withPlainServer { server in
            try await RawPeer.connect(to: server) { peer in
                var burst = ByteBuffer()
                for type in [StreamFrameMeta.FrameType.close, .feedback, .reset, .data] {
                    try burst.writeStream(
                        StreamFrameMeta(streamID: 777, sourceStreamID: 5, frameType: type))
                }
                try await peer.send(burst)
                #expect(
                    try await peer.frame()?.packet == hexBuffer("0805 1801"))
            }
        }
    }

    @Test func losingTheConnectionCancelsItsCalls() async throws {
        let events = Events()
        try await withPlainServer(events) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try plainRequest("test.Service", "Hang", id: 1))
                #expect(await events.wait(for: "hang started"))
            }
            #expect(await events.wait(for: "hang cancelled"))
        }
    }
}
