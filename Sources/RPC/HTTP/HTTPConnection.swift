import DequeModule
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import TollgateKernel
import TollgateWire

/// A server's end of an HTTP/1.1 connection: pages, and calls as JSON.
///
/// Calls become packets for the ``ServerConnection`` behind this handler, so that everything that
/// decides about calls is there once. Requests come one at a time, because the pipeline before this
/// handler keeps the next one until the last is answered.
///
/// `@unchecked Sendable`: everything is touched on the connection's event loop alone, tasks
/// included, because their executor is that loop.
final class HTTPConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = HTTPServerResponsePart

    /// Where the connection is in its exchange of requests and responses.
    enum Phase {
        /// The next request's head is waited for.
        case waiting
        /// A request comes.
        case receiving(Request)
        /// Its answer is made.
        case answering(Answer)
        /// The last response is on its way, and nothing else is read.
        case closing
    }

    /// A request that is not complete, or not yet allowed.
    struct Request {
        let head: HTTPRequestHead
        /// The method that is called; nil for a page.
        let route: Route?
        var isComplete = false
        var isVerified = false
    }

    /// A response that is not complete.
    struct Answer {
        let keepAlive: Bool
        /// The call; nil for a page.
        var call: HTTPCall?
        var isStreaming = false
    }

    let core: ServerCore
    let loop: LoopContext
    let budget: ConnectionBudget
    var phase = Phase.waiting
    var identity: ConnectionIdentity?
    private(set) var context: ChannelHandlerContext?
    private(set) var lastWrite: EventLoopFuture<Void>?
    /// What the answer goes on with, in its order; the stream's window bounds it.
    var outgoing: Deque<Outgoing> = []
    /// A long message is being turned into JSON, and what comes after it waits.
    var isConverting = false
    private var credential: [UInt8]?
    /// What came of the body of the request that is received: a call's, since nobody reads a
    /// page's.
    ///
    /// Not the phase's: taken out of it and put back, each part would have all before it copied.
    var body = ByteBuffer()
    private var bodyBytes = 0
    /// A response is being ended, and what was sent ahead of it may come from within that.
    private var isEnding = false
    /// The server's end, once a call was made.
    private(set) var connection: ServerConnection?
    /// Told once the page that is being made has been written, or will never be.
    private var pageWritten: EventLoopPromise<Void>?
    /// What the server's end wrote.
    private(set) var frameReader: FrameReader
    private var task: Task<Void, Never>?
    private var patience: Scheduled<Void>?
    private var gauge: OutboundGauge?
    private var farewell: Farewell?
    private var nextID: Int64 = 1

    init(
        core: ServerCore, loop: LoopContext, budget: ConnectionBudget,
        identity: ConnectionIdentity? = nil
    ) {
        self.core = core
        self.loop = loop
        self.budget = budget
        self.identity = identity
        frameReader = FrameReader(maximumBodyBytes: core.maximumBodyBytes)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        gauge = OutboundGauge(context)
        loop.add(self)
        // Neither a head that never ends nor an answer that nobody takes keeps the place for ever.
        wait(Limits.rpcPageMilliseconds)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Before anything of a response has left, the peer can be told.
        if error is HTTPParserError, !isAnswering {
            respond(.malformed)
        } else {
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ConnectionIsIdle, case .waiting = phase { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    private var isAnswering: Bool {
        switch phase {
        case .waiting, .receiving: false
        case .answering, .closing: true
        }
    }

    private func leave() {
        context = nil
        gauge = nil
        forgetBody()
        farewell?.cancel()
        farewell = nil
        let unwritten = outgoing
        outgoing = []
        for lost in unwritten { lost.written.fail(ChannelError.ioOnClosedChannel) }
        takePagePromise()?.fail(ChannelError.ioOnClosedChannel)
        loop.remove(self)
        patience?.cancel()
        task?.cancel()
        task = nil
    }

    /// Has what was written leave.
    func flush() { context?.flush() }

    /// Closes the connection unless something else happens within so many milliseconds.
    func wait(_ milliseconds: Int64?) {
        patience?.cancel()
        patience = nil
        guard let milliseconds, let channel = context?.channel else { return }
        patience = loop.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
            channel.close(promise: nil)
        }
    }

    /// Closes the connection once its peer has taken nothing of an answer for so many milliseconds,
    /// and in any case at a bound: who reads slowly is to have all of it.
    func waitForReader(_ milliseconds: Int64) {
        let bound = TimeAmount.milliseconds(max(milliseconds, Limits.rpcHTTPAnswerMilliseconds))
        waitForReader(.milliseconds(milliseconds), until: .now() + bound)
    }

    private func waitForReader(_ period: TimeAmount, until bound: NIODeadline) {
        patience?.cancel()
        patience = nil
        guard let channel = context?.channel, let gauge else { return }
        let untaken = gauge.untakenBytes
        patience = loop.eventLoop.assumeIsolated().scheduleTask(in: period) {
            let left = self.gauge?.untakenBytes ?? 0
            if left > 0, left < untaken, .now() < bound {
                self.waitForReader(period, until: bound)
            } else {
                channel.close(promise: nil)
            }
        }
    }

    /// Whether the connection has said its last.
    var isLeaving: Bool { farewell != nil }

    /// Ends our side and waits for the peer to take what is left and to end its own: a socket
    /// closed with bytes unread would take the response back.
    func closeSoon() {
        guard let context, let gauge, farewell == nil else { return }
        wait(nil)
        let farewell = Farewell(gauge, on: loop.eventLoop) { [channel = context.channel] in
            channel.close(promise: nil)
        }
        farewell.isWritten = true
        self.farewell = farewell
        context.close(mode: .output, promise: nil)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), phase) {
        case (.head(let head), .waiting): begin(head, context)
        case (.body(let bytes), .receiving(let request)):
            bodyBytes += bytes.readableBytes
            guard bodyBytes <= Limits.rpcHTTPBodyBytes else {
                forgetBody()
                return respond(.tooLarge(Limits.rpcHTTPBodyBytes))
            }
            guard request.route != nil else { return }
            body.writeImmutableBuffer(bytes)
            _ = countBody()
        case (.end, .receiving(var request)):
            request.isComplete = true
            phase = .receiving(request)
            proceed()
        default: break
        }
    }

    /// Counts what there is of a body whose caller is known, as strangers' bytes are counted as
    /// they come; false if there is no room for it, which its caller is told.
    private func countBody() -> Bool {
        guard budget.isVerified else { return true }
        do throws(RPCError) {
            try budget.noteUnfinished(body.readableBytes)
            return true
        } catch {
            forgetBody()
            respond(HTTPFailure(error))
            return false
        }
    }

    private func forgetBody() {
        body = ByteBuffer()
        budget.forgetUnfinished()
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        wait(Limits.rpcHTTPBodyMilliseconds)
        forgetBody()
        bodyBytes = 0
        guard !HTTPGuard.isAmbiguous(head), head.version == .http1_1 || head.method != .POST else {
            return respond(.malformed)
        }
        guard head.method == .POST, let names = HTTPGuard.method(head.uri), !budget.isSpare else {
            // Pages have no budget: who asks for more of them and does not read what there is gets
            // that, and no more.
            guard context.channel.isWritable else { return closeOnceWritten() }
            phase = .receiving(Request(head: head, route: nil, isVerified: true))
            return
        }
        guard HTTPGuard.isOwnHost(head, local: context.channel.localAddress, names: hostNames)
        else {
            return respond(
                HTTPFailure(
                    status: 421, code: .forbidden, "This is not the host you asked for."))
        }
        if let failure = HTTPGuard.refusal(of: head) { return respond(failure) }
        let route: Route
        do throws(RPCError) {
            route = try find(names.service, names.method)
        } catch {
            return respond(HTTPFailure(error))
        }
        phase = .receiving(Request(head: head, route: route))
        verify(head)
    }

    /// Reads nothing more, and ends once what was answered has left.
    func closeOnceWritten() {
        phase = .closing
        guard let lastWrite else { return closeSoon() }
        lastWrite.assumeIsolated().whenComplete { _ in self.closeSoon() }
    }

    private var hostNames: Set<String> { core.certificates?.settings.hostNames ?? [] }

    private func find(_ service: [UInt8], _ method: [UInt8]) throws(RPCError) -> Route {
        let found: Result<Route, RPCError> = service.withUnsafeBytes { service in
            method.withUnsafeBytes { method in
                do throws(RPCError) {
                    return .success(try core.router.find(service: service, method: method))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try found.get()
    }

    /// Finds out who calls before the body is read; once for the connection.
    private func verify(_ head: HTTPRequestHead) {
        if connection == nil, identity != nil || core.verifier == nil { return verified(head) }
        let shown = HTTPGuard.credential(head)
        if connection != nil {
            // A connection is one caller's, as over RPC.
            guard credential == nil || shown == credential else { return respond(.unauthenticated) }
            return verified(head)
        }
        guard let verifier = core.verifier, let shown else { return respond(.unauthenticated) }
        startErrand { [self] in
            let known = await verifier.verify(shown)
            task = nil
            guard case .receiving = phase else { return }
            guard let known else { return respond(.unauthenticated) }
            identity = known
            credential = shown
            verified(head)
        }
    }

    /// Runs what the connection waits for, and its server's end too.
    private func startErrand(_ body: @escaping @concurrent @Sendable () async -> Void) {
        loop.errandBegan()
        task = CallTask.start(on: loop.executor) { [loop] in
            await body()
            loop.errandEnded()
        }
    }

    private func verified(_ head: HTTPRequestHead) {
        guard case .receiving(var request) = phase, let context else { return }
        if connection == nil {
            let connection = ServerConnection(
                core: core, loop: loop, budget: budget, identity: identity)
            do {
                try context.pipeline.syncOperations.addHandler(
                    connection, position: .after(self))
            } catch {
                return context.close(promise: nil)
            }
            self.connection = connection
        }
        request.isVerified = true
        phase = .receiving(request)
        guard countBody() else { return }
        if head.headers["expect"].first?.lowercased() == "100-continue", !request.isComplete {
            context.writeAndFlush(
                wrapOutboundOut(
                    .head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
        }
        proceed()
    }

    /// Goes on with a request once it is complete and allowed.
    ///
    /// Not from within the end of the response before it: each request that was sent ahead would
    /// stand on the stack of the one before.
    private func proceed() {
        guard case .receiving(let request) = phase, request.isComplete, request.isVerified else {
            return
        }
        guard !isEnding else {
            return loop.eventLoop.assumeIsolated().execute {
                if self.context != nil { self.proceed() }
            }
        }
        let keepAlive = request.head.isKeepAlive && !loop.isDraining && !budget.isSpare
        guard let route = request.route else { return answerPage(request.head, keepAlive) }
        do throws(HTTPRefusal) {
            let call = try HTTPCall(request.head, route.method, id: nextID)
            nextID += 1
            wait(nil)
            phase = .answering(Answer(keepAlive: keepAlive, call: call))
            let whole = body
            body = ByteBuffer()
            convert(whole, of: call)
        } catch {
            respond(error.failure)
        }
    }

    // MARK: To the server's end

    /// Turns a request's JSON into a packet; a long one on a thread that may take its time.
    private func convert(_ body: ByteBuffer, of call: HTTPCall) {
        let shape = call.method.request
        let make: @Sendable () throws -> [UInt8] = {
            guard let text = body.getString(at: body.readerIndex, length: body.readableBytes),
                body.readableBytesView.elementsEqual(text.utf8)
            else { throw WireError.malformed("the body is not UTF-8") }
            return try WireJSON.bytes(of: text, as: shape)
        }
        guard body.readableBytes > Limits.rpcHTTPInlineBytes else {
            return send(call, Result { try make() })
        }
        loop.errandBegan()
        NIOThreadPool.singleton.runIfActive(eventLoop: loop.eventLoop, make).assumeIsolated()
            .whenComplete { payload in
                self.send(call, payload)
                self.loop.errandEnded()
            }
    }

    private func send(_ call: HTTPCall, _ payload: Result<[UInt8], any Error>) {
        // From here on its packet counts.
        budget.forgetUnfinished()
        guard case .answering = phase else { return }
        do {
            feed(try call.packet(try payload.get(), maximumBodyBytes: core.maximumBodyBytes))
        } catch let refusal as HTTPRefusal {
            respond(refusal.failure)
        } catch {
            respond(HTTPFailure(RPCError(thrown: error)))
        }
    }

    /// Hands a packet to the server's end of the connection, not from within a write of its own.
    private func feed(_ packet: ByteBuffer) {
        loop.eventLoop.assumeIsolated().execute {
            guard let context = self.context else { return }
            context.fireChannelRead(self.wrapInboundOut(packet))
            context.fireChannelReadComplete()
        }
    }

    // MARK: From the server's end

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        do {
            frameReader.append(unwrapOutboundIn(data))
            while let frame = try frameReader.next() { try receive(frame) }
        } catch {
            core.logger.error("an answer cannot be read", metadata: ["why": "\(error)"])
            context.close(promise: nil)
        }
        guard let promise else { return }
        if let lastWrite { lastWrite.cascade(to: promise) } else { promise.succeed() }
    }

    private func receive(_ frame: Frame) throws {
        guard let step = try withCall({ call in try call.receive(frame) }) else { return }
        queue(step)
    }

    /// Changes the answered call in its place; nil if there is none.
    ///
    /// The phase must not have it too meanwhile: with each part of a long message all before it
    /// would be copied.
    private func withCall<Result>(
        _ change: (inout HTTPCall) throws -> Result
    ) rethrows -> Result? {
        guard case .answering(var answer) = phase, var call = answer.call else { return nil }
        phase = .closing
        answer.call = nil
        defer {
            answer.call = call
            phase = .answering(answer)
        }
        return try change(&call)
    }

    /// Writes the end of a response, after which the next request may come at once.
    func writeEnd(_ context: ChannelHandlerContext, _ written: EventLoopPromise<Void>) {
        let wasEnding = isEnding
        isEnding = true
        defer { isEnding = wasEnding }
        context.write(wrapOutboundOut(.end(nil)), promise: written)
    }

    /// Tells the server how far the client has got, once what was written has left.
    func reportConsumption() {
        guard case .answering(let answer) = phase, answer.isStreaming else { return }
        do {
            guard let packet = try withCall({ call in try call.feedback() }) ?? nil else { return }
            feed(packet)
        } catch {
            context?.close(promise: nil)
        }
    }

    // MARK: Pages

    private func answerPage(_ head: HTTPRequestHead, _ keepAlive: Bool) {
        // A page and its answer have this long together, as long as the peer's whole request had.
        wait(Limits.rpcPageMilliseconds)
        phase = .answering(Answer(keepAlive: keepAlive))
        // Made before the page is, so that a close that comes meanwhile waits for it.
        let written = loop.eventLoop.makePromise(of: Void.self)
        pageWritten = written
        wrote(written.futureResult)
        let local = context?.channel.localAddress
        let pages = PageAnswers(core: core, loop: loop, isSpare: budget.isSpare)
        let names = hostNames
        startErrand { [self] in
            let page = await pages.answer(head, local: local, names: names)
            task = nil
            write(page, isHead: head.method == .HEAD)
        }
    }

    /// Takes over what is told once the page has been written; nil if the connection is lost.
    func takePagePromise() -> EventLoopPromise<Void>? {
        defer { pageWritten = nil }
        return pageWritten
    }

    /// Notes the newest write, behind which a close waits.
    func wrote(_ write: EventLoopFuture<Void>) { lastWrite = write }
}

extension HTTPFailure {
    fileprivate static let unauthenticated = HTTPFailure(
        status: 401, code: .unauthenticated,
        "Show the service's credential: Authorization: Bearer …, one for a connection.")
}
