import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

@Suite struct OutboundTests {
    private static func meta(_ number: Int64) -> RpcMeta {
        var meta = RpcMeta()
        meta.correlationID = number
        meta.response = RpcResponseMeta()
        return meta
    }

    /// What a peer would read.
    private static func frames(_ outbound: Outbound) throws -> [Frame] {
        let (earlier, last) = outbound.buffers
        var bytes = ByteBuffer()
        for buffer in earlier + [last] { bytes.writeImmutableBuffer(buffer) }
        var (decoder, frames) = (FrameDecoder(), [Frame]())
        while let frame = try decoder.decode(buffer: &bytes) { frames.append(frame) }
        #expect(bytes.readableBytes == 0)
        return frames
    }

    @Test func packetsWithAttachmentsOfEveryKindOfLengthKeepTheirOrder() throws {
        let threshold = Limits.rpcAttachmentInPlaceBytes
        let lengths = [0, 1, threshold - 1, threshold, 0, threshold + 1, 4 * threshold, 7]
        var outbound = Outbound()
        for (number, length) in lengths.enumerated() {
            let payload = [UInt8](repeating: 1, count: number)
            _ = try payload.withUnsafeBytes {
                try outbound.writeCall(
                    Self.meta(Int64(number)), payload: $0,
                    attachment: ByteBuffer(repeating: UInt8(number), count: length))
            }
            try outbound.writeStream(
                StreamFrameMeta(streamID: Int64(number), frameType: .reset))
        }
        let (earlier, last) = outbound.buffers
        let waiting = earlier.reduce(last.readableBytes) { $0 + $1.readableBytes }
        #expect(outbound.readableBytes == waiting)
        let frames = try Self.frames(outbound)
        #expect(frames.map(\.kind) == lengths.flatMap { _ in [Frame.Kind.call, .stream] })
        for (number, length) in lengths.enumerated() {
            let frame = frames[2 * number]
            let meta = try frame.withMeta { (bytes) throws(WireError) in
                try RpcMeta.decode(bytes)
            }
            #expect(meta.correlationID == Int64(number))
            #expect(Int(meta.attachmentSize) == length)
            var body = frame.body
            #expect(body.readableBytes == number + length)
            body.moveReaderIndex(forwardBy: number)
            #expect(body == ByteBuffer(repeating: UInt8(number), count: length))
        }
        outbound.clear()
        #expect(outbound.readableBytes == 0)
        #expect(try Self.frames(outbound).isEmpty)
    }

    @Test func aMetaThatIsTooLargeLeavesNothing() throws {
        var outbound = Outbound()
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        try outbound.writeCall(Self.meta(1), payload: nothing)
        let before = outbound.readableBytes
        let long = ByteBuffer(repeating: 0, count: Limits.rpcAttachmentInPlaceBytes)
        let isWritten = try outbound.writeCall(
            Self.meta(2), payload: nothing, attachment: long, maximumMetaBytes: 1)
        #expect(!isWritten)
        #expect(outbound.readableBytes == before)
        #expect(try Self.frames(outbound).count == 1)
    }

    @Test func aLongAttachmentIsNotCopied() throws {
        let long = ByteBuffer(repeating: 3, count: Limits.rpcAttachmentInPlaceBytes)
        var outbound = Outbound()
        try outbound.writeCall(
            Self.meta(1), payload: UnsafeRawBufferPointer(start: nil, count: 0), attachment: long)
        let sent = try #require(outbound.buffers.earlier.last)
        let isSame = sent.withUnsafeReadableBytes { ours in
            long.withUnsafeReadableBytes { theirs in ours.baseAddress == theirs.baseAddress }
        }
        #expect(isSame)
    }
}
