import NIOCore
import NIOHTTP1
import TollgateKernel
import TollgateWire

/// Answers one HTTP request with a page and closes.
///
/// `@unchecked Sendable`: everything is touched on the connection's event loop alone, the task
/// included, because its executor is that loop.
final class PagesHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let core: ServerCore
    private let loop: LoopContext
    private var context: ChannelHandlerContext?
    private var head: HTTPRequestHead?
    private var task: Task<Void, Never>?
    private var patience: Scheduled<Void>?

    init(core: ServerCore, loop: LoopContext) {
        self.core = core
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // Neither a head that never ends nor an answer that nobody takes keeps the place for ever.
        let channel = context.channel
        patience = context.eventLoop.scheduleTask(in: .milliseconds(Limits.rpcPageMilliseconds)) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func leave() {
        context = nil
        patience?.cancel()
        task?.cancel()
        task = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The first request is answered; bodies and later requests are not looked at.
        guard case .head(let head) = unwrapInboundIn(data), self.head == nil else { return }
        self.head = head
        let address = context.channel.localAddress
        task = CallTask.start(on: loop.executor) { [self] in
            let page = await page(head, localAddress: address)
            write(page, isHead: head.method == .HEAD)
        }
    }

    // MARK: Pages

    private func page(_ head: HTTPRequestHead, localAddress: SocketAddress?) async -> Page {
        guard head.method == .GET || head.method == .HEAD else { return .wrongMethod }
        let path = head.uri.prefix { $0 != "?" }
        let isLocal = localAddress?.ipAddress.map(ListeningAddress.isLoopback) ?? false
        if isLocal {
            // A web page in the operator's browser can have its own name point here.
            guard let port = localAddress?.port, let ip = localAddress?.ipAddress,
                ["\(ip):\(port)", "[\(ip)]:\(port)", "localhost:\(port)"]
                    .contains(head.headers["host"].first ?? "")
            else { return .wrongHost }
        } else if path != "/health" {
            guard await isAdmin(head) else { return .forbidden }
        }
        switch path {
        case "/health":
            return loop.isDraining ? .draining : Page(status: 200, body: "OK\n")
        case "/metrics":
            guard let metrics = core.pages.metrics else { return .notFound }
            return Page(
                status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: await metrics())
        case "/status": return Page(status: 200, body: await status())
        case "/list":
            return Page(
                status: 200, contentType: "application/json", body: core.router.listJSON)
        default: return .notFound
        }
    }

    private func isAdmin(_ head: HTTPRequestHead) async -> Bool {
        guard let verifier = core.verifier,
            let header = head.headers["authorization"].first, header.hasPrefix("Bearer "),
            header.utf8.count > 7
        else { return false }
        return await verifier.verify(Array(header.dropFirst(7).utf8))?.role == .admin
    }

    private func status() async -> String {
        let methods = core.router.services.reduce(0) { $0 + $1.methods.count }
        let lines = """
            state: \(loop.isDraining ? "draining" : "serving")
            services: \(core.router.services.count)
            methods: \(methods)
            connections on this loop: \(loop.connectionCount)
            calls in flight on this loop: \(loop.callCount)

            """
        guard let more = core.pages.status else { return lines }
        return lines + (await more())
    }

    private func write(_ page: Page, isHead: Bool) {
        guard let context else { return }
        let body = ByteBuffer(string: page.body)
        var head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: page.status))
        head.headers.add(name: "content-type", value: page.contentType)
        head.headers.add(name: "content-length", value: String(body.readableBytes))
        head.headers.add(name: "x-content-type-options", value: "nosniff")
        head.headers.add(name: "connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.context?.close(promise: nil)
        }
    }
}
