import Dispatch
import NIOCore
import NIOPosix
import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Names whose servers do not answer, and who waits for them.
@Suite(.timeLimit(.minutes(1))) struct LookUpTests {
    /// A name server that is silent about names that begin with "silent" until it is let go.
    private final class NameServer: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let asked: Mutex<[String]> = Mutex([])

        var questions: [String] { asked.withLock { $0 } }

        func lookUp(_ target: ServerAddress) -> [ServerAddress] {
            asked.withLock { $0.append(target.host) }
            if target.host.hasPrefix("silent") { gate.wait() }
            return [ServerAddress(host: "10.0.0.1", port: target.port, name: target.host)]
        }

        /// Lets one look-up after the other go.
        func letGo() { for _ in 0..<1_000 { gate.signal() } }
    }

    private let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

    /// Runs `body` with a name server's resolver, and lets its threads go.
    private func withResolver(
        _ body: (SystemAddressResolver, NameServer) async throws -> Void
    ) async throws {
        let server = NameServer()
        let threads = NIOThreadPool(numberOfThreads: Limits.clientLookUpThreads)
        threads.start()
        let resolver = SystemAddressResolver(LookUps(threads) { server.lookUp($0) })
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(resolver, server))
        } catch {
            result = .failure(error)
        }
        server.letGo()
        try await threads.shutdownGracefully()
        try result.get()
    }

    private func ask(
        _ resolver: SystemAddressResolver, _ host: String, port: Int = 1
    ) -> EventLoopFuture<[ServerAddress]> {
        resolver.resolve(ServerAddress(host: host, port: port), on: eventLoop)
    }

    /// Waits for what comes at once or not before the name server is let go.
    private func comes(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<4_000 {
            if condition() { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test func `a name is asked for once at a time, and each port gets the answer`()
        async throws
    {
        try await withResolver { resolver, server in
            let answers = (1...50).map { ask(resolver, "silent.test", port: $0) }
            #expect(try await comes { !server.questions.isEmpty })
            let isOtherFound = Mutex(false)
            ask(resolver, "others.test").whenSuccess { _ in isOtherFound.withLock { $0 = true } }
            #expect(try await comes { isOtherFound.withLock { $0 } })
            server.letGo()
            for (port, answer) in zip(1..., answers) {
                let addresses = try await answer.get()
                #expect(
                    addresses == [
                        ServerAddress(host: "10.0.0.1", port: port, name: "silent.test")
                    ])
            }
            #expect(server.questions == ["silent.test", "others.test"])
            // What was answered is not kept here: the next who asks has it looked up again.
            _ = try await ask(resolver, "silent.test").get()
            #expect(server.questions.count == 3)
        }
    }

    /// As many as would keep every thread that inflates and parses payloads.
    @Test func `silent name servers keep no thread from the payloads of other calls`()
        async throws
    {
        let silent = 2 * NIOSingletons.blockingPoolThreadCountSuggestion
        let asked = Mutex(0)
        let gate = DispatchSemaphore(value: 0)
        // On the threads that every client's look-ups have.
        let lookUps = LookUps(LookUps.shared.threads) { _ in
            asked.withLock { $0 += 1 }
            gate.wait()
            throw UnknownHost("nobody answered")
        }
        let futures = (0..<silent).map { number in
            ask(SystemAddressResolver(lookUps), "silent-\(number).test")
        }
        #expect(try await comes { asked.withLock { $0 } > 0 })
        let isDone = Mutex(false)
        NIOThreadPool.singleton.submit { _ in isDone.withLock { $0 = true } }
        #expect(try await comes { isDone.withLock { $0 } })
        for _ in 0..<silent { gate.signal() }
        for future in futures { _ = try? await future.get() }
    }
}
