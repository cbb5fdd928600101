import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

@testable import Sandbox

/// A merchant's server for tests: remembers what came and answers as it is told.
final class Receiver: Sendable {
    /// One request as it came.
    struct Received: Sendable {
        var method: String
        var target: String
        var headers: [String: String]
        var body: [UInt8]
        var at: ContinuousClock.Instant

        var text: String { String(decoding: body, as: UTF8.self) }

        /// The value of a query parameter.
        func query(_ name: String) -> String {
            let query = target.split(separator: "?", maxSplits: 1).last ?? ""
            for pair in query.split(separator: "&") where pair.hasPrefix(name + "=") {
                return String(pair.dropFirst(name.count + 1))
            }
            return ""
        }
    }

    /// What it answers with.
    struct Answer: Sendable {
        var status = 200
        var body = ""
        var afterMilliseconds: Int64 = 0
    }

    private let requests: Mutex<[Received]> = Mutex([])
    private let respond: @Sendable (_ request: Received, _ index: Int) throws -> Answer

    init(_ respond: @escaping @Sendable (_ request: Received, _ index: Int) throws -> Answer) {
        self.respond = respond
    }

    var received: [Received] { requests.withLock { $0 } }

    /// Listens while the body runs.
    func run(_ body: (_ baseURL: String) async throws -> Void) async throws {
        var logger = Logger(label: "receiver")
        logger.logLevel = .error
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                try await self.answer(request)
            },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let service = ServiceGroup(services: [application], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await service.run()
            }
            for await port in ports {
                try await body("http://127.0.0.1:\(port)")
                break
            }
            await service.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let buffer = try await request.body.collect(upTo: 1 << 20)
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        let received = Received(
            method: request.method.rawValue, target: request.uri.string, headers: headers,
            body: Array(buffer.readableBytesView), at: .now)
        let index = requests.withLock { requests in
            requests.append(received)
            return requests.count - 1
        }
        let answer = try respond(received, index)
        if answer.afterMilliseconds > 0 {
            try await Task.sleep(for: .milliseconds(answer.afterMilliseconds))
        }
        return Response(
            status: .init(code: answer.status),
            body: .init(byteBuffer: ByteBuffer(string: answer.body)))
    }
}
