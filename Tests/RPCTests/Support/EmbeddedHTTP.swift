import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// A server's HTTP connection without a socket: parts of requests go in, parts of responses out.
final class EmbeddedHTTP {
    let channel = EmbeddedChannel()
    let connection: HTTPConnection

    /// With `isPipelined` what keeps requests in their order stands before the connection.
    init(
        pages: ServerPages = ServerPages(), isPipelined: Bool = false,
        limits: ServerLimits = ServerLimits()
    ) throws {
        let loop = LoopContext(eventLoop: channel.embeddedEventLoop, number: 0)
        let core = ServerCore(
            router: Router([HTTPTestService.registration(Events())]), verifier: nil,
            interceptors: [], pages: pages, maximumBodyBytes: Limits.rpcBodyBytes,
            logger: Logger(label: "test"), edge: ServerEdge(limits))
        connection = HTTPConnection(core: core, loop: loop, budget: ConnectionBudget(core.edge))
        let pipeline = channel.pipeline.syncOperations
        if isPipelined { try pipeline.addHandler(HTTPServerPipelineHandler()) }
        try pipeline.addHandler(connection)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
    }

    /// A request's head; of a call it says what guards ask for.
    static func head(
        _ path: String, method: HTTPMethod = .GET, headers: [(String, String)] = []
    ) -> HTTPRequestHead {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers = ["host": "localhost"]
        if method == .POST { head.headers.add(name: "content-type", value: "application/json") }
        head.headers.add(contentsOf: headers)
        return head
    }

    func receive(_ part: HTTPServerRequestPart) throws { try channel.writeInbound(part) }

    /// Has a whole request arrive.
    func receive(_ head: HTTPRequestHead, body: String = "") throws {
        try receive(.head(head))
        if !body.isEmpty { try receive(.body(ByteBuffer(string: body))) }
        try receive(.end(nil))
    }

    /// The statuses of the responses so far.
    func statuses() throws -> [UInt] {
        var statuses: [UInt] = []
        while let part = try channel.readOutbound(as: HTTPServerResponsePart.self) {
            if case .head(let head) = part { statuses.append(head.status.code) }
        }
        return statuses
    }

    func close() throws { _ = try channel.finish(acceptAlreadyClosed: true) }
}
