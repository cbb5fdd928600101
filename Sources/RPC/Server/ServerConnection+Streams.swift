import DequeModule
import Logging
import NIOCore
import TollgateKernel
import TollgateWire

/// Streams in both directions.
extension ServerConnection {
    func receiveStreamFrame(_ meta: StreamFrameMeta, _ frame: Frame) {
        switch machine.receiveFrame(meta, payloadBytes: frame.bodySize) {
        case .ignore: break
        case .feedback(let id, let consumed): calls[Int(id.index)]?.sink?.peerConsumed(consumed)
        case .reply(let reply): writeStreamFrame(reply)
        case .cancel(let id, let reply):
            if let reply { writeStreamFrame(reply) }
            stop(id)
        case .data(let id, let isWhole, let endsRequests):
            // Whatever the window counts: messages of a byte cost their keeper many times that.
            let held = frame.bodySize + (isWhole ? Limits.rpcStreamMessageBytes : 0)
            guard let call = calls[Int(id.index)], holdsStreamBytes(of: call, held) else { return }
            call.partial.writeImmutableBuffer(frame.body)
            if isWhole {
                call.source?.deliver(Array(call.partial.readableBytesView))
                call.partial.forget(keepingAtMost: Limits.rpcFragmentBytes)
            }
            if endsRequests { call.source?.end(.success(())) }
        case .requestsEnded(let id): calls[Int(id.index)]?.source?.end(.success(()))
        }
    }

    /// Counts what a stream's reader has not taken yet; a stream that takes too much room ends.
    private func holdsStreamBytes(of call: RunningCall, _ bytes: Int) -> Bool {
        do throws(RPCError) {
            try call.charge(bytes)
            return true
        } catch {
            endStreamForRoom(call, error)
            return false
        }
    }

    /// Ends a stream for which there is no room any more.
    func endStreamForRoom(_ call: RunningCall, _ error: RPCError) {
        var error = error
        // Its handler runs, and what it did stays.
        error.isNotProcessed = false
        endStream(call, error)
        giveUp(call.id)
    }

    // MARK: Beginning

    /// Makes a call's sending end; its window is the smaller of ours and the peer's (E5).
    func makeSink(_ call: RunningCall, _ request: IncomingRequest) -> StreamSink {
        var window = StreamWindow()
        window.chargesMessages = machine.chargesMessages
        if let theirs = request.streamSettings?.initialWindowBytes { window.limit(to: theirs) }
        let sink = StreamSink(window: window, tooLarge: .responseTooLarge) { [self] in
            if loop.eventLoop.inEventLoop {
                streamIsReady(call)
            } else {
                loop.eventLoop.execute { self.streamIsReady(call) }
            }
        }
        call.sink = sink
        return sink
    }

    /// Makes a call's receiving end.
    func makeSource(_ call: RunningCall, _ request: IncomingRequest) -> StreamSource {
        let wantsFeedback = request.streamSettings?.needFeedback == true
        // What the peer announces later changes nothing about this stream.
        let chargesMessages = machine.chargesMessages
        let source = StreamSource { [self] total, messages in
            let uncharged = chargesMessages ? 0 : messages
            if loop.eventLoop.inEventLoop {
                call.wasRead(upTo: total, unchargedMessages: uncharged)
                acknowledge(call, total, messages, wantsFeedback: wantsFeedback)
            } else {
                loop.eventLoop.execute {
                    call.wasRead(upTo: total, unchargedMessages: uncharged)
                    self.acknowledge(call, total, messages, wantsFeedback: wantsFeedback)
                }
            }
        } cancelled: {
        }
        var reporting = StreamSource.Reporting(chargesMessages: chargesMessages)
        // A plain peer's own window may be small: it waits unless it is told often.
        if !machine.peerFeatures.contains(.receiverWindow) {
            reporting.everyBytes = Int64(Limits.rpcFragmentBytes)
            reporting.whenCaughtUp = wantsFeedback
        }
        source.report(reporting)
        call.source = source
        return source
    }

    /// Lets the peer know how far the handler is; only if it asked for that, for bRPC dies of a
    /// FEEDBACK it did not ask for (rpc-wire, 1.8).
    private func acknowledge(
        _ call: RunningCall, _ total: Int64, _ messages: Int, wantsFeedback: Bool
    ) {
        let frame = machine.consumed(call.id, upTo: total, messages: messages)
        if let frame, wantsFeedback { writeStreamFrame(frame) }
    }

    // MARK: Sending

    /// Has a stream take its turns: its queue is not empty any more.
    func streamIsReady(_ call: RunningCall) {
        guard !call.isReady, calls[Int(call.id.index)] === call, !machine.isClosed else { return }
        call.isReady = true
        readyStreams.append(call)
        flushSoon()
    }

