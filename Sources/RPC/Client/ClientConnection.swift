import DequeModule
import NIOCore
import Synchronization
import TollgateKernel
import TollgateWire

/// A client's end of one connection: does what the state machine says.
///
/// Calls come from any task; what they ask for is collected and done in one turn of the event loop,
/// so that many callers cost one wake-up and one write. Callers whose tasks run on the loop
/// themselves cost no wake-up at all.
///
/// `@unchecked Sendable`: everything but `commands` is touched on the event loop alone.
final class ClientConnection: ChannelInboundHandler, Flushing, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What callers ask of the connection.
    enum Command {
        case start(ClientCall)
        case notify(ClientCall)
        case cancel(ClientCall)
        case send(ClientCall)
        case consumed(ClientCall, Int64, messages: Int)
        case close
    }

    private let executor: LoopExecutor
    let credential: [UInt8]?
    private let queueLimitBytes: Int
    private let retired: @Sendable (ClientConnection) -> Void
    private let commands: Mutex<[Command]> = Mutex([])
    private var batch: [Command] = []
    private var isRunningCommands = false
    private var isReading = false
    private var lingering: Linger?
    private var callerLinger = LingerPolicy()
    /// Requests since the last flush.
    var unflushedPackets = 0
    /// A flush will come by itself.
    var isFlushScheduled = false
    // As with a server's end: three values that cannot come back to this object while they are
    // changed, so that nothing has to look for that at run time.
    @exclusivity(unchecked) var machine = ClientConnectionStateMachine<ClientCall>()
    /// What was read and not taken yet.
    @exclusivity(unchecked) private(set) var frameReader = FrameReader()
    /// What leaves with the next flush: requests and control frames at once, streams in turns.
    @exclusivity(unchecked) var outbound = Outbound()
    /// Streams with something to send, each at most once.
    var readyStreams: Deque<ClientCall> = []
    /// Bytes of streams that the channel has and the socket has not taken.
    var streamBytesInFlight = 0
    var isFlushing = false
    private(set) var context: ChannelHandlerContext?
    private var probe: LivenessProbe
    private var lastHeard = NIODeadline.now()
    private var answersWhileCrowded = 0
    private var timer: (moment: NIODeadline, scheduled: Scheduled<Void>)?
    /// No new call can begin on the connection.
    private(set) var isRetired = false

    /// Makes a connection's handler; `retired` is told once when no new call can begin on it.
    init(
        executor: LoopExecutor, credential: [UInt8]?, keepalive: Keepalive = Keepalive(),
        queueLimitBytes: Int = Limits.rpcClientQueuedBytes,
        retired: @escaping @Sendable (ClientConnection) -> Void
    ) {
        self.executor = executor
        self.credential = credential
        self.queueLimitBytes = queueLimitBytes
        probe = LivenessProbe(keepalive)
        self.retired = retired
    }

    // MARK: From any task

    /// Makes one call.
    func unary(_ outgoing: OutgoingCall) async -> Result<IncomingResponse, RPCError> {
        let call = ClientCall(outgoing)
        if outgoing.isPacked, case .failure(let error) = await pack(call) {
            return .failure(error)
        }
        switch await perform(call) {
        case .failure(let error): return .failure(error)
        case .success(let response):
            guard let plain = response.payload?.plain else { return await unpack(response) }
            return .success(
                IncomingResponse(
                    payload: plain.withUnsafeReadableBytes { Array($0) },
                    attachment: response.attachment, userFields: response.userFields))
        }
    }

    /// Sends a request that wants no answer; it is not known whether it arrives.
    func notify(_ outgoing: OutgoingCall) async -> Result<Void, RPCError> {
        let call = ClientCall(outgoing)
        switch await pack(call) {
        case .failure(let error): return .failure(error)
        case .success: break
        }
        return await withUnsafeContinuation { continuation in
            call.continuation = continuation
            submit(.notify(call))
        }.map { _ in }
    }

    /// Opens a stream.
    func openStream(_ outgoing: OutgoingCall) async -> Result<StreamSource, RPCError> {
        let call = ClientCall(outgoing)
        let stream = source(of: call)
        switch await pack(call) {
        case .failure(let error):
            // Call and stream hold each other until the end of either.
            call.end(.failure(error))
            return .failure(error)
        case .success: break
        }
        return await perform(call).map { _ in stream }
    }

    /// Opens a stream in both directions.
    func openDuplex(_ outgoing: OutgoingCall) async -> Result<DuplexStream, RPCError> {
        let call = ClientCall(outgoing)
        let stream = source(of: call)
        let sink = StreamSink { [self] in submit(.send(call)) }
        call.sink = sink
        return await perform(call).map { _ in DuplexStream(incoming: stream, outgoing: sink) }
    }

    private func source(of call: ClientCall) -> StreamSource {
        let stream = StreamSource { [self] total, messages in
            submit(.consumed(call, total, messages: messages))
        } cancelled: { [self] in
            submit(.cancel(call))
        }
        call.stream = stream
        return stream
    }

    /// Inlined: each asynchronous function that a call goes through takes memory of its task.
    @inline(__always)
    private func perform(_ call: ClientCall) async -> Result<ClientCall.Response, RPCError> {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                call.continuation = continuation
                submit(.start(call))
            }
        } onCancel: {
            submit(.cancel(call))
        }
    }

    /// Compresses and secures a request as its caller wants, in the caller's task.
    private func pack(_ call: ClientCall) async -> Result<Void, RPCError> {
        let outgoing = call.outgoing
        guard outgoing.isPacked else { return .success(()) }
        do {
            call.packed = try await OutgoingPayload.packed(
                ByteBuffer(bytes: outgoing.payload), attachment: outgoing.attachment,
                compression: outgoing.compression, hasChecksum: outgoing.hasChecksum)
            return .success(())
        } catch {
            return .failure(RPCError(thrown: error))
        }
    }

    /// Checks and unpacks a response, in the caller's task.
    private func unpack(
        _ response: ClientCall.Response
    ) async -> Result<IncomingResponse, RPCError> {
        do {
            let payload = try await response.payload?.unpacked(
                attachment: response.attachment, limitBytes: Limits.rpcBodyBytes)
            return .success(
                IncomingResponse(
                    payload: payload.map { Array($0.readableBytesView) } ?? [],
                    attachment: response.attachment, userFields: response.userFields))
        } catch let error as PayloadError {
            return .failure(
                RPCError(
                    code: RPCError.Code.badResponse, text: "The response cannot be read: \(error)"))
        } catch {
            return .failure(RPCError(thrown: error))
        }
    }

    /// Has a command done on the event loop: at once if this is the loop, after those that were
    /// submitted before.
    func submit(_ command: Command) {
        if executor.eventLoop.inEventLoop, !isRunningCommands {
            runCommands(then: command)
            return flushSoon()
        }
        let isFirst = commands.withLock { commands in
            commands.append(command)
            return commands.count == 1
        }
        if isFirst {
            executor.eventLoop.execute {
                self.runCommands()
                self.flush()
                self.executor.rest(after: self)
            }
        }
    }

    // MARK: Commands, on the event loop

    private func runCommands(then last: Command? = nil) {
        isRunningCommands = true
        defer { isRunningCommands = false }
        commands.withLock { commands in if !commands.isEmpty { swap(&commands, &batch) } }
        for command in batch { run(command) }
        batch.removeAll(keepingCapacity: true)
        if let last { run(last) }
    }

    private func run(_ command: Command) {
        switch command {
        case .start(let call): start(call)
        case .notify(let call): notify(call)
        case .send(let call): streamIsReady(call)
        case .cancel(let call):
            call.isCancelled = true
            giveUp(call, Self.cancelled)
        case .consumed(let call, let total, let messages):
            guard let id = call.id else { return }
            if let frame = machine.feedback(id, consumed: total, messages: messages) {
                answer(frame)
            }
        case .close:
            // The calls do not wait until the server has taken its leave.
            endCalls()
            context?.close(promise: nil)
        }
    }

    /// Has what was written leave soon: at the end of this read or this batch of tasks.
    private func flushSoon() {
        unflushedPackets += 1
        if unflushedPackets >= Limits.rpcPacketsPerFlush, !isFlushing { return flushEarly() }
        guard !isReading, !isFlushScheduled else { return }
        isFlushScheduled = true
        executor.flushLater(self)
    }

    /// Sends what is gathered before all of it is; a flush that is to come still comes.
    private func flushEarly() {
        let isScheduled = isFlushScheduled
        flush()
        isFlushScheduled = isScheduled
    }

    func linger(isNeeded: () -> Bool) {
        guard context != nil else { return }
        if machine.callCount > 0 {
            lingering?.lookForBytes { isNeeded() || commands.withLock { !$0.isEmpty } }
        } else {
            // Who has the answer may ask again at once, from another thread.
            callerLinger.look {
                commands.withLock { !$0.isEmpty }
                    ? .rewarded : isNeeded() ? .interrupted : .waiting
            }
        }
    }

    private static let cancelled = RPCError(
        code: RPCError.Code.cancelled, text: "The call was cancelled")

    // MARK: Servers that do not read

    /// As much waits for the server as may: it does not read, or not as fast as is called.
    private var isCrowded: Bool {
        guard let context else { return false }
        return !context.channel.isWritable || outbound.readableBytes >= queueLimitBytes
    }

    private static let crowded = RPCError(
        code: RPCError.Code.overcrowded,
        text: "The server reads more slowly than it is called; this call was not sent",
        isNotProcessed: true)

    /// Whether what the server sent may still be answered: one that makes us talk and does not
    /// listen is left.
    private func mayAnswer() -> Bool {
        guard isCrowded else {
            answersWhileCrowded = 0
            return true
        }
        answersWhileCrowded += 1
        if answersWhileCrowded > Limits.rpcAnswersWhileCrowded { context?.close(promise: nil) }
        return answersWhileCrowded <= Limits.rpcAnswersWhileCrowded
    }

    private func answer(_ frame: StreamFrameMeta) { if mayAnswer() { write(frame) } }

    private func start(_ call: ClientCall) {
        guard !call.isCancelled else { return call.end(.failure(Self.cancelled)) }
        guard !isCrowded else { return call.end(.failure(Self.crowded)) }
        do throws(RPCError) {
            let ticket = try machine.begin(
                call, deadline: call.outgoing.deadline.moment, opensStream: call.stream != nil,
                windowBytes: call.outgoing.windowBytes)
            do throws(RPCError) {
                try write(call, ticket)
            } catch {
                machine.takeBack(ticket)
                throw error
            }
            call.id = ticket.id
            armTimer()
        } catch {
            call.end(.failure(error))
        }
    }

    private func notify(_ call: ClientCall) {
        guard !isCrowded else { return call.end(.failure(Self.crowded)) }
        do throws(RPCError) {
            let ticket = try machine.beginOneWay()
            do throws(RPCError) {
                try write(call, ticket, wantsReply: false)
            } catch {
                machine.takeBack(ticket)
                throw error
            }
            call.end(.success(.init()))
        } catch {
            call.end(.failure(error))
        }
    }

    func giveUp(_ call: ClientCall, _ error: RPCError) {
        guard let id = call.id, let (_, action) = machine.giveUp(id) else { return }
        call.end(.failure(error))
        switch action {
        case .silent: break
        case .reset(let frame): write(frame)
        case .control(let id, let cancelID):
            var meta = RpcMeta()
            meta.request = RpcRequestMeta(serviceName: "rpc.Control", methodName: "Cancel")
            meta.correlationID = id
            var ours = EnvelopeExtension()
            ours.cancelID = cancelID
            ours.noReply = true
            meta.envelopeExtension = ours
            write(meta)
        }
    }

    // MARK: Deadlines

    /// One timer for the next deadline and the next look at whether the server lives.
    private func armTimer() {
        guard context != nil else { return }
        let moment = min(machine.earliestDeadline, probe.due(lastHeard: lastHeard))
        if let timer, timer.moment <= moment { return }
        timer?.scheduled.cancel()
        timer = (moment, executor.eventLoop.scheduleTask(deadline: moment) { self.wakeUp() })
    }

    private func wakeUp() {
        timer = nil
        let now = NIODeadline.now()
        for call in machine.expired(now) {
            giveUp(call, ClientConnectionStateMachine<ClientCall>.timedOut)
        }
        switch probe.check(now, lastHeard: lastHeard) {
        case .wait: break
        case .ask: if let ping = machine.ping() { write(ping) }
        case .giveUp: context?.close(promise: nil)
        }
        flush()
        armTimer()
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        lastHeard = .now()
        lingering = Linger(context)
        armTimer()
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { connectionLost() }

    func channelInactive(context: ChannelHandlerContext) {
        connectionLost()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = .now()
        executor.noteRead(self, at: lastHeard)
        isReading = true
        do {
            frameReader.append(unwrapInboundIn(data))
            while let frame = try frameReader.next() { try receive(frame) }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
        executor.rest(after: self)
    }

    private func receive(_ frame: Frame) throws {
        switch frame.kind {
        case .call: try receiveResponse(frame)
        case .stream:
            let meta = try frame.withMeta { (bytes) throws(WireError) in
                try StreamFrameMeta.decode(bytes)
            }
            try receiveStreamFrame(frame, meta)
        }
    }

    /// Takes a response in where its meta was read: to bring that out of there moves its bytes.
    private func receiveResponse(_ frame: Frame) throws {
        try frame.withMeta { (bytes) throws(WireError) in
            try RpcMetaView.with(bytes) { (view) throws(WireError) in
                receiveResponse(frame, try RpcMeta(view))
            }
        }
    }

    private func receiveResponse(_ frame: Frame, _ meta: RpcMeta) {
        if meta.correlationID == 0, let ours = meta.envelopeExtension, ours.control != nil {
            return receiveControl(ours)
        }
        switch machine.receive(meta) {
        case .succeed(let call):
            var body = frame.body
            guard let payload = body.readSlice(length: frame.bodySize - Int(meta.attachmentSize))
            else { return call.end(.failure(Self.unreadable)) }
            call.end(
                .success(
                    .init(
                        payload: IncomingPayload(meta, bytes: payload), attachment: body,
                        userFields: meta.userFields)))
        case .fail(let call, let error):
            call.end(.failure(error))
            if machine.isRetired { retire() }
        case .opened(let call, let terms):
            call.stream?.report(terms.reporting)
            call.sink?.agree(
                windowBytes: terms.windowBytes, chargesMessages: terms.reporting.chargesMessages)
            call.continuation?.resume(returning: .success(.init()))
            call.continuation = nil
        case .late(let streamID):
            guard let streamID else { return }
            answer(StreamFrameMeta(streamID: streamID, frameType: .reset))
        }
    }

    private func receiveControl(_ ours: EnvelopeExtension) {
        switch machine.receiveControl(ours) {
        case .ignore: break
        case .reply(let pong): if mayAnswer() { write(pong) }
        case .retire(let refused):
            for call in refused {
                call.end(.failure(ClientConnectionStateMachine<ClientCall>.goneAway))
            }
            retire()
        }
    }

    private static let unreadable = RPCError(
        code: RPCError.Code.badResponse, text: "The response cannot be read")

    private func receiveStreamFrame(_ frame: Frame, _ meta: StreamFrameMeta) throws {
        switch machine.receive(meta, payloadBytes: frame.bodySize) {
        case .ignore: break
        case .reply(let reply): answer(reply)
        case .response:
            var packet = frame.body
            var decoder = FrameDecoder()
            guard let inner = try decoder.decode(buffer: &packet), inner.kind == .call else {
                throw FrameError.truncated
            }
            try receiveResponse(inner)
        case .data(let call, let isLast):
            call.partial.writeImmutableBuffer(frame.body)
            guard isLast else { return }
            let message = Array(call.partial.readableBytesView)
            call.partial.forget(keepingAtMost: Limits.rpcFragmentBytes)
            call.stream?.deliver(message)
        case .feedback(let call, let consumed): call.sink?.peerConsumed(consumed)
        case .ended(let call, let error, let trailers, let reply):
            if let reply { answer(reply) }
            call.end(error.map { .failure($0) } ?? .success(.init(userFields: trailers)))
        }
    }

    // MARK: Ends

    private func retire() {
        guard !isRetired else { return }
        isRetired = true
        retired(self)
    }

    private func connectionLost() {
        guard context != nil else { return }
        context = nil
        timer?.scheduled.cancel()
        timer = nil
        readyStreams = []
        outbound.clear()
        endCalls()
    }

    private func endCalls() {
        for (call, error) in machine.close() { call.end(.failure(error)) }
        retire()
    }

    /// What the connection holds; on the event loop.
    var population: ClientPopulation {
        var population = ClientPopulation()
        population.connections = 1
        population.calls = machine.callCount
        population.readyStreams = readyStreams.count
        population.queuedBytes = outbound.readableBytes + streamBytesInFlight
        return population
    }
}
