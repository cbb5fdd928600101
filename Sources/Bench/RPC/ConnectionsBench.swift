import Foundation
import TollgateKernel

/// Measures what connections cost that say nothing: the server's memory, and how long a call takes
/// among them.
///
/// The server is the full echo in a process of its own, new for each round. `rpc-press` opens the
/// connections, each with its credential verified by a first call, and keeps them.
package struct ConnectionsBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// How many connections there are in all; one of them calls.
    package var connections: Int

    /// What ten thousand connections may keep in memory, in MiB.
    package static let budgetMebibytes = 160.0

    /// Makes the benchmark.
    package init(_ plan: BenchPlan, connections: Int = 10_000) {
        self.plan = plan
        self.connections = connections
    }

    /// Measures.
    /// - Throws: A ``Failure`` if a program is missing, or a connection is refused.
    package func run() async throws -> BenchReport {
        var report = plan.report("connections")
        report.settings["connections"] = Double(connections)
        for round in 1...max(1, plan.rounds) {
            try Task.checkCancellation()
            plan.progress("round \(round) of \(plan.rounds): \(connections) connections")
            report.samples += try await self.round(round)
        }
        judge(&report)
        return report
    }

    private func round(_ round: Int) async throws -> [Sample] {
        let credential = UUID().uuidString
        return try await ChildProcess.running(
            plan.program,
            ["bench", "serve", "--listen", "127.0.0.1:0", "--variant", "full"],
            environment: ["TOLLGATE_BENCH_CREDENTIAL": credential]
        ) { server in
            let address = try await server.listeningAddress()
            // The first calls map what the server needs whoever is connected.
            _ = try await call(address, credential, seconds: 0.2)
            var alone = try await call(address, credential, seconds: plan.seconds)
            let before = try Self.resident(server)
            alone[Figure.resident] = before
            let press = try plan.peers.path("rpc-press")
            let idle = connections - 1
            let among = try await ChildProcess.running(
                press, ["hold", address, "\(idle)", credential]
            ) { holder in
                let opening = try await holder.rest(ofLine: "holding ")
                var figures = try await call(address, credential, seconds: plan.seconds)
                let after = try Self.resident(server)
                figures[Figure.resident] = after
                figures[Figure.bytesPerConnection] = (after - before) * 1_048_576 / Double(idle)
                figures[Figure.openedPerSecond] = Double(idle) / (Double(opening) ?? .infinity)
                return figures
            }
            return [
                Sample(series: Series("alone", callers: 1), round: round, figures: alone),
                Sample(series: Series("among idle", callers: 1), round: round, figures: among),
            ]
        }
    }

    private func call(
        _ address: String, _ credential: String, seconds: Double
    ) async throws -> [String: Double] {
        try await plan.peers.run("rpc-press", ["call", address, "1", "\(seconds)", credential])
            .figures
    }

    /// What a process keeps in memory, in MiB, by the kernel's account (proc(5), VmRSS).
    private static func resident(_ process: ChildProcess) throws -> Double {
        let text = try? String(
            contentsOfFile: "/proc/\(process.identifier)/status", encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let line, let kibibytes = Double(line.split(separator: " ").dropLast().last ?? "")
        else { throw Failure(.unavailable, "The echo server has gone.") }
        return kibibytes / 1_024
    }

    /// Fills in what is quoted, and what was to be reached: for ten thousand connections alone.
    func judge(_ report: inout BenchReport) {
        guard let resident = report.median("among idle", 1, Figure.resident) else { return }
        report.headlines["residentMebibytes"] = resident
        if let one = report.median("among idle", 1, Figure.bytesPerConnection) {
            report.headlines["bytesPerConnection"] = one
        }
        guard connections >= 10_000 else { return }
        report.budgets = [
            Budget(
                "\(connections) connections, resident memory", resident, .atMost,
                Self.budgetMebibytes, unit: "MiB")
        ]
    }
}
