import Logging
import NIOCore
import TollgateKernel
import TollgateWire

/// What the connections of one server share.
struct ServerCore: Sendable {
    let router: Router
    let verifier: (any CredentialVerifier)?
    let interceptors: [any CallInterceptor]
    let pages: ServerPages
    let maximumBodyBytes: Int
    let logger: Logger
}

/// A server's end of one connection: does what the state machine says.
///
/// `@unchecked Sendable`: everything is touched on the connection's event loop alone, tasks
/// included, because their executor is that loop.
final class ServerConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    let core: ServerCore
    let loop: LoopContext
    var machine: ServerConnectionStateMachine
    var calls: [RunningCall?] = []
    var outbound = ByteBuffer()
    private(set) var context: ChannelHandlerContext?
    private var processor: NIOSingleStepByteToMessageProcessor<FrameDecoder>
    private var held: [IncomingRequest] = []
    private var verification: Task<Void, Never>?
    private var isReading = false
    private var isFlushScheduled = false
    private var wantsRead = false
    let opened = NIODeadline.now()
    private(set) var arrival = NIODeadline.now()
    private(set) var identity: ConnectionIdentity?
    private(set) var peer = ""

    init(core: ServerCore, loop: LoopContext) {
        self.core = core
        self.loop = loop
        machine = ServerConnectionStateMachine(verifiesCredential: core.verifier != nil)
        processor = NIOSingleStepByteToMessageProcessor(
            FrameDecoder(maximumBodyBytes: core.maximumBodyBytes))
    }

    /// How many calls have a task.
    var callCount: Int { machine.callCount }

    /// Whether no task runs for the connection.
    var isIdle: Bool { machine.callCount == 0 && verification == nil }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = context.remoteAddress.map { $0.ipAddress ?? "local" } ?? "local"
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { connectionLost() }

    func channelInactive(context: ChannelHandlerContext) {
        connectionLost()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        arrival = .now()
        do {
            try processor.process(buffer: unwrapInboundIn(data)) { frame in try receive(frame) }
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
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        for call in calls { call?.sink?.channelIsWritable(isWritable) }
        if isWritable, wantsRead {
            wantsRead = false
            context.read()
        }
    }

    /// A peer that does not take its answers is not read from either.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { wantsRead = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    // MARK: What arrives

    private func receive(_ frame: Frame) throws {
        guard !machine.isClosed else { return }
        switch frame.kind {
        case .call:
            process(try IncomingRequest(frame, arrival: arrival, router: core.router))
        case .stream:
            let meta = try frame.withMeta { (bytes) throws(WireError) in
                try StreamFrameMeta.decode(bytes)
            }
            receiveStreamFrame(meta)
        }
    }

    private func process(_ request: IncomingRequest) {
        let action = machine.receiveRequest(
            credential: request.credential, announcement: request.envelopeExtension)
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

    private func verify(_ credential: [UInt8]) {
        guard let verifier = core.verifier else { return }
        let task = CallTask.start(on: loop.executor) { [self] in
            credentialChecked(await verifier.verify(credential))
        }
        // A verifier that never waited has spoken already.
        if !held.isEmpty { verification = task }
    }

    private func credentialChecked(_ identity: ConnectionIdentity?) {
        verification = nil
        let waiting = held
        held = []
        self.identity = identity
        if machine.credentialChecked(isValid: identity != nil) {
            for request in waiting { begin(request) }
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

    /// Has what was written leave soon: at the end of this read or this batch of tasks.
    func flushSoon() {
        if outbound.readableBytes >= Limits.rpcFragmentBytes {
            flush()
        } else if !isReading, !isFlushScheduled {
            isFlushScheduled = true
            loop.executor.flushLater(self)
        }
    }

    /// Hands what was written to the channel.
    func flush() {
        isFlushScheduled = false
        guard let context, outbound.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(outbound), promise: nil)
        outbound.clear()
    }

    // MARK: Ends

    /// Closes the connection now.
    func close() {
        guard let context else { return }
        context.close(promise: nil)
        connectionLost()
    }

    /// Ends our side once everything written is on its way, and waits a little for the peer to end
    /// its own: a socket closed with bytes unread would take the last answers back.
    @discardableResult
    func closeAfterFlush() -> EventLoopFuture<Void> {
        guard let context else { return loop.eventLoop.makeSucceededVoidFuture() }
        for id in machine.close() { calls[Int(id.index)]?.cancel() }
        flush()
        let written = loop.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        let patience = TimeAmount.milliseconds(Limits.rpcCloseMilliseconds)
        let closing = loop.eventLoop.scheduleTask(in: patience) { self.close() }
        written.futureResult.assumeIsolated().whenSuccess {
            self.context?.close(mode: .output, promise: nil)
        }
        return context.channel.closeFuture.always { _ in closing.cancel() }
    }

    private func connectionLost() {
        guard context != nil else { return }
        context = nil
        verification?.cancel()
        held = []
        for id in machine.close() { calls[Int(id.index)]?.cancel() }
        connectionBecameIdle()
    }

    func connectionBecameIdle() {
        guard isIdle else { return }
        if context == nil { loop.remove(self) } else { loop.connectionBecameIdle() }
    }

    /// Refuses new calls from now on.
    func drain() { machine.drain() }

    /// Cancels what still runs; each call is answered as its handler ends.
    func cancelCalls() {
        verification?.cancel()
        for call in calls { call?.cancel() }
    }
}
