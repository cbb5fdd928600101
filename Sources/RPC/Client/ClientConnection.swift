import NIOCore
import Synchronization
import TollgateKernel
import TollgateWire

/// A client's end of one connection: does what the state machine says.
///
/// Calls come from any task; what they ask for is collected and done in one turn of the event loop,
/// so that many callers cost one wake-up and one write.
///
/// `@unchecked Sendable`: everything but `commands` is touched on the event loop alone.
final class ClientConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What callers ask of the connection.
    enum Command {
        case start(ClientCall)
        case cancel(ClientCall)
        case consumed(ClientCall, Int64, caughtUp: Bool)
        case close
    }

    private let eventLoop: any EventLoop
    private let credential: [UInt8]?
    private let retired: @Sendable (ClientConnection) -> Void
    private let commands: Mutex<[Command]> = Mutex([])
    private var batch: [Command] = []
    private var machine = ClientConnectionStateMachine<ClientCall>()
    private let processor = NIOSingleStepByteToMessageProcessor(FrameDecoder())
    private var outbound = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var timer: (moment: NIODeadline, scheduled: Scheduled<Void>)?
    /// No new call can begin on the connection.
    private(set) var isRetired = false

    /// Makes a connection's handler; `retired` is told once when no new call can begin on it.
    init(
        eventLoop: any EventLoop, credential: [UInt8]?,
        retired: @escaping @Sendable (ClientConnection) -> Void
    ) {
        self.eventLoop = eventLoop
        self.credential = credential
        self.retired = retired
    }

    // MARK: From any task

    /// Makes one call.
    func unary(_ outgoing: OutgoingCall) async -> Result<[UInt8], RPCError> {
        await perform(ClientCall(outgoing))
    }

    /// Opens a stream.
    func openStream(_ outgoing: OutgoingCall) async -> Result<ClientStream, RPCError> {
        let call = ClientCall(outgoing)
        let stream = ClientStream(connection: self, call: call)
        call.stream = stream
        return await perform(call).map { _ in stream }
    }

    private func perform(_ call: ClientCall) async -> Result<[UInt8], RPCError> {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                call.continuation = continuation
                submit(.start(call))
            }
        } onCancel: {
            submit(.cancel(call))
        }
    }

    /// Has a command done on the event loop.
    func submit(_ command: Command) {
        let isFirst = commands.withLock { commands in
            commands.append(command)
            return commands.count == 1
        }
        if isFirst { eventLoop.execute { self.runCommands() } }
    }

    // MARK: Commands, on the event loop

    private func runCommands() {
        commands.withLock { commands in swap(&commands, &batch) }
        for command in batch {
            switch command {
            case .start(let call): start(call)
            case .cancel(let call):
                call.isCancelled = true
                giveUp(call, Self.cancelled)
            case .consumed(let call, let total, let caughtUp):
                acknowledge(call, total, caughtUp: caughtUp)
            case .close: context?.close(promise: nil)
            }
        }
        batch.removeAll(keepingCapacity: true)
        flush()
    }

    private static let cancelled = RPCError(
        code: RPCError.Code.cancelled, text: "The call was cancelled")

    private func start(_ call: ClientCall) {
        guard !call.isCancelled else { return call.end(.failure(Self.cancelled)) }
        do throws(RPCError) {
            let ticket = try machine.begin(
                call, deadline: call.outgoing.deadline.moment, opensStream: call.stream != nil)
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

    private func write(
        _ call: ClientCall, _ ticket: ClientConnectionStateMachine<ClientCall>.Ticket
    ) throws(RPCError) {
        let outgoing = call.outgoing
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(
            serviceName: outgoing.method.service, methodName: outgoing.method.name,
            timeoutMilliseconds: Int32(clamping: outgoing.deadline.remainingMilliseconds))
        meta.correlationID = ticket.id
        meta.userFields = outgoing.userFields
        if ticket.isFirst {
            meta.authenticationData = credential
            meta.envelopeExtension = .announcement
        }
        if call.stream != nil {
            meta.streamSettings = StreamSettings(
                streamID: ticket.id, needFeedback: false, writable: true)
        }
        let mark = outbound.writerIndex
        do {
            // A server closes the connection, with everybody's calls, over what is beyond these.
            guard outgoing.payload.count <= Limits.rpcBodyBytes - Limits.rpcMetaBytes,
                outgoing.userFields.count <= Limits.rpcUserFields
            else { throw Failure(.invalidRequest, "The request is too large.") }
            try outgoing.payload.withUnsafeBytes { try outbound.writeCall(meta, payload: $0) }
            let written = outbound.writerIndex - mark - Frame.headerSize
            guard written - outgoing.payload.count <= Limits.rpcMetaBytes else {
                throw Failure(.invalidRequest, "The request's metadata is too large.")
            }
        } catch {
            outbound.moveWriterIndex(to: mark)
            throw RPCError(thrown: error)
        }
    }

    private func giveUp(_ call: ClientCall, _ error: RPCError) {
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
            do {
                let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
                try outbound.writeCall(meta, payload: nothing)
            } catch {
                context?.close(promise: nil)
            }
        }
    }

    /// Tells the server how far a reader is: with our own servers once a quarter of the window was
    /// read, with plain ones, whose window may be small, also whenever the reader has caught up.
    private func acknowledge(_ call: ClientCall, _ total: Int64, caughtUp: Bool) {
        let unacknowledged = total - call.acknowledged
        let isDue =
            unacknowledged >= Limits.rpcStreamWindowBytes / 4
            || caughtUp && !machine.knowsServerWindow
        guard isDue, let id = call.id, let frame = machine.feedback(id, consumed: total) else {
            return
        }
        call.acknowledged = total
        write(frame)
    }

    private func write(_ frame: StreamFrameMeta) {
        do {
            try outbound.writeStream(frame)
        } catch {
            context?.close(promise: nil)
        }
    }

    private func flush() {
        guard let context, outbound.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(outbound), promise: nil)
        outbound.clear()
    }

    // MARK: Deadlines

    private func armTimer() {
        let moment = machine.earliestDeadline
        if let timer, timer.moment <= moment { return }
        timer?.scheduled.cancel()
        timer = nil
        guard moment < .distantFuture else { return }
        timer = (moment, eventLoop.scheduleTask(deadline: moment) { self.expire() })
    }

    private func expire() {
        timer = nil
        for call in machine.expired(.now()) {
            giveUp(call, ClientConnectionStateMachine<ClientCall>.timedOut)
        }
        armTimer()
        flush()
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { connectionLost() }

    func channelInactive(context: ChannelHandlerContext) {
        connectionLost()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try processor.process(buffer: unwrapInboundIn(data)) { frame in try receive(frame) }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { flush() }

    private func receive(_ frame: Frame) throws {
        switch frame.kind {
        case .call: receiveResponse(frame, try meta(of: frame))
        case .stream:
            let meta = try frame.withMeta { (bytes) throws(WireError) in
                try StreamFrameMeta.decode(bytes)
            }
            try receiveStreamFrame(frame, meta)
        }
    }

    private func meta(of frame: Frame) throws -> RpcMeta {
        try frame.withMeta { (bytes) throws(WireError) in try RpcMeta.decode(bytes) }
    }

    private func receiveResponse(_ frame: Frame, _ meta: RpcMeta) {
        switch machine.receive(meta) {
        case .succeed(let call):
            let length = frame.bodySize - Int(meta.attachmentSize)
            guard length >= 0, meta.compressType == 0 else {
                return call.end(.failure(Self.unreadable))
            }
            call.end(.success(Array(frame.body.readableBytesView.prefix(length))))
        case .fail(let call, let error):
            call.end(.failure(error))
            if machine.isRetired { retire() }
        case .opened(let call):
            call.continuation?.resume(returning: .success([]))
            call.continuation = nil
        case .late(let streamID):
            guard let streamID else { return }
            write(StreamFrameMeta(streamID: streamID, frameType: .reset))
        }
    }

    private static let unreadable = RPCError(
        code: RPCError.Code.badResponse, text: "The response cannot be read")

    private func receiveStreamFrame(_ frame: Frame, _ meta: StreamFrameMeta) throws {
        switch machine.receive(meta, payloadBytes: frame.bodySize) {
        case .ignore: break
        case .reply(let reply): write(reply)
        case .response:
            var packet = frame.body
            var decoder = FrameDecoder()
            guard let inner = try decoder.decode(buffer: &packet), inner.kind == .call else {
                throw FrameError.truncated
            }
            receiveResponse(inner, try self.meta(of: inner))
        case .data(let call, let isLast):
            call.partial.writeImmutableBuffer(frame.body)
            guard isLast else { return }
            let message = Array(call.partial.readableBytesView)
            call.partial.clear()
            if call.stream?.deliver(message) == false { giveUp(call, Self.unreadable) }
        case .ended(let call, let error, let reply):
            if let reply { write(reply) }
            call.end(error.map { .failure($0) } ?? .success([]))
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
        for (call, error) in machine.close() { call.end(.failure(error)) }
        retire()
    }
}
