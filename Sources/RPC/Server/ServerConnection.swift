import DequeModule
import Logging
import NIOCore
import TollgateKernel
import TollgateWire
import Tracing

/// What the connections of one server share.
struct ServerCore: Sendable {
    let router: Router
    let verifier: (any CredentialVerifier)?
    let interceptors: [any CallInterceptor]
    let pages: ServerPages
    let maximumBodyBytes: Int
    var keepalive = Keepalive()
    var drainGraceMilliseconds = Limits.rpcDrainGraceMilliseconds
    let logger: Logger
    var edge = ServerEdge()
    var certificates: ServerCertificates?
    /// Whether other machines may speak without encryption.
    var mayBePlain = true
    let instrument = TraceContext.currentInstrument()
    let tracer = TraceContext.currentTracer()
}

/// A server's end of one connection: does what the state machine says.
///
/// `@unchecked Sendable`: everything is touched on the connection's event loop alone, tasks
/// included, because their executor is that loop.
final class ServerConnection: ChannelDuplexHandler, Flushing, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    let core: ServerCore
    let loop: LoopContext
    let budget: ConnectionBudget
    // The next four are changed some twenty times a call, by values that know nothing of this
    // object and so cannot come back to it while they do: what looks for that at run time was a
    // twelfth of a call's instructions.
    @exclusivity(unchecked) var machine: ServerConnectionStateMachine
    @exclusivity(unchecked) var calls: [RunningCall?] = []
    /// What leaves with the next flush: responses and control frames at once, streams in turns.
    @exclusivity(unchecked) var outbound = Outbound()
    /// Streams with something to send, each at most once.
    var readyStreams: Deque<RunningCall> = []
    /// Bytes of streams that the channel has and the socket has not taken.
    var streamBytesInFlight = 0
    private(set) var context: ChannelHandlerContext?
    /// What the peer has yet to take; nil without a channel.
    private(set) var gauge: OutboundGauge?
    /// How far the peer is with what it was sent.
    var reader = ReaderProgress()
    /// When the loop looks at this connection next.
    var nextLook = NIODeadline.distantFuture
    /// What was read and not taken yet.
    @exclusivity(unchecked) var frameReader: FrameReader
    /// Since when a request that is not whole takes from the budget.
    var unfinishedSince: NIODeadline?
    /// The read that is worked on, once a call that lies in it waits.
    private var pinnedRead: PinnedRead?
    private var held: [IncomingRequest] = []
    private var verification: Task<Void, Never>?
    private var isReading = false
    var probe: LivenessProbe
    private var isFlushScheduled = false
    private var isFlushing = false
    /// We do not read, because the peer does not.
    private(set) var wantsRead = false
    /// The channel has room for more.
    private(set) var isWritable = true
    private var lingering: Linger?
    /// Packets since the last flush.
    private var unflushedPackets = 0
    let opened = NIODeadline.now()
    private(set) var arrival = NIODeadline.now()
    private(set) var identity: ConnectionIdentity?
    private(set) var peer = ""

    /// Makes a connection's end; `identity` is who the peer is by other means than a credential.
    init(
        core: ServerCore, loop: LoopContext, budget: ConnectionBudget? = nil,
        identity: ConnectionIdentity? = nil
    ) {
        self.core = core
        self.loop = loop
        probe = LivenessProbe(core.keepalive)
        self.budget = budget ?? ConnectionBudget(core.edge)
        self.identity = identity
        let verifiesCredential = core.verifier != nil && identity == nil
        if !verifiesCredential { self.budget.verified() }
        machine = ServerConnectionStateMachine(verifiesCredential: verifiesCredential)
        frameReader = FrameReader(maximumBodyBytes: core.maximumBodyBytes)
    }

    /// How many calls have a task.
    var callCount: Int { machine.callCount }

    /// Whether no task runs for the connection.
    var isIdle: Bool { machine.callCount == 0 && verification == nil }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = context.remoteAddress.map { $0.ipAddress ?? "local" } ?? "local"
        lingering = Linger(context)
        gauge = OutboundGauge(context)
        loop.add(self)
        look(.now())
    }

    func handlerRemoved(context: ChannelHandlerContext) { connectionLost() }

    func channelInactive(context: ChannelHandlerContext) {
        connectionLost()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Read all the same: a socket closed with bytes unread would take the last answers back.
        guard !machine.isClosed else { return }
        isReading = true
        arrival = .now()
        loop.executor.noteRead(self, at: arrival)
        do {
            frameReader.append(unwrapInboundIn(data))
            var isWhole = false
            while let frame = try frameReader.next() {
                isWhole = true
                try receive(frame)
            }
            pinnedRead = nil
            if frameReader.unfinishedBytes > Limits.rpcUnfinishedFreeBytes || unfinishedSince != nil
            {
                if isWhole { unfinishedSince = nil }
                countUnfinished()
            }
        } catch {
            core.logger.debug(
                "closing a connection that broke the format",
                metadata: [
                    "peer": "\(peer)", "error": "\(error)",
                ])
            close()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
        // Whoever has all the answers may ask again at once.
        if machine.callCount == 0 { loop.executor.rest(after: self) }
    }

    func linger(isNeeded: () -> Bool) {
        if context != nil, !machine.isClosed { lingering?.lookForBytes(isNeeded: isNeeded) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if !isWritable { reader.tookSomething(at: .now()) }
        countUnsent()
        if isWritable { readAgain() }
    }

    private func readAgain() {
        guard wantsRead else { return }
        wantsRead = false
        // It could not be heard meanwhile, and has just taken something.
        reader.tookSomething(at: .now())
        context?.read()
    }

    /// Has the budget know how much the peer leaves unread.
    func countUnsent() { budget.noteUnsent(isWritable ? 0 : gauge?.waitingBytes ?? 0) }

    /// A peer that does not take its answers is not read from either.
    ///
    /// Streams alone never fill the channel that far: a reader that is slow or stuck can still
    /// cancel.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable || machine.isClosed {
            context.read()
        } else {
            wantsRead = true
            reader.tookSomething(at: .now())
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ConnectionIsIdle { endIdleConnection() }
        context.fireUserInboundEventTriggered(event)
    }

    /// Refuses first and closes a little later: a request that is on its way meanwhile is answered
    /// in a way that lets its caller repeat it elsewhere.
    private func endIdleConnection() {
        drain(graceMilliseconds: Limits.rpcCloseMilliseconds)
        let patience = TimeAmount.milliseconds(Limits.rpcCloseMilliseconds)
        loop.eventLoop.assumeIsolated().scheduleTask(in: patience) { [weak self] in
            self?.closeAfterFlush()
        }
    }

    // MARK: What arrives

    private func receive(_ frame: Frame) throws {
        guard !machine.isClosed else { return }
        switch frame.kind {
        case .call:
            var frame = frame
            // It stays as long as the call, and counts for its own bytes alone.
            frame.leaveLongRead(always: pinnedRead == nil && budget.edge.isFullOfPinned)
            try IncomingRequest.read(frame, arrival: arrival, router: core.router, process)
        case .stream:
            let meta = try frame.withMeta { (bytes) throws(WireError) in
                try StreamFrameMeta.decode(bytes)
            }
            receiveStreamFrame(meta, frame)
        }
    }

    private func process(_ request: IncomingRequest) {
        if case .control(let control) = request.target {
            if let answer = machine.receiveControl(control) { writeControl(answer) }
            return
        }
        let action = machine.receiveRequest(
            credential: request.credential, announcement: request.boxedExtension)
        switch action {
        case .admit: begin(request)
        case .hold: held.append(request)
        case .verify(let credential):
            held.append(request)
            verify(credential)
        case .refuse(let error): refuse(request, error)
        case .refuseAndClose(let error):
            writeBareError(error, correlationID: request.correlationID)
            closeAfterFlush()
        case .ignore: break
        }
    }

    /// Counts the memory of what was read with a call that waits, once for all that do.
    func pin(_ call: RunningCall, _ bytes: Int) {
        let read = pinnedRead ?? PinnedRead(bytes, in: budget.edge)
        pinnedRead = read
        call.pinnedRead = read
    }

    private func verify(_ credential: [UInt8]) {
        guard let verifier = core.verifier else { return }
        let task = CallTask.start(on: loop.executor) { [self] in
            credentialChecked(await verifier.verify(credential))
        }
        // A verifier that never waited has spoken already.
        if !held.isEmpty { verification = task }
    }

    /// Ends a connection whose credential did not come, or was not checked, in time: whoever waits
    /// for the check is told, and may try elsewhere.
    func endUnverified() {
        core.logger.debug(
            "closing a connection without a checked credential", metadata: ["peer": "\(peer)"])
        guard !held.isEmpty else { return close() }
        let waiting = held
        held = []
        verification?.cancel()
        for request in waiting {
            refuse(request, .overLimit("The credential could not be checked in time"))
        }
        closeAfterFlush()
    }

    private func credentialChecked(_ identity: ConnectionIdentity?) {
        verification = nil
        guard !machine.isClosed else { return connectionBecameIdle() }
        let waiting = held
        held = []
        self.identity = identity
        if machine.credentialChecked(isValid: identity != nil) {
            budget.verified()
            // An answer to one of them may find the peer gone.
            for request in waiting where !machine.isClosed {
                // Each may have come in a read of its own.
                pinnedRead = nil
                begin(request)
            }
            pinnedRead = nil
            countUnfinished()
        } else {
            for request in waiting {
                writeBareError(
                    ServerConnectionStateMachine.unauthenticated,
                    correlationID: request.correlationID)
            }
            closeAfterFlush()
        }
        if isIdle { connectionBecameIdle() }
    }

    // MARK: Writing

    /// Has what was written leave soon: at the end of this read or this batch of tasks, or before
    /// it if much is written.
    func flushSoon() {
        unflushedPackets += 1
        let isEnough =
            unflushedPackets >= Limits.rpcPacketsPerFlush
            || outbound.readableBytes >= Limits.rpcFragmentBytes
        if isEnough, !isFlushing {
            let isScheduled = isFlushScheduled
            flush()
            isFlushScheduled = isScheduled
        } else if !isReading, !isFlushScheduled {
            isFlushScheduled = true
            loop.executor.flushLater(self)
        }
    }

    /// Hands what was written to the channel, and as much of the streams as it has room for.
    func flush() {
        isFlushScheduled = false
        unflushedPackets = 0
        guard let context, !isFlushing else { return }
        // The socket may take the bytes at once, and tell us so before we are done here.
        isFlushing = true
        defer { isFlushing = false }
        let streamBytes = readyStreams.isEmpty ? 0 : takeFromStreams()
        guard outbound.readableBytes > 0 else { return }
        var written: EventLoopPromise<Void>?
        if streamBytes > 0 {
            streamBytesInFlight += streamBytes
            let promise = loop.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in
                self.streamBytesInFlight -= streamBytes
                if !self.readyStreams.isEmpty { self.flushSoon() }
            }
            written = promise
        }
        reader.sentBytes += outbound.readableBytes
        context.send(outbound, promise: written)
        outbound.clear()
        if !isWritable { countUnsent() }
    }

    /// Sends a message of the connection itself: shaped like a response to nobody, which plain
    /// peers drop.
    func writeControl(_ message: EnvelopeExtension) {
        var meta = RpcMeta()
        meta.response = RpcResponseMeta()
        meta.envelopeExtension = message
        do {
            try outbound.writeCall(meta, payload: UnsafeRawBufferPointer(start: nil, count: 0))
            flushSoon()
        } catch {
            core.logger.error("a control frame cannot be written", metadata: ["why": "\(error)"])
            close()
        }
    }

    // MARK: Ends

    /// Closes the connection now.
    func close() {
        guard let context else { return }
        context.close(promise: nil)
        connectionLost()
    }

    /// Ends our side once everything written is on its way, and waits for the peer to take it and
    /// to end its own: a socket closed with bytes unread would take the last answers back.
    ///
    /// A peer that takes nothing more, or leaves it too long, is closed; at `end` every one is.
    @discardableResult
    func closeAfterFlush(until end: NIODeadline? = nil) -> EventLoopFuture<Void> {
        guard let context, let gauge else { return loop.eventLoop.makeSucceededVoidFuture() }
        for id in machine.close() { giveUp(id) }
        forgetUnfinished()
        flush()
        readAgain()
        let written = loop.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        let farewell = Farewell(gauge, on: loop.eventLoop, until: end) { self.close() }
        written.futureResult.assumeIsolated().whenSuccess {
            farewell.isWritten = true
            self.context?.close(mode: .output, promise: nil)
        }
        return context.channel.closeFuture.assumeIsolated().always { _ in farewell.cancel() }
            .nonisolated()
    }

    private func connectionLost() {
        guard context != nil else { return }
        context = nil
        gauge = nil
        budget.noteUnsent(0)
        forgetUnfinished()
        verification?.cancel()
        held = []
        readyStreams = []
        for id in machine.close() { giveUp(id) }
        connectionBecameIdle()
    }

    func connectionBecameIdle() {
        guard isIdle else { return }
        if context == nil { loop.remove(self) } else { loop.connectionBecameIdle() }
    }

    /// Refuses new calls from now on; those that run have so long, or the drain's grace.
    func drain(graceMilliseconds: Int64? = nil) {
        let grace = graceMilliseconds ?? core.drainGraceMilliseconds
        if let goAway = machine.drain(graceMilliseconds: grace) { writeControl(goAway) }
    }

    /// Cancels what still runs: a unary call is answered as its handler ends, a stream at once.
    ///
    /// What a stream has not sent is dropped, so its end is said before its handler can say that
    /// all went well: its reader must not take a part for the whole.
    func cancelCalls() {
        verification?.cancel()
        for call in calls {
            guard let call else { continue }
            if call.sink == nil {
                call.cancel()
            } else {
                // An error in place of the response would say that nothing was begun.
                if machine.isUnanswered(call.id) { _ = openStream(call) }
                endStream(call, Self.outOfTime)
                giveUp(call.id)
            }
        }
    }

    // What its handler would have come to: people are told what a cut answer means for its charge.
    private static let outOfTime = RPCError(
        code: RPCError.Code.loggedOff, text: "The server stopped before everything was sent",
        userFields: [RPCError.Field.code: Failure.Code.cancelled.rawValue])
}
