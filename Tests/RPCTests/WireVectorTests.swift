import NIOCore
import Testing
import TollgateRPC
import TollgateWire

/// The packets that bRPC 1.17 sent and accepted (rpc-wire, 1.10), byte for byte.
@Suite struct WireVectorTests {
    private let hello = hexBuffer("0a0568656c6c6f")

    @Test func unaryRequestIsWrittenAsBRPCAcceptsIt() throws {
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(serviceName: "example.EchoService", methodName: "Echo")
        meta.correlationID = 7
        var buffer = ByteBuffer()
        try hello.withUnsafeReadableBytes { try buffer.writeCall(meta, payload: $0) }
        #expect(
            buffer
                == hexBuffer(
                    "50525043 00000026 0000001f 0a1b 0a136578616d706c652e4563686f53657276696365"
                        + "12044563686f 2007 | 0a0568656c6c6f"))
    }

    @Test func unaryRequestIsRead() throws {
        let frame = try #require(
            try frames(
                hexBuffer(
                    "50525043 00000026 0000001f 0a1b 0a136578616d706c652e4563686f53657276696365"
                        + "12044563686f 2007 | 0a0568656c6c6f")
            ).first)
        #expect(frame.kind == .call)
        #expect(frame.body == hello)
        let meta = try frame.withMeta { bytes throws(WireError) in try RpcMeta.decode(bytes) }
        #expect(meta.request?.serviceName == "example.EchoService")
        #expect(meta.request?.methodName == "Echo")
        #expect(meta.request?.timeoutMilliseconds == nil)
        #expect(meta.correlationID == 7)
        #expect(meta.attachmentSize == 0)
        #expect(meta.response == nil)
    }

    @Test func unaryResponseOfBRPCIsRead() throws {
        let frame = try #require(
            try frames(
                hexBuffer(
                    "50525043 00000015 0000000e 12020800 1800 2007 5000 5800 6200 | 0a0568656c6c6f")
            ).first)
        let meta = try frame.withMeta { bytes throws(WireError) in try RpcMeta.decode(bytes) }
        #expect(meta.response == RpcResponseMeta())
        #expect(meta.correlationID == 7)
        #expect(meta.request == nil)
        #expect(frame.body == hello)
    }

    @Test func failedResponseOfBRPCIsRead() throws {
        let text = "[127.0.0.1:18002][E1002]Fail to find method=example.EchoService/Nope"
        let bytes = hex("1249 08ea07 1244") + Array(text.utf8)
        let meta = try bytes.withUnsafeBytes { bytes throws in try RpcMeta.decode(bytes) }
        #expect(meta.response == RpcResponseMeta(errorCode: 1_002, errorText: text))
    }

    @Test func streamSettingsAreWrittenAndRead() throws {
        var meta = RpcMeta()
        meta.streamSettings = StreamSettings(streamID: 5, needFeedback: true, writable: true)
        #expect(try meta.encoded() == hex("42060805 1001 1801"))
        let read = try hex("4206 0800 1001 1801").withUnsafeBytes { try RpcMeta.decode($0) }
        #expect(
            read.streamSettings
                == StreamSettings(streamID: 0, needFeedback: true, writable: true))
    }

    @Test func streamOpeningFrameOfBRPCIsRead() throws {
        // 51 bytes of an inner packet complete the vector's outer header (0x3b - 8).
        var answer = RpcMeta()
        answer.response = RpcResponseMeta()
        answer.correlationID = 7
        answer.streamSettings = StreamSettings(streamID: 0, needFeedback: true, writable: true)
        var inner = ByteBuffer()
        let payload = ByteBuffer(repeating: 0x2a, count: 51 - Frame.headerSize - 14)
        try payload.withUnsafeReadableBytes { try inner.writeCall(answer, payload: $0) }
        var bytes = hexBuffer("5354524d 0000003b 00000008 0805 1000 1803 2000")
        bytes.writeImmutableBuffer(inner)

        let frame = try #require(try frames(bytes).first)
        #expect(frame.kind == .stream)
        let meta = try frame.withMeta { (bytes) throws(WireError) in
            try StreamFrameMeta.decode(bytes)
        }
        #expect(meta == StreamFrameMeta(streamID: 5, sourceStreamID: 0, frameType: .data))
        let wrapped = try #require(try frames(frame.body).first)
        let read = try wrapped.withMeta { (bytes) throws(WireError) in try RpcMeta.decode(bytes) }
        #expect(read == answer)
        #expect(wrapped.body == payload)
    }

    @Test func dataFrameIsWrittenAsBRPCAcceptsIt() throws {
        var buffer = ByteBuffer()
        try buffer.writeStream(
            StreamFrameMeta(streamID: 0, sourceStreamID: 5, frameType: .data),
            payload: ByteBuffer(string: "first message"))
        #expect(
            buffer
                == hexBuffer(
                    "5354524d 00000015 00000008 0800 1005 1803 2000 | "
                        + "6669727374206d657373616765"))
    }

    @Test(arguments: [(13, "2a02 080d"), (24, "2a02 0818")])
    func feedbackFrameIsReadAndWritten(consumed: Int, tail: String) throws {
        let bytes = hexBuffer("5354524d 0000000a 0000000a 0805 1000 1804" + tail)
        var meta = StreamFrameMeta(streamID: 5, sourceStreamID: 0, frameType: .feedback)
        meta.consumedSize = Int64(consumed)
        var written = ByteBuffer()
        try written.writeStream(meta)
        #expect(written == bytes)
        let frame = try #require(try frames(bytes).first)
        let read = try frame.withMeta { (bytes) throws(WireError) in
            try StreamFrameMeta.decode(bytes)
        }
        #expect(read == meta)
        #expect(frame.bodySize == 0)
    }

    @Test func closeAndResetAreWrittenAsBRPCDoes() throws {
        var close = ByteBuffer()
        try close.writeStream(StreamFrameMeta(streamID: 0, sourceStreamID: 5, frameType: .close))
        #expect(close == hexBuffer("5354524d 00000006 00000006 0800 1005 1802"))
        var reset = ByteBuffer()
        try reset.writeStream(StreamFrameMeta(streamID: 777, frameType: .reset))
        #expect(reset == hexBuffer("5354524d 00000005 00000005 08 8906 18 01"))
    }
}
