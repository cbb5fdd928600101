import Foundation
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@testable import Bench

/// The peers as their script builds them, once for all tests.
enum BuiltPeers {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let result: Result<Peers, any Error> = Result {
        // Beside the other builds, and kept like them: the next run finds them built.
        let folder = root.appendingPathComponent(".build/test-peers").path
        let process = Process()
        process.executableURL = root.appendingPathComponent("Benchmarks/peers/build")
        process.arguments = [folder]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(.internalError, "The peers do not build.")
        }
        return Peers(folder: folder)
    }
}

@Suite(.serialized)
struct PeerTests {
    private func plan() throws -> BenchPlan {
        BenchPlan(
            seconds: 0.05, rounds: 2, folder: FileManager.default.temporaryDirectory.path,
            peers: try BuiltPeers.result.get(), program: "/bin/false", date: "2026-01-02",
            version: "0")
    }

    @Test func `the raw echo brings back every frame, one at a time and pipelined`() async throws {
        let peers = try BuiltPeers.result.get()
        try await ChildProcess.running(try peers.path("raw-echo"), ["serve"]) { server in
            let address = try await server.listeningAddress()
            for callers in ["1", "64"] {
                let outcome = try await peers.run(
                    "raw-echo", ["call", address, "160", callers, "0.5"])
                #expect(outcome.count > 64)
                #expect(outcome.p50Microseconds > 0)
                #expect(outcome.p99Microseconds >= outcome.p50Microseconds)
            }
        }
    }

    @Test(arguments: ["1000003", "1"])
    func `large messages come back, whole ones and bytes as they come`(
        _ unit: String
    ) async throws {
        let peers = try BuiltPeers.result.get()
        try await ChildProcess.running(try peers.path("bulk-echo"), ["serve", unit]) { server in
            let address = try await server.listeningAddress()
            for callers in ["1", "4", "16"] {
                let outcome = try await peers.run(
                    "bulk-echo", ["call", address, "1000003", callers, "0.2"])
                #expect(outcome.count >= Double(callers) ?? .infinity)
                #expect(outcome.p50Microseconds > 0)
            }
        }
    }

    @Test func `the press calls our server, with a credential and without`() async throws {
        let peers = try BuiltPeers.result.get()
        for (variant, credential) in [(EchoVariant.bare, ""), (.full, "a secret of the bench")] {
            let server = try EchoHost(variant: variant, credential: credential).server()
            async let running: Void = server.run()
            let address = try #require(try await server.address)
            for callers in ["1", "64"] {
                let outcome = try await peers.run(
                    "rpc-press",
                    ["call", "\(address)", callers, "0.5"]
                        + (credential.isEmpty ? [] : [credential]))
                #expect(outcome.count > 64)
                #expect(outcome.p50Microseconds > 0)
            }
            server.drain()
            try await running
        }
    }

    @Test func `calls of an open loop wait from when they fell due`() async throws {
        let peers = try BuiltPeers.result.get()
        let server = try EchoHost(variant: .bare).server()
        async let running: Void = server.run()
        let address = try #require(try await server.address)
        let calm = try await peers.run("rpc-press", ["pace", "\(address)", "16", "0.5", "200"])
        // The arrivals are the same in each run: their mean over 100 calls is near the rate.
        #expect(calm.count > 60)
        #expect(calm.count < 140)
        // More than anybody answers, by one caller: the queue is as long as the run.
        let crowd = try await peers.run(
            "rpc-press", ["pace", "\(address)", "1", "0.005", "200000"])
        #expect(crowd.count > 500)
        let waited = (crowd.seconds - 0.005) * 1e6
        #expect(crowd.p99Microseconds > waited / 2)
        server.drain()
        try await running
    }

