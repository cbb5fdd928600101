import Foundation
import Glibc
import Synchronization
import Testing
import TollgateKernel

@testable import Bench

/// What pgbench says is read as it is meant, and its server is gone with the benchmark.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct PgbenchTests {
    /// As PostgreSQL 15 writes it, standard error and standard output together.
    private static let output = """
        pgbench (15.14 (Debian 15.14-0+deb12u1))
        starting vacuum...end.
        progress: 1.0 s, 900.0 tps, lat 27.161 ms stddev 20.541, 0 failed
        progress: 2.0 s, 1500.0 tps, lat 26.900 ms stddev 19.103, 0 failed
        transaction type: <builtin: TPC-B (sort of)>
        scaling factor: 64
        query mode: prepared
        number of clients: 64
        number of threads: 2
        maximum number of tries: 1
        duration: 3 s
        number of transactions actually processed: 3900
        number of failed transactions: 0 (0.000%)
        latency average = 49.231 ms
        latency stddev = 19.801 ms
        initial connection time = 81.437 ms
        tps = 1300.000000 (without initial connection time)
        """

    @Test func `the rate is that after the first second, in which statements are prepared`()
        throws
    {
        let output = try #require(PgbenchOutput(Self.output))
        #expect(output.transactions == 3_900)
        #expect(output.perSecond == 1_300)
        #expect(output.firstSeconds == 1)
        #expect(output.firstPerSecond == 900)
        let figures = try #require(output.figures(clients: 64))
        #expect(figures[Figure.count] == 3_000)
        #expect(figures[Figure.seconds] == 2)
        #expect(figures[Figure.perSecond] == 1_500)
        #expect(abs((figures[Figure.mean] ?? 0) - 42_666.667) < 0.001)
    }

    @Test(arguments: ["number of transactions actually", "tps = ", "progress: "])
    func `output without a line that is needed is not read as zero`(_ beginning: String) {
        let rest = Self.output.split(separator: "\n").filter { !$0.hasPrefix(beginning) }
        #expect(PgbenchOutput(rest.joined(separator: "\n")) == nil)
    }

    @Test func `a run that ended within its first second has no figures`() throws {
        var output = try #require(PgbenchOutput(Self.output))
        output.transactions = 900
        #expect(output.figures(clients: 1) == nil)
        output = try #require(PgbenchOutput(Self.output))
        output.perSecond = 0
        #expect(output.figures(clients: 1) == nil)
    }

    @Test func `programs are found whole or not at all, the newest version's`() throws {
        let files = FileManager.default
        let root = files.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? files.removeItem(atPath: root) }
        func install(_ version: String, _ names: [String]) throws {
            let folder = "\(root)/\(version)/bin"
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for name in names {
                let made = files.createFile(
                    atPath: "\(folder)/\(name)", contents: nil,
                    attributes: [.posixPermissions: 0o755])
                try #require(made)
            }
        }
        #expect(BenchPostgres.programs(below: root) == nil)
        try install("9", ["initdb", "pg_ctl", "pgbench", "psql"])
        try install("15", ["initdb", "pg_ctl", "pgbench"])
        #expect(BenchPostgres.programs(below: root) == nil)
        try install("15", ["psql"])
        #expect(BenchPostgres.programs(below: root) == "\(root)/15/bin")
    }

    @Test func `without PostgreSQL it is said what to install, and the rest is measured`()
        async throws
    {
        let said = Mutex<[String]>([])
        let plan = BenchPlan(
            seconds: 0.05, rounds: 1, folder: FileManager.default.temporaryDirectory.path,
            peers: Peers(folder: "/nowhere"), program: "/bin/false", date: "2026-01-02",
            version: "0", progress: { word in said.withLock { $0.append(word) } })
        let isAbsent = try await BenchPostgres.running(plan, clients: 1) { $0 == nil }
        #expect(isAbsent)
        #expect(said.withLock { $0 } == [BenchPostgres.skipped])
    }

    @Test func `a benchmark that fails or is cancelled leaves no server and no folder behind`()
        async throws
    {
        guard BenchPostgres.programs() != nil else { return print(BenchPostgres.skipped) }
        let files = FileManager.default
        let parent = files.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try files.createDirectory(atPath: parent, withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: parent) }
        let plan = BenchPlan(
            seconds: 0.05, rounds: 1, folder: parent, peers: try BuiltPeers.result.get(),
            program: "/bin/false", date: "2026-01-02", version: "0")
        let process = Mutex<Int32>(0)
        let running = Task {
            try await BenchPostgres.running(plan, clients: 1) { server in
                let server = try #require(server)
                let folder = try await server.query("SHOW data_directory")
                #expect(folder.hasPrefix(parent))
                let file = try String(contentsOfFile: "\(folder)/postmaster.pid", encoding: .utf8)
                let first = try #require(file.split(separator: "\n").first)
                process.withLock { $0 = Int32(first) ?? 0 }
                _ = try await server.query("SELECT pg_sleep(60)")
            }
        }
        while process.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(10)) }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        let number = process.withLock { $0 }
        // Gone, or ended and not yet reaped: whose child it became may take its time.
        let status = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)
        #expect(status?.contains(") Z ") ?? true, "\(status ?? "")")
        #expect(try files.contentsOfDirectory(atPath: parent).isEmpty)
    }
}
