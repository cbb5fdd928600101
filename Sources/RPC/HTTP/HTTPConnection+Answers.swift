import DequeModule
import NIOCore
import NIOHTTP1
import NIOPosix
import TollgateKernel
import TollgateWire

/// Responses: pages, JSON, and streams of events.
extension HTTPConnection {
    /// Something to be written once what came before it is.
    struct Outgoing {
        let step: HTTPCall.Step
        /// Told once it has been written, or will never be.
        let written: EventLoopPromise<Void>
    }

    /// Takes in what the answer consists of next.
    ///
    /// Its promise is made before any JSON is, so that a close that comes meanwhile waits for it.
    func queue(_ step: HTTPCall.Step) {
        guard step != .none else { return }
        let written = loop.eventLoop.makePromise(of: Void.self)
        wrote(written.futureResult)
        outgoing.append(Outgoing(step: step, written: written))
        writeOutgoing()
    }

    /// Writes what waits, up to the first message whose JSON takes its time.
    private func writeOutgoing() {
        while !isConverting, let next = outgoing.popFirst() {
            switch next.step {
            case .none: next.written.succeed()
            case .message(let bytes):
                convert(bytes) { self.respond($0, written: next.written) }
            case .failure(let failure): respond(failure, written: next.written)
            case .begin: beginEvents(written: next.written)
            case .event(let bytes):
                convert(bytes) { self.writeEvent($0, written: next.written) }
            case .end(let failure): endEvents(failure, written: next.written)
            }
        }
    }

    /// Makes a message's JSON; a long one's on a thread that may take its time.
    private func convert(
        _ message: [UInt8], _ finish: @escaping (Result<String, any Error>) -> Void
    ) {
        guard case .answering(let answer) = phase, let shape = answer.call?.method.response else {
            return finish(.failure(ChannelError.ioOnClosedChannel))
        }
        guard message.count > Limits.rpcHTTPInlineBytes else {
            return finish(Result { try WireJSON.text(of: message, as: shape) })
        }
        isConverting = true
        loop.errandBegan()
        NIOThreadPool.singleton.runIfActive(eventLoop: loop.eventLoop) {
            try WireJSON.text(of: message, as: shape)
        }.assumeIsolated().whenComplete { json in
            self.isConverting = false
            finish(json)
            self.writeOutgoing()
            // Whoever flushed for this has done so long ago.
            self.flush()
            self.loop.errandEnded()
        }
    }

    private func respond(
        _ json: Result<String, any Error>, written: EventLoopPromise<Void>
    ) {
        guard case .answering(let answer) = phase else {
            return written.fail(ChannelError.ioOnClosedChannel)
        }
        switch json {
        case .success(let text):
            write(
                Page(status: 200, contentType: Self.json, body: text), keepAlive: answer.keepAlive,
                written: written)
        case .failure(let error):
            respond(HTTPFailure(RPCError(thrown: error)), written: written)
        }
    }

    /// Answers with a failure; before the request is complete, the connection ends with it.
    func respond(_ failure: HTTPFailure, written: EventLoopPromise<Void>? = nil) {
        var page = Page(status: failure.status, contentType: Self.json, body: failure.json)
        page.retryAfterMilliseconds = failure.retryAfterMilliseconds
        if case .answering(let answer) = phase {
            write(page, keepAlive: answer.keepAlive, written: written)
        } else {
            write(page, keepAlive: false, written: written)
        }
    }

    /// Answers with a page; while the server stops, the connection ends with it.
    func write(_ page: Page, isHead: Bool) {
        guard let written = takePagePromise() else { return }
        guard case .answering(let answer) = phase else { return lost(written) }
        write(
            page, isHead: isHead, keepAlive: answer.keepAlive && !loop.isDraining,
            written: written)
    }

    private static let json = "application/json"

    private func write(
        _ page: Page, isHead: Bool = false, keepAlive: Bool,
        written: EventLoopPromise<Void>? = nil
    ) {
        guard let context else { return lost(written) }
        let body = ByteBuffer(string: page.body)
        var head = responseHead(page.status, page.contentType)
        head.headers.add(name: "content-length", value: String(body.readableBytes))
        if let pause = page.retryAfterMilliseconds {
            head.headers.add(name: "retry-after", value: String((pause + 999) / 1_000))
        }
        if !keepAlive { head.headers.add(name: "connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        end(context, keepAlive: keepAlive, written: written)
    }

    private func lost(_ written: EventLoopPromise<Void>?) {
        written?.fail(ChannelError.ioOnClosedChannel)
    }

    private func responseHead(_ status: Int, _ contentType: String) -> HTTPResponseHead {
        var head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status))
        head.headers.add(name: "content-type", value: contentType)
        head.headers.add(name: "x-content-type-options", value: "nosniff")
        return head
    }

    /// Ends a response; the next request may come, or the connection ends.
    private func end(
        _ context: ChannelHandlerContext, keepAlive: Bool, written promise: EventLoopPromise<Void>?
    ) {
        phase = keepAlive ? .waiting : .closing
        // What the peer sent has been answered, and is kept no longer than it counts.
        body = ByteBuffer()
        budget.consumed()
        let written = promise ?? loop.eventLoop.makePromise(of: Void.self)
        if promise == nil { wrote(written.futureResult) }
        if !keepAlive {
            written.futureResult.assumeIsolated().whenComplete { _ in self.closeSoon() }
        }
        writeEnd(context, written)
        // Before it is looked how much is left: TLS hands nothing on until then.
        context.flush()
        // A request that was sent ahead, or the close, may have begun meanwhile: each has its own
        // patience.
        guard !isLeaving else { return }
        switch phase {
        case .waiting, .closing:
            waitForReader(keepAlive ? Limits.rpcHTTPIdleMilliseconds : Limits.rpcPageMilliseconds)
        case .receiving, .answering: break
        }
    }

    // MARK: Streams of events

    private func beginEvents(written: EventLoopPromise<Void>) {
        guard case .answering(var answer) = phase, let context else { return lost(written) }
        answer.isStreaming = true
        phase = .answering(answer)
        var head = responseHead(200, "text/event-stream")
        head.headers.add(name: "cache-control", value: "no-store")
        head.headers.add(name: "transfer-encoding", value: "chunked")
        // Proxies that collect answers would keep tokens back.
        head.headers.add(name: "x-accel-buffering", value: "no")
        if !answer.keepAlive { head.headers.add(name: "connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: written)
    }

    private func writeEvent(
        _ json: Result<String, any Error>, written: EventLoopPromise<Void>
    ) {
        guard case .answering = phase, let context else { return lost(written) }
        switch json {
        case .success(let text):
            let event = ByteBuffer(string: ServerSentEvent.message(text))
            // The server's window opens as the socket takes what was written.
            written.futureResult.assumeIsolated().whenSuccess { self.reportConsumption() }
            context.write(wrapOutboundOut(.body(.byteBuffer(event))), promise: written)
        case .failure:
            // A message that has no form in JSON ends the stream: leaving it out would be a lie.
            lost(written)
            context.close(promise: nil)
        }
    }

    private func endEvents(_ failure: HTTPFailure?, written: EventLoopPromise<Void>) {
        guard case .answering(let answer) = phase, let context else { return lost(written) }
        let event = ByteBuffer(string: ServerSentEvent.end(failure))
        context.write(wrapOutboundOut(.body(.byteBuffer(event))), promise: nil)
        end(context, keepAlive: answer.keepAlive, written: written)
    }
}
