import Dispatch
import NIOCore
import NIOPosix
import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Names that are looked up again.
@Suite(.timeLimit(.minutes(1))) struct ServerDirectoryTests {
    /// Answers the n-th look-up as the script says, and the last line from then on.
    private final class ScriptedResolver: AddressResolver {
        private let script: [[String]?]
        private let asked = Mutex(0)

        init(_ script: [[String]?]) { self.script = script }

        var count: Int { asked.withLock { $0 } }

        func resolve(
            _ target: ServerAddress, on eventLoop: any EventLoop
        ) -> EventLoopFuture<[ServerAddress]> {
            let number = asked.withLock { asked in
                defer { asked += 1 }
                return asked
            }
            guard let hosts = script[min(number, script.count - 1)] else {
                return eventLoop.makeFailedFuture(UnknownHost("not now"))
            }
            return eventLoop.makeSucceededFuture(
                hosts.map { ServerAddress(host: $0, port: target.port, name: target.host) })
        }
    }

    private final class Lists: Sendable {
        private let lists: Mutex<[[String]]> = Mutex([])
        var all: [[String]] { lists.withLock { $0 } }
        func add(_ list: [ServerAddress]) { lists.withLock { $0.append(list.map(\.host)) } }
    }

    private func directory(
        _ resolver: ScriptedResolver, _ lists: Lists
    ) -> ServerDirectory {
        ServerDirectory(
            [ServerAddress(host: "servers.test", port: 7_400)], resolver: resolver,
            eventLoop: MultiThreadedEventLoopGroup.singleton.any()
        ) { lists.add($0) }
    }

    private var soon: CallDeadline { CallDeadline(milliseconds: 30_000) }

    /// Calls come until the name has been looked up so often.
    private func prepare(
        _ directory: ServerDirectory, until count: Int, _ resolver: ScriptedResolver
    ) async throws {
        while resolver.count < count {
            directory.invalidate()
            try await directory.prepare(until: soon)
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test func `one look-up serves every call until it is due again`() async throws {
        let resolver = ScriptedResolver([["10.0.0.1", "10.0.0.2"]])
        let lists = Lists()
        let directory = directory(resolver, lists)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { try await directory.prepare(until: soon) } }
            try await group.waitForAll()
        }
        #expect(resolver.count == 1)
        #expect(lists.all == [["10.0.0.1", "10.0.0.2"]])
        directory.close()
    }

    @Test func `a name that stands for others by now is found when nobody can be reached`()
        async throws
    {
        let resolver = ScriptedResolver([["10.0.0.1"], ["10.0.0.2", "10.0.0.3"]])
        let lists = Lists()
        let directory = directory(resolver, lists)
        try await directory.prepare(until: soon)
        try await prepare(directory, until: 2, resolver)
        while lists.all.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(lists.all == [["10.0.0.1"], ["10.0.0.2", "10.0.0.3"]])
        directory.close()
    }

    @Test func `a name that cannot be looked up keeps what it stood for`() async throws {
        let resolver = ScriptedResolver([["10.0.0.1"], nil])
        let lists = Lists()
        let directory = directory(resolver, lists)
        try await directory.prepare(until: soon)
        try await prepare(directory, until: 3, resolver)
        // Nobody waits for a look-up that fails, and nobody is told of one.
        try await directory.prepare(until: soon)
        #expect(lists.all == [["10.0.0.1"]])
        directory.close()
    }

    @Test func `no call goes on before the balancer has heard of the addresses`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let events = Events()
        let gate = DispatchSemaphore(value: 0)
        let directory = ServerDirectory(
            [ServerAddress(host: "servers.test", port: 7_400)],
            resolver: ScriptedResolver([["10.0.0.1"]]), eventLoop: group.any()
        ) { _ in
            events.report("telling")
            gate.wait()
            events.report("told")
        }
        let deadline = soon
        try await withThrowingTaskGroup(of: Void.self) { calls in
            for _ in 0..<2 {
                calls.addTask {
                    try await directory.prepare(until: deadline)
                    events.report("prepared")
                }
                while !events.all.contains("telling") { await Task.yield() }
            }
            while directory.waiterCount < 2, !events.all.contains("prepared") {
                await Task.yield()
            }
            gate.signal()
            try await calls.waitForAll()
        }
        #expect(events.all == ["telling", "told", "prepared", "prepared"])
        directory.close()
        try await group.shutdownGracefully()
    }

    @Test func `a name that was never found fails calls, and is asked for again`() async throws {
        let resolver = ScriptedResolver([nil, ["10.0.0.1"]])
        let lists = Lists()
        let directory = directory(resolver, lists)
        let error = await errorOf { try await directory.prepare(until: soon) }
        #expect(error?.code == RPCError.Code.connectionRefused)
        #expect(error?.isNotProcessed == true)
        #expect(error?.text == "No address is known for servers.test:7400 (not now)")
        while resolver.count < 2 {
            _ = await errorOf { try await directory.prepare(until: soon) }
            try await Task.sleep(for: .milliseconds(20))
        }
        while lists.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(lists.all == [["10.0.0.1"]])
        directory.close()
    }
}
