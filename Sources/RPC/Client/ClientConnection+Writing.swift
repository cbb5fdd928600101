import DequeModule
import NIOCore
import TollgateKernel
import TollgateWire

/// What leaves a client's connection.
extension ClientConnection {
    /// Writes a request.
    func write(
        _ call: ClientCall, _ ticket: ClientConnectionStateMachine<ClientCall>.Ticket,
        wantsReply: Bool = true
    ) throws(RPCError) {
        let outgoing = call.outgoing
        let payloadCount =
            (call.packed?.bytes.readableBytes ?? outgoing.payload.count)
            + outgoing.attachment.readableBytes
        do {
            // A server closes the connection, with everybody's calls, over what is beyond these.
            guard payloadCount <= Limits.rpcBodyBytes - Limits.rpcMetaBytes,
                outgoing.userFields.count <= Limits.rpcUserFields
            else { throw Failure.requestTooLarge }
            let request = RpcRequestMeta(
                serviceName: outgoing.method.service, methodName: outgoing.method.name,
                timeoutMilliseconds: Int32(clamping: outgoing.deadline.remainingMilliseconds))
            let hints = hints(outgoing, isFirst: ticket.isFirst, wantsReply: wantsReply)
            if hints == nil, !ticket.isFirst, call.packed == nil, call.stream == nil,
                outgoing.payload.withUnsafeBytes({ payload in
                    outbound.writeRequest(
                        request, correlationID: ticket.id, userFields: outgoing.userFields,
                        payload: payload, attachment: outgoing.attachment)
                })
            {
                return
            }
            try write(call, ticket, request, hints)
        } catch {
            throw RPCError(thrown: error)
        }
    }

    /// Writes a request of which there is more to say than most have.
    @inline(never)
    private func write(
        _ call: ClientCall, _ ticket: ClientConnectionStateMachine<ClientCall>.Ticket,
        _ request: RpcRequestMeta, _ hints: EnvelopeExtension?
    ) throws {
        let outgoing = call.outgoing
        var meta = RpcMeta()
        meta.request = request
        meta.correlationID = ticket.id
        meta.userFields = outgoing.userFields
        if ticket.isFirst { meta.authenticationData = credential }
        meta.envelopeExtension = hints
        if call.stream != nil {
            meta.streamSettings = StreamSettings(
                streamID: ticket.id, needFeedback: call.sink != nil, writable: true,
                initialWindowBytes: outgoing.windowBytes)
        }
        call.packed?.describe(in: &meta)
        let isWritten =
            if let packed = call.packed {
                try packed.bytes.withUnsafeReadableBytes {
                    try write(meta, payload: $0, outgoing.attachment)
                }
            } else {
                try outgoing.payload.withUnsafeBytes {
                    try write(meta, payload: $0, outgoing.attachment)
                }
            }
        guard isWritten else {
            throw Failure(.invalidRequest, "The request's metadata is too large.")
        }
    }

    private func write(
        _ meta: RpcMeta, payload: UnsafeRawBufferPointer, _ attachment: ByteBuffer
    ) throws(WireError) -> Bool {
        try outbound.writeCall(
            meta, payload: payload, attachment: attachment, maximumMetaBytes: Limits.rpcMetaBytes)
    }

    /// What our own servers are told beside a request; nil, as usual, if there is nothing.
    private func hints(
        _ outgoing: OutgoingCall, isFirst: Bool, wantsReply: Bool
    ) -> EnvelopeExtension? {
        let isUsual = outgoing.priority == .normal && outgoing.compression == nil && wantsReply
        if isUsual { return isFirst ? .announcement : nil }
        var hints = isFirst ? .announcement : EnvelopeExtension()
        if outgoing.priority != .normal { hints.priority = outgoing.priority.rawValue }
        hints.acceptCompress = outgoing.compression?.bit
        if !wantsReply { hints.noReply = true }
        return hints
    }

    func write(_ frame: StreamFrameMeta, _ payload: ByteBuffer = ByteBuffer()) {
        do {
            try outbound.writeStream(frame, payload: payload)
        } catch {
            context?.close(promise: nil)
        }
    }

    /// Writes a packet without a payload.
    func write(_ meta: RpcMeta) {
        do {
            try outbound.writeCall(meta, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        } catch {
            context?.close(promise: nil)
        }
    }

    // MARK: Streams

    /// Has a stream take its turns: its queue is not empty any more.
    func streamIsReady(_ call: ClientCall) {
        guard call.sink != nil, !call.isReady else { return }
        call.isReady = true
        readyStreams.append(call)
    }

    /// Writes fragments of the waiting streams in turns, as many as the channel should have at
    /// once; their bytes.
    private func takeFromStreams() -> Int {
        var taken = 0
        while streamBytesInFlight + taken < Limits.rpcStreamBytesInFlight,
            let call = readyStreams.popFirst()
        {
            guard let id = call.id, let sink = call.sink, let server = machine.serverStream(of: id),
                let (piece, hasMore) = sink.takePiece()
            else {
                call.isReady = false
                continue
            }
            switch piece {
            case .fragment(let bytes, let hasContinuation):
                var meta = StreamFrameMeta(
                    streamID: server, sourceStreamID: id, frameType: .data)
                meta.hasContinuation = hasContinuation
                write(meta, bytes)
                // So that empty ones count too.
                taken += bytes.readableBytes + Limits.rpcFrameOverheadBytes
            case .finish:
                if let frame = machine.finish(id) {
                    write(frame)
                } else {
                    giveUp(call, ClientConnectionStateMachine<ClientCall>.noHalfClose)
                }
            }
            if hasMore { readyStreams.append(call) } else { call.isReady = false }
        }
        return taken
    }

    /// Hands what was written to the channel, and as much of the streams as it has room for; leaves
    /// a retired connection once nothing is left to do on it.
    func flush() {
        isFlushScheduled = false
        unflushedPackets = 0
        guard let context, !isFlushing else { return }
        // The socket may take the bytes at once, and tell us so before we are done here.
        isFlushing = true
        defer { isFlushing = false }
        let streamBytes = readyStreams.isEmpty ? 0 : takeFromStreams()
        if outbound.readableBytes > 0 {
            var written: EventLoopPromise<Void>?
            if streamBytes > 0 {
                streamBytesInFlight += streamBytes
                let promise = context.eventLoop.makePromise(of: Void.self)
                promise.futureResult.assumeIsolated().whenComplete { _ in
                    self.streamBytesInFlight -= streamBytes
                    if !self.readyStreams.isEmpty { self.flushLater() }
                }
                written = promise
            }
            context.send(outbound, promise: written)
            outbound.clear()
        }
        if machine.isRetired, machine.callCount == 0 { context.close(promise: nil) }
    }

    /// Others have their turn on the event loop first.
    private func flushLater() {
        context?.eventLoop.assumeIsolated().execute { self.flush() }
    }
}
