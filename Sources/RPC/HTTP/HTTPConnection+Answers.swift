import NIOCore
import NIOHTTP1
import NIOPosix
import TollgateKernel
import TollgateWire

/// Responses: pages, JSON, and streams of events.
extension HTTPConnection {
    /// Answers with a message as JSON; a long one is made on a thread that may take its time.
    func respond(with message: [UInt8], _ answer: Answer) {
        guard let shape = answer.call?.method.response else { return }
        guard message.count > Limits.rpcHTTPInlineBytes else {
            return respond(Result { try WireJSON.text(of: message, as: shape) })
        }
        NIOThreadPool.singleton.runIfActive(eventLoop: loop.eventLoop) {
            try WireJSON.text(of: message, as: shape)
        }.assumeIsolated().whenComplete { self.respond($0) }
    }

    private func respond(_ json: Result<String, any Error>) {
        guard case .answering(let answer) = phase else { return }
        switch json {
        case .success(let text):
            write(
                Page(status: 200, contentType: Self.json, body: text), keepAlive: answer.keepAlive)
        case .failure(let error): respond(HTTPFailure(RPCError(thrown: error)))
        }
    }

    /// Answers with a failure; before the request is complete, the connection ends with it.
    func respond(_ failure: HTTPFailure) {
        var page = Page(status: failure.status, contentType: Self.json, body: failure.json)
        page.retryAfterMilliseconds = failure.retryAfterMilliseconds
        if case .answering(let answer) = phase {
            write(page, keepAlive: answer.keepAlive)
        } else {
            write(page, keepAlive: false)
        }
    }

    /// Answers with a page.
    func write(_ page: Page, isHead: Bool) {
        guard case .answering(let answer) = phase else { return }
        write(page, isHead: isHead, keepAlive: answer.keepAlive)
    }

    private static let json = "application/json"

    private func write(_ page: Page, isHead: Bool = false, keepAlive: Bool) {
        guard let context else { return }
        let body = ByteBuffer(string: page.body)
        var head = responseHead(page.status, page.contentType)
        head.headers.add(name: "content-length", value: String(body.readableBytes))
        if let pause = page.retryAfterMilliseconds {
            head.headers.add(name: "retry-after", value: String((pause + 999) / 1_000))
        }
        if !keepAlive { head.headers.add(name: "connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        end(context, keepAlive: keepAlive)
    }

    private func responseHead(_ status: Int, _ contentType: String) -> HTTPResponseHead {
        var head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status))
        head.headers.add(name: "content-type", value: contentType)
        head.headers.add(name: "x-content-type-options", value: "nosniff")
        return head
    }

    /// Ends a response; the next request may come, or the connection ends.
    private func end(_ context: ChannelHandlerContext, keepAlive: Bool) {
        phase = keepAlive ? .waiting : .closing
        // What the peer sent has been answered.
        budget.consumed()
        wait(keepAlive ? Limits.rpcHTTPIdleMilliseconds : Limits.rpcPageMilliseconds)
        let written = loop.eventLoop.makePromise(of: Void.self)
        wrote(written.futureResult)
        if !keepAlive {
            written.futureResult.assumeIsolated().whenComplete { _ in self.closeSoon() }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    /// Ends our side and waits a little for the peer to end its own: a socket closed with bytes
    /// unread would take the response back.
    private func closeSoon() {
        wait(Limits.rpcCloseMilliseconds)
        context?.close(mode: .output, promise: nil)
    }

    // MARK: Streams of events

    func beginEvents() {
        guard case .answering(var answer) = phase, let context else { return }
        answer.isStreaming = true
        phase = .answering(answer)
        var head = responseHead(200, "text/event-stream")
        head.headers.add(name: "cache-control", value: "no-store")
        head.headers.add(name: "transfer-encoding", value: "chunked")
        // Proxies that collect answers would keep tokens back.
        head.headers.add(name: "x-accel-buffering", value: "no")
        if !answer.keepAlive { head.headers.add(name: "connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    func writeEvent(_ message: [UInt8]) {
        guard case .answering(let answer) = phase, let shape = answer.call?.method.response,
            let context
        else { return }
        do {
            let event = ServerSentEvent.message(try WireJSON.text(of: message, as: shape))
            let written = loop.eventLoop.makePromise(of: Void.self)
            wrote(written.futureResult)
            // The server's window opens as the socket takes what was written.
            written.futureResult.assumeIsolated().whenSuccess { self.reportConsumption() }
            context.write(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: event)))), promise: written)
        } catch {
            // A message that has no form in JSON ends the stream: leaving it out would be a lie.
            context.close(promise: nil)
        }
    }

    func endEvents(_ failure: HTTPFailure?) {
        guard case .answering(let answer) = phase, let context else { return }
        let event = ByteBuffer(string: ServerSentEvent.end(failure))
        context.write(wrapOutboundOut(.body(.byteBuffer(event))), promise: nil)
        end(context, keepAlive: answer.keepAlive)
    }
}