    @Test func `the press does not count refusals as calls`() async throws {
        let peers = try BuiltPeers.result.get()
        let server = try EchoHost(variant: .full, credential: "a secret of the bench").server()
        async let running: Void = server.run()
        let address = try #require(try await server.address)
        await #expect(throws: (any Error).self) {
            _ = try await peers.run("rpc-press", ["call", "\(address)", "1", "0.05"])
        }
        server.drain()
        try await running
    }

    @Test(arguments: ForeignEcho.names)
    func `the echoes of other systems are measured where they are installed`(
        _ name: String
    ) async throws {
        let said = Mutex<[String]>([])
        var plan = try self.plan()
        plan.progress = { word in said.withLock { $0.append(word) } }
        let isThere = plan.peers.has("\(name)-echo")
        if !isThere { print("SKIPPED: the echo of \(name) is not installed") }
        let measured = plan
        try await ForeignEcho.running(measured, [name]) { others in
            #expect(others.map(\.name) == (isThere ? [name] : []))
            for other in others {
                for callers in [1, 16] {
                    let figures = try await other.step(measured, callers: callers).measure(0.2)
                    #expect(figures[Figure.count] ?? 0 > 16)
                    #expect(figures[Figure.serverCPU] ?? 0 > 0)
                }
            }
        }
        #expect(said.withLock { $0.contains { $0.hasPrefix("SKIPPED") } } == !isThere)
    }

    @Test func `libcurl reads whole answers from the mock provider`() async throws {
        let peers = try BuiltPeers.result.get()
        try await ChildProcess.running(try peers.path("chat-mock"), []) { provider in
            let address = try await provider.listeningAddress()
            let outcome = try await peers.run("curl-multi", ["http://\(address)/v1", "4", "0.1"])
            #expect(outcome.count >= 4)
            #expect(!outcome.version.isEmpty)
        }
    }

    @Test func `a peer that is not built is named with how to build it`() async {
        let failure = await #expect(throws: Failure.self) {
            _ = try await Peers(folder: "/nowhere").run("raw-echo", [])
        }
        #expect(failure?.message.contains("Benchmarks/peers/build /nowhere") == true)
    }

    @Test func `holds through the store stand beside the replay of their own statements`()
        async throws
    {
        let report = try await StoreBench(try plan(), callers: [1, 8], holds: 64).run()
        let hasPostgres = BenchPostgres.programs() != nil
        if !hasPostgres { print(BenchPostgres.skipped) }
        let names = ["store", "raw"] + (hasPostgres ? ["postgres", "pgbench"] : [])
        #expect(report.samples.count == 2 * 2 * names.count)
        #expect(Set(report.samples.map(\.series.name)) == Set(names))
        for sample in report.samples {
            #expect(sample.figures[Figure.count] ?? 0 >= 1)
            #expect(sample.figures[Figure.perSecond] ?? 0 > 0)
        }
        #expect(report.headlines["ratioToRaw8"] ?? 0 > 0)
        #expect(report.headlines["fsyncMilliseconds"] ?? 0 > 0)
        #expect(report.versions["sqlite"]?.isEmpty == false)
        #expect((report.headlines["ratioToPgbench8"] ?? 0 > 0) == hasPostgres)
        #expect((report.headlines["postgresRatioToPgbench8"] ?? 0 > 0) == hasPostgres)
        #expect(report.skipped == (hasPostgres ? [] : [BenchPostgres.skipped]))
    }

    @Test func `what is replayed is what the repositories run: the hold's own statements`()
        async throws
    {
        let statements = try await StoreBench(try plan()).statements().map(\.text)
        #expect(statements.contains { $0.hasPrefix("INSERT INTO holds") })
        #expect(statements.contains { $0.hasPrefix("INSERT INTO hold_lots") })
        #expect(statements.contains { $0.hasPrefix("UPDATE lots") })
        #expect(statements.contains { $0.hasPrefix("UPDATE customer_ledgers") })
        #expect(!statements.contains { $0.hasPrefix("SAVEPOINT") || $0.hasPrefix("COMMIT") })
    }

    @Test func `the replay leaves the same rows behind as the store that was recorded`()
        async throws
    {
        let plan = try plan()
        try await plan.withFolder { folder in
            let peer = try await HoldsPeer.make(
                in: folder, accounts: 5, holds: 32, peers: plan.peers)
            #expect(peer.recording.holds.count == 32)
            let durability = peer.recording.settings.last { $0.contains("synchronous") }
            #expect(durability?.hasPrefix("PRAGMA synchronous = FULL") == true)
            // The program counts the rows of holds itself and fails if one is missing.
            let outcome = try await peer.run(batch: 8, seconds: 30)
            #expect(outcome.count == 32)
        }
    }
}
