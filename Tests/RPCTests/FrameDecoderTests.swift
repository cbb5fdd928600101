import NIOCore
import NIOTestUtils
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

@Suite struct FrameDecoderTests {
    private static func header(_ magic: String, body: UInt32, meta: UInt32) -> ByteBuffer {
        var buffer = ByteBuffer(string: magic)
        buffer.writeMultipleIntegers(body, meta)
        return buffer
    }

    /// Memory follows what came, not what a header says.
    @Test func roomForALongPacketIsMadeOnlyWhenAQuarterOfItIsThere() throws {
        let bodyBytes = Limits.rpcBodyBytes
        var decoder = FrameDecoder()
        var buffer = Self.header("PRPC", body: UInt32(bodyBytes), meta: 0)
        buffer.writeBytes([UInt8](repeating: 0, count: bodyBytes / 4 - 1_024))
        let before = buffer.capacity
        #expect(try decoder.decode(buffer: &buffer) == nil)
        #expect(buffer.capacity == before)
        buffer.writeBytes([UInt8](repeating: 0, count: 1_024))
        #expect(try decoder.decode(buffer: &buffer) == nil)
        #expect(buffer.capacity >= Frame.headerSize + bodyBytes)
        buffer.writeBytes([UInt8](repeating: 7, count: bodyBytes - bodyBytes / 4))
        let frame = try #require(try decoder.decode(buffer: &buffer))
        #expect(frame.bodySize == bodyBytes)
        #expect(buffer.readableBytes == 0)
    }

    @Test func framesComeOutTheSameWhereverTheBytesAreCut() throws {
        var call = RpcMeta()
        call.request = RpcRequestMeta(serviceName: "a.B", methodName: "C")
        call.correlationID = -1
        var first = ByteBuffer()
        try first.writeCall(call, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        var second = ByteBuffer()
        try second.writeStream(
            StreamFrameMeta(streamID: 0, sourceStreamID: 5, frameType: .data),
            payload: ByteBuffer(string: "first message"))
        let expected = try [frames(first)[0], frames(second)[0]]
        try ByteToMessageDecoderVerifier.verifyDecoder(
            inputOutputPairs: [
                (first, [expected[0]]), (second, [expected[1]]),
                (first + second, expected),
            ], decoderFactory: { FrameDecoder() })
    }

    @Test func unknownMagicIsRefusedAtItsFourthByte() {
        var buffer = ByteBuffer(string: "PRPX")
        #expect(throws: FrameError.unknownMagic) {
            var decoder = FrameDecoder()
            _ = try decoder.decode(buffer: &buffer)
        }
    }

    @Test(arguments: [
        (header("PRPC", body: 10, meta: 11), FrameError.metaExceedsBody),
        (header("PRPC", body: .max, meta: 10), .bodyTooLarge(Int(UInt32.max))),
        (header("STRM", body: 0x0100_0001, meta: 4), .bodyTooLarge(0x0100_0001)),
        (header("PRPC", body: 0x10_0001, meta: 0x1_0001), .metaTooLarge(0x1_0001)),
    ])
    func hostileLengthsAreRefusedOnTheHeaderAlone(header: ByteBuffer, error: FrameError) {
        var header = header
        #expect(throws: error) {
            var decoder = FrameDecoder()
            _ = try decoder.decode(buffer: &header)
        }
    }

    @Test func everythingUpToTheLimitsIsAccepted() throws {
        let largest = UInt32(Limits.rpcBodyBytes)
        var header = Self.header("PRPC", body: largest, meta: UInt32(Limits.rpcMetaBytes))
        var decoder = FrameDecoder()
        #expect(try decoder.decode(buffer: &header) == nil)
        header.writeRepeatingByte(0, count: Int(largest))
        #expect(try decoder.decode(buffer: &header)?.metaSize == Limits.rpcMetaBytes)
    }

    @Test func aConnectionThatEndsInsideAFrameIsTruncated() {
        var buffer = Self.header("PRPC", body: 4, meta: 0)
        buffer.writeString("abc")
        #expect(throws: FrameError.truncated) {
            var decoder = FrameDecoder()
            _ = try decoder.decodeLast(buffer: &buffer, seenEOF: true)
        }
    }
}

private func + (left: ByteBuffer, right: ByteBuffer) -> ByteBuffer {
    var joined = left
    joined.writeImmutableBuffer(right)
    return joined
}
