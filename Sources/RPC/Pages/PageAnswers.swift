import NIOCore
import NIOHTTP1
import TollgateWire

/// Finds the page that a request asks for.
struct PageAnswers {
    let core: ServerCore
    let loop: LoopContext
    /// There is no room for the connection; it may only ask whether the server lives.
    let isSpare: Bool

    func answer(
        _ head: HTTPRequestHead, local: SocketAddress?, names: Set<String>
    ) async -> Page {
        guard head.method == .GET || head.method == .HEAD else { return .wrongMethod }
        let path = head.uri.prefix { $0 != "?" }
        if isSpare, path != "/health" { return .noRoom }
        let isLocal = local?.ipAddress.map(ListeningAddress.isLoopback) ?? true
        if isLocal {
            // A web page in the operator's browser can have its own name point here.
            guard HTTPGuard.isOwnHost(head, local: local, names: names) else { return .wrongHost }
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
        case "/version":
            guard let version = core.pages.version else { return .notFound }
            return Page(
                status: 200, contentType: "application/json",
                body: "{\"version\":\(JSONText.quoted(version))}\n")
        default: return .notFound
        }
    }

    private func isAdmin(_ head: HTTPRequestHead) async -> Bool {
        guard let verifier = core.verifier, let credential = HTTPGuard.credential(head) else {
            return false
        }
        return await verifier.verify(credential)?.role == .admin
    }

    private func status() async -> String {
        let methods = core.router.services.reduce(0) { $0 + $1.methods.count }
        let lines = """
            state: \(loop.isDraining ? "draining" : "serving")
            services: \(core.router.services.count)
            methods: \(methods)
            connections: \(core.edge.connectionCount)
            connections on this loop: \(loop.connectionCount)
            calls in flight on this loop: \(loop.callCount)

            """
        guard let more = core.pages.status else { return lines }
        return lines + (await more())
    }
}
