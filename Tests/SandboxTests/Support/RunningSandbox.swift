import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TollgateKernel

@testable import Sandbox

/// A clock that tests move.
final class MovableClock: WallClock {
    private let moment: Mutex<Timestamp>

    init(_ start: Timestamp = SystemClock().now()) { moment = Mutex(start) }

    func now() -> Timestamp { moment.withLock { $0 } }
    func advance(milliseconds: Int64) {
        moment.withLock { $0 = $0.adding(milliseconds: milliseconds) }
    }
}

/// A sandbox that listens while a test's body runs.
struct RunningSandbox: Sendable {
    let port: Int
    let keys: SandboxKeys

    /// Fresh keys, made once for all tests.
    static let keys = Result { try SandboxKeys.generate() }

    var baseURL: String { "http://127.0.0.1:\(port)" }

    /// Sends a request and gives the whole answer.
    func send(
        _ method: String, _ path: String, headers: [(name: String, value: String)] = [],
        body: String = ""
    ) async throws -> OutgoingResponse {
        try await OutgoingHTTP.send(
            OutgoingRequest(
                method: method, url: baseURL + path, headers: headers, body: Array(body.utf8)),
            timeoutMilliseconds: 20_000)
    }

    /// Runs a sandbox on a data file in a fresh folder, or in a given one.
    static func run(
        in folder: TemporaryFolder? = nil,
        configure: (inout SandboxConfiguration) -> Void = { _ in },
        _ body: (RunningSandbox) async throws -> Void
    ) async throws {
        let keys = try keys.get()
        let folder = try folder ?? TemporaryFolder()
        var configuration = SandboxConfiguration(
            dataFile: folder.path + "/sandbox.sqlite", keys: keys.sandbox,
            callbackURL: "http://127.0.0.1:1/callback/weixin")
        configuration.port = 0
        configuration.models.firstTokenMilliseconds = 0
        configure(&configuration)
        var logger = Logger(label: "sandbox-test")
        logger.logLevel = .error
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let sandbox = try Sandbox(configuration, logger: logger) { continuation.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let service = ServiceGroup(services: [sandbox], logger: logger)
            group.addTask {
                defer { continuation.finish() }
                try await service.run()
            }
            for await port in ports {
                try await body(RunningSandbox(port: port, keys: keys))
                break
            }
            await service.triggerGracefulShutdown()
            try await group.waitForAll()
        }
        withExtendedLifetime(folder) {}
    }
}

/// A folder that is removed when the last holder lets go of it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/tollgate-sandbox-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Waits until a condition holds; false if it does not in ten seconds.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<1_000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}
