import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import ServiceLifecycle
import TollgateClient

@testable import Sandbox
@testable import Web

/// Both ways to reach the routes.
enum Way: CaseIterable {
    /// Through the router alone.
    case router
    /// Over a live socket.
    case live
}

/// The web tier as a test sees it.
struct TestedWeb: Sendable {
    /// A whole answer.
    struct Answer {
        var status: HTTPResponse.Status
        var contentType: String?
        var body: String
    }

    private let send: @Sendable (OutgoingRequest) async throws -> Answer

    /// Sends one request.
    func execute(
        _ method: String, _ target: String, headers: [(name: String, value: String)] = [],
        body: String = ""
    ) async throws -> Answer {
        try await send(
            OutgoingRequest(
                method: method, url: target, headers: headers, body: Array(body.utf8)))
    }

    /// Runs a test's body against a web tier before a server.
    static func run(
        _ server: FakeServer, timeoutMilliseconds: Int64 = 4_500, _ way: Way,
        _ body: (TestedWeb) async throws -> Void
    ) async throws {
        var configuration = WebConfiguration()
        configuration.port = 0
        configuration.callbackTimeoutMilliseconds = timeoutMilliseconds
        var logger = Logger(label: "web-test")
        logger.logLevel = .error
        let client = TollgateClient(transport: server)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let web = WebServer(configuration, client: client, logger: logger) { port in
            continuation.yield(port)
        }
        switch way {
        case .router:
            try await body(overRouter(web, logger))
        case .live:
            let service = ServiceGroup(services: [web], logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { continuation.finish() }
                    try await service.run()
                }
                for await port in ports {
                    try await body(overSocket(port))
                    break
                }
                await service.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
    }

    private static func overRouter(_ web: WebServer, _ logger: Logger) -> TestedWeb {
        let responder = web.router().buildResponder()
        return TestedWeb { request in
            var fields = HTTPFields()
            for header in request.headers {
                guard let name = HTTPField.Name(header.name) else { continue }
                fields.append(HTTPField(name: name, value: header.value))
            }
            let head = HTTPRequest(
                method: HTTPRequest.Method(rawValue: request.method) ?? .get, scheme: "http",
                authority: "localhost", path: request.url, headerFields: fields)
            let context = BasicRequestContext(
                source: ApplicationRequestContextSource(
                    channel: NIOAsyncTestingChannel(), logger: logger))
            let body = RequestBody(buffer: ByteBuffer(bytes: request.body))
            do {
                let response = try await responder.respond(
                    to: Request(head: head, body: body), context: context)
                let collector = Collector()
                try await response.body.write(collector)
                return Answer(
                    status: response.status, contentType: response.headers[.contentType],
                    body: String(decoding: collector.bytes, as: UTF8.self))
            } catch let error as any HTTPResponseError {
                return Answer(status: error.status, body: "")
            }
        }
    }

    private static func overSocket(_ port: Int) -> TestedWeb {
        TestedWeb { request in
            var request = request
            request.url = "http://127.0.0.1:\(port)\(request.url)"
            let response = try await OutgoingHTTP.send(request, timeoutMilliseconds: 30_000)
            return Answer(
                status: .init(code: response.status),
                contentType: response.header("content-type"),
                body: String(decoding: response.body, as: UTF8.self))
        }
    }
}

/// Keeps what a route writes.
private final class Collector: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []

    func write(_ buffer: ByteBuffer) async throws { bytes += Array(buffer.readableBytesView) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
