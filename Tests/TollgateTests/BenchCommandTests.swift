import Bench
import Foundation
import Testing
import TollgateClient

/// The benchmarks as a person runs them, in tiny rounds: what they say is read, not how fast.
@Suite(.serialized)
struct BenchCommandTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Builds the peers that a benchmark needs and runs it; its document.
    private func bench(
        _ name: String, peers: [String], _ arguments: [String]
    ) async throws -> [String: Any] {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-bench-peers-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = Self.root.appendingPathComponent("Benchmarks/peers/build").path
        _ = try await ChildProcess(script, [folder] + peers).result()
        let text = try await ChildProcess(
            RoleProcess.program.path,
            [
                "bench", name, "--json", "--seconds", "0.05", "--rounds", "2", "--peers", folder,
                "--date", "2026-01-02",
            ] + arguments
        ).result()
        let document = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(document as? [String: Any])
    }

    private func names(_ document: [String: Any]) -> [String] {
        let medians = document["medians"] as? [[String: Any]] ?? []
        return medians.map { median in
            let series = median["series"] as? [String: Any] ?? [:]
            return "\(series["name"] ?? "") \(series["callers"] ?? "")"
        }
    }

    private func figures(_ document: [String: Any], _ figure: String) -> [Double] {
        let samples = document["samples"] as? [[String: Any]] ?? []
        return samples.compactMap { ($0["figures"] as? [String: Double])?[figure] }
    }

    @Test func `echoes are measured against servers in processes of their own`() async throws {
        let document = try await bench(
            "rpc", peers: ["raw-echo", "rpc-press"], ["--callers", "1", "8"])
        #expect(document["date"] as? String == "2026-01-02")
        let series = [
            "raw", "bare", "bare pool", "bare press", "typed", "typed press", "full", "full press",
        ]
        let closed = series.map { "\($0) 1" } + series.map { "\($0) 8" }
        #expect(
            names(document) == closed + ["full half load 8", "quiet press 8", "traced press 8"])
        let server = figures(document, "serverCPUMicroseconds")
        #expect(server.count == 38)
        #expect(server.allSatisfy { $0 > 0 })
        #expect((document["bareRoundTripsOfRaw1"] as? Double ?? 0) > 0)
        #expect(figures(document, "offeredPerSecond").allSatisfy { $0 > 1 })
    }

    @Test func `a server and jobs that write one store are measured at once`() async throws {
        let document = try await bench(
            "turnstile", peers: ["raw-echo"], ["--callers", "8", "--jobs-callers", "3"])
        #expect(Set(names(document)) == ["serve alone 8", "serve 8", "jobs 3"])
        let counts = figures(document, "count")
        #expect(counts.count == 6)
        #expect(counts.allSatisfy { $0 > 0 }, "each side held something in each round")
        #expect((document["jobsP99Milliseconds"] as? Double ?? 0) > 0)
        #expect((document["serveShareOfAlone"] as? Double ?? 0) > 0)
    }

    @Test func `each call's allocations are counted in server and client`() async throws {
        let document = try await bench(
            "rpc", peers: ["allocations", "raw-echo", "rpc-press"],
            ["--callers", "8", "--rounds", "1", "--allocations"])
        #expect(names(document).suffix(2) == ["bare counted 8", "full counted 8"])
        for side in ["server", "client"] {
            let counts = figures(document, "\(side)Allocations")
            #expect(counts.count == 2)
            // Some, and nowhere near what a leak in a loop or a counter of threads would tell.
            #expect(counts.allSatisfy { $0 > 1 && $0 < 500 })
            #expect(figures(document, "\(side)AllocatedBytes").allSatisfy { $0 > 100 })
        }
        let sites = document["allocationSites"] as? [[String: Any]] ?? []
        for series in ["bare", "full"] {
            for (side, count) in [
                ("server", figures(document, "serverAllocations")),
                ("client", figures(document, "clientAllocations")),
            ] {
                let listed = sites.filter {
                    $0["series"] as? String == series && $0["side"] as? String == side
                }
                let sum = listed.reduce(0) { $0 + ($1["perCall"] as? Double ?? 0) }
                let all = try #require(series == "bare" ? count.first : count.last)
                // The list is of a sample, and leaves out what is rare.
                #expect(abs(sum - all) < all / 4)
            }
        }
    }

    @Test func `attachments come back whole, beside TCP alone`() async throws {
        let document = try await bench(
            "attachments", peers: ["bulk-echo"], ["--callers", "1", "4", "--bytes", "300001"])
        #expect(names(document) == ["raw 1", "attachments 1", "raw 4", "attachments 4"])
        #expect(figures(document, "megabytesPerSecond").count == 8)
        #expect(figures(document, "megabytesPerSecond").allSatisfy { $0 > 0 })
        #expect(figures(document, "clientCPUMicroseconds").allSatisfy { $0 > 0 })
        #expect((document["throughputOfRaw4"] as? Double ?? 0) > 0)
    }

    @Test func `chats are held and settled by the server as it is served`() async throws {
        // Long enough for more chats than a person's tier lets begin in a minute.
        let document = try await bench(
            "chat", peers: ["chat-mock", "curl-multi", "sqlite-holds"],
            ["--callers", "4", "--seconds", "0.6"])
        #expect(names(document) == ["gateway 4", "curl 4", "disk 4"])
        #expect((document["ratioToCurl4"] as? Double ?? 0) > 0)
        // The page of the running server told of its batches.
        #expect(figures(document, "writesPerBatch").allSatisfy { $0 >= 1 })
        #expect(figures(document, "batchMilliseconds").count == 2)
    }

    @Test func `idle connections are counted in the server's memory`() async throws {
        let document = try await bench(
            "connections", peers: ["rpc-press"], ["--connections", "300"])
        #expect(names(document) == ["alone 1", "among idle 1"])
        #expect(figures(document, "residentMebibytes").count == 4)
        #expect(figures(document, "residentMebibytes").allSatisfy { $0 > 5 })
        #expect(figures(document, "openedPerSecond").allSatisfy { $0 > 1 })
        #expect(figures(document, "bytesPerConnection").allSatisfy { $0 > 0 })
        // What ten thousand may cost says nothing about three hundred.
        #expect((document["budgets"] as? [Any])?.isEmpty == true)
    }

    @Test func `streams bring all their messages, and their pauses are told`() async throws {
        let document = try await bench(
            "stream", peers: ["raw-echo"], ["--streams", "20", "--seconds", "0.3"])
        #expect(names(document) == ["streams 20", "timers 20", "cancels 1"])
        // Fifteen messages a stream, so fourteen pauses, in two rounds.
        #expect(figures(document, "count") == [280, 280, 280, 280])
        #expect(figures(document, "serverCPUMicroseconds").count == 2)
        #expect((document["gapErrorP99Microseconds"] as? Double ?? 0) > 0)
        #expect((document["cancelP99Microseconds"] as? Double ?? 0) > 0)
    }

    /// The processes that a process has started.
    private func children(of parent: Int32) -> [Int32] {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return folders.compactMap { Int32($0) }.filter { process in
            // After the name in parentheses come the state and the parent's number.
            guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
            else { return false }
            let fields = status.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && fields[1] == "\(parent)"
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a benchmark that is told to end ends the programs that it started`() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-bench-peers-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = Self.root.appendingPathComponent("Benchmarks/peers/build").path
        _ = try await ChildProcess(script, [folder, "raw-echo", "rpc-press"]).result()
        let arguments = ["bench", "rpc", "--seconds", "30", "--peers", folder]
        try await ChildProcess.running(RoleProcess.program.path, arguments) { bench in
            var started: [Int32] = []
            // The peer, and a server for each of three variants.
            while started.count < 4 {
                try await Task.sleep(for: .milliseconds(20))
                started = children(of: bench.identifier)
            }
            await bench.stop()
            #expect(started.allSatisfy { !isRunning($0) })
        }
    }

    private func isRunning(_ process: Int32) -> Bool {
        let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return status.map { !$0.contains(") Z ") } ?? false
    }

    @Test func `the echo server listens, answers, and leaves when it is told to`() async throws {
        let arguments = ["bench", "serve", "--listen", "127.0.0.1:0"]
        try await ChildProcess.running(RoleProcess.program.path, arguments) { server in
            let address = try await server.listeningAddress()
            try await withTollgateClient(.init(address: address)) { client in
                let answer = try await EchoServiceClient(client).echo(.init(message: "hello"))
                #expect(answer.message == "hello")
            }
        }
    }
}