    /// Writes fragments of the waiting streams in turns, as many as the channel should have at
    /// once; their bytes.
    func takeFromStreams() -> Int {
        var taken = 0
        while streamBytesInFlight + taken < Limits.rpcStreamBytesInFlight,
            let call = readyStreams.popFirst()
        {
            guard let sink = call.sink, machine.isUnanswered(call.id), let ends = openStream(call),
                let (piece, hasMore) = sink.takePiece()
            else {
                call.isReady = false
                continue
            }
            // What comes after the last message is for clients to say; a server says CLOSE.
            if case .fragment(let bytes, let hasContinuation) = piece {
                var meta = StreamFrameMeta(
                    streamID: ends.peer, sourceStreamID: ends.own, frameType: .data)
                meta.hasContinuation = hasContinuation
                writeStreamFrame(meta, bytes, flushes: false)
                // A frame costs about this beside its payload, so that empty ones count too.
                taken += bytes.readableBytes + Limits.rpcFrameOverheadBytes
            }
            if hasMore {
                readyStreams.append(call)
            } else {
                call.isReady = false
                guard let outcome = call.outcome else { continue }
                endStream(call, outcome.error)
                forget(call)
            }
        }
        return taken
    }

    /// Ends a call's stream: CLOSE after the last message, with how it ended.
    ///
    /// A plain peer cannot read the status, so a failed stream is reset for it: its reader must not
    /// take a part for the whole.
    func endStream(_ call: RunningCall, _ error: RPCError?) {
        guard machine.isUnanswered(call.id), let ends = machine.streamEnds(call.id) else { return }
        if let error, !ends.isOpen { return answer(call, error) }
        guard openStream(call) != nil, machine.answer(call.id) else { return }
        var error = error
        if machine.peerKnowsExtension {
            var close = StreamFrameMeta(
                streamID: ends.peer, sourceStreamID: ends.own, frameType: .close)
            close.envelopeExtension = Self.status(error, error?.userFields ?? call.context.trailers)
            if !writeStreamFrame(close) {
                // What went wrong can be told without what was added to it.
                error = error ?? RPCError(Self.metadataTooLarge)
                close.envelopeExtension = Self.status(error, [:])
                writeStreamFrame(close)
            }
        } else if error == nil {
            writeStreamFrame(
                StreamFrameMeta(streamID: ends.peer, sourceStreamID: ends.own, frameType: .close))
        } else {
            writeStreamFrame(StreamFrameMeta(streamID: ends.peer, frameType: .reset))
        }
        record(call, code: error?.code ?? 0)
    }

    /// What a CLOSE says.
    private static func status(
        _ error: RPCError?, _ trailers: [String: String]
    ) -> EnvelopeExtension {
        var status = EnvelopeExtension()
        status.errorCode = error?.code ?? 0
        status.errorText = error?.sentText
        status.trailers = trailers
        status.retryAfterMilliseconds = error?.retryAfterMilliseconds
        return status
    }

    /// Queues the response that names our end of the stream, once; before other streams' messages.
    func openStream(_ call: RunningCall) -> (own: Int64, peer: Int64, isOpen: Bool)? {
        guard let ends = machine.streamEnds(call.id) else { return nil }
        if ends.isOpen { return ends }
        var meta = responseMeta(call.context.correlationID)
        meta.response = RpcResponseMeta()
        meta.streamSettings = StreamSettings(
            streamID: ends.own, needFeedback: true, writable: call.source != nil)
        do {
            var inner = ByteBuffer()
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            try inner.writeCall(meta, payload: nothing)
            try outbound.writeStream(
                StreamFrameMeta(
                    streamID: ends.peer, sourceStreamID: ends.own, frameType: .data),
                payload: inner)
        } catch {
            if meta.envelopeExtension != nil { machine.announcementFailed() }
            core.logger.error("a stream cannot be opened", metadata: ["why": "\(error)"])
            close()
            return nil
        }
        machine.streamOpened(call.id)
        flushSoon()
        return ends
    }

    /// Queues a frame; false if its meta is more than a reader takes, and nothing is written.
    @discardableResult
    private func writeStreamFrame(
        _ meta: StreamFrameMeta, _ payload: ByteBuffer = ByteBuffer(), flushes: Bool = true
    ) -> Bool {
        let trailers = meta.envelopeExtension?.trailers.count ?? 0
        guard trailers <= Limits.rpcUserFields else { return false }
        do {
            let isWritten = try outbound.writeStream(
                meta, payload: payload, maximumMetaBytes: Limits.rpcMetaBytes)
            if flushes, isWritten { flushSoon() }
            return isWritten
        } catch {
            core.logger.error("a stream frame cannot be written", metadata: ["why": "\(error)"])
            close()
            return true
        }
    }
}
