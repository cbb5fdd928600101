import DequeModule
import Logging
import NIOCore
import TollgateKernel
import TollgateWire

/// Streams of responses.
extension ServerConnection {
    /// Whether the peer takes what we send.
    var channelIsWritable: Bool { context?.channel.isWritable ?? false }

    func receiveStreamFrame(_ frame: StreamFrameMeta) {
        switch machine.receiveFrame(frame) {
        case .ignore: break
        case .feedback(let id, let consumed): calls[Int(id.index)]?.sink?.peerConsumed(consumed)
        case .reply(let reply): writeStreamFrame(reply)
        case .cancel(let id, let reply):
            if let reply { writeStreamFrame(reply) }
            stop(id)
        }
    }

    /// Sends what a stream's writer has queued; the response that names the stream goes first.
    func sendQueued(_ call: RunningCall) {
        guard let queued = call.sink?.takeQueued(), !queued.isEmpty else { return }
        guard machine.isUnanswered(call.id), let ends = openStream(call) else { return }
        for message in queued { writeMessage(message, from: ends.own, to: ends.peer) }
        flushSoon()
    }

    /// Ends a call's stream: CLOSE after the last message, with how it ended.
    ///
    /// A plain peer cannot read the status, so a failed stream is reset for it: its reader must not
    /// take a part for the whole.
    func endStream(_ call: RunningCall, _ error: RPCError?) {
        guard machine.isUnanswered(call.id), let ends = machine.streamEnds(call.id) else { return }
        if let error, !ends.isOpen { return answer(call, error) }
        guard openStream(call) != nil, machine.answer(call.id) else { return }
        if machine.peerKnowsExtension {
            var close = StreamFrameMeta(
                streamID: ends.peer, sourceStreamID: ends.own, frameType: .close)
            var status = EnvelopeExtension()
            status.errorCode = error?.code ?? 0
            status.errorText = error?.text
            status.trailers = error?.userFields ?? [:]
            close.envelopeExtension = status
            writeStreamFrame(close)
        } else if error == nil {
            writeStreamFrame(
                StreamFrameMeta(streamID: ends.peer, sourceStreamID: ends.own, frameType: .close))
        } else {
            writeStreamFrame(StreamFrameMeta(streamID: ends.peer, frameType: .reset))
        }
        record(call, code: error?.code ?? 0)
    }

    /// Queues the response that names our end of the stream, once.
    private func openStream(_ call: RunningCall) -> (own: Int64, peer: Int64, isOpen: Bool)? {
        guard let ends = machine.streamEnds(call.id) else { return nil }
        if ends.isOpen { return ends }
        var meta = responseMeta(call.context.correlationID)
        meta.response = RpcResponseMeta()
        meta.streamSettings = StreamSettings(
            streamID: ends.own, needFeedback: true, writable: false)
        do {
            var inner = ByteBuffer()
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            try inner.writeCall(meta, payload: nothing)
            try outbound.writeStream(
                StreamFrameMeta(
                    streamID: ends.peer, sourceStreamID: ends.own, frameType: .data),
                payload: inner)
        } catch {
            core.logger.error("a stream cannot be opened", metadata: ["why": "\(error)"])
            close()
            return nil
        }
        machine.streamOpened(call.id)
        return ends
    }

    /// Writes one message, in fragments if it is long.
    private func writeMessage(_ message: ByteBuffer, from own: Int64, to peer: Int64) {
        var rest = message
        repeat {
            let length = min(rest.readableBytes, Limits.rpcFragmentBytes)
            guard let fragment = rest.readSlice(length: length) else { return }
            var meta = StreamFrameMeta(streamID: peer, sourceStreamID: own, frameType: .data)
            meta.hasContinuation = rest.readableBytes > 0
            writeStreamFrame(meta, fragment)
        } while rest.readableBytes > 0
    }

    private func writeStreamFrame(_ meta: StreamFrameMeta, _ payload: ByteBuffer = ByteBuffer()) {
        do {
            try outbound.writeStream(meta, payload: payload)
            flushSoon()
        } catch {
            core.logger.error("a stream frame cannot be written", metadata: ["why": "\(error)"])
            close()
        }
    }
}
