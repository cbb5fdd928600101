import NIOCore
import TollgateKernel
import TollgateWire

/// Answers the first request of a connection beyond the limits with ELIMIT (2004), then closes.
final class NoRoomHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var processor = NIOSingleStepByteToMessageProcessor(
        FrameDecoder(maximumBodyBytes: Limits.rpcUnverifiedFreeBytes))
    private var isAnswered = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        do {
            try processor.process(buffer: unwrapInboundIn(data)) { frame in
                guard !isAnswered, frame.kind == .call else { return }
                isAnswered = true
                let meta = try frame.withMeta { (bytes) throws(WireError) in
                    try RpcMeta.decode(bytes)
                }
                try answer(meta, context)
            }
        } catch {
            context.close(promise: nil)
        }
    }

    private func answer(_ request: RpcMeta, _ context: ChannelHandlerContext) throws {
        let error = RPCError.overLimit("The server has too many connections")
        var meta = RpcMeta()
        meta.correlationID = request.correlationID
        meta.response = RpcResponseMeta(errorCode: error.code, errorText: error.text)
        meta.userFields = error.userFields
        if request.envelopeExtension != nil {
            var ours = EnvelopeExtension()
            ours.notProcessed = true
            meta.envelopeExtension = ours
        }
        var answer = ByteBuffer()
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        if let stream = request.streamSettings {
            // A request that opens a stream hears of its refusal inside that stream.
            var inner = ByteBuffer()
            try inner.writeCall(meta, payload: nothing)
            try answer.writeStream(
                StreamFrameMeta(
                    streamID: stream.streamID, sourceStreamID: StreamFrameMeta.noStream,
                    frameType: .data), payload: inner)
        } else {
            try answer.writeCall(meta, payload: nothing)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(answer), promise: written)
        // The sniffer's patience closes what the peer does not close.
        written.futureResult.assumeIsolated().whenSuccess {
            context.close(mode: .output, promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
