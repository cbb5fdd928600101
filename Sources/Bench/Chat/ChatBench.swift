import Foundation
import TollgateKernel

/// Measures chats through the whole gateway, hold and settle durable, on a provider that answers at
/// once, beside libcurl alone on the same provider.
package struct ChatBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// At how many callers.
    package var callers: [Int]

    /// Makes the benchmark.
    package init(_ plan: BenchPlan, callers: [Int] = [16, 64]) {
        self.plan = plan
        self.callers = callers
    }

    /// Measures.
    /// - Throws: A ``Failure`` if a program is missing or a chat fails.
    package func run() async throws -> BenchReport {
        let mock = try plan.peers.path("chat-mock")
        _ = try plan.peers.path("curl-multi")
        return try await plan.withFolder { folder in
            plan.progress("making a store and recording its holds")
            let disk = try await HoldsPeer.make(
                in: folder, accounts: 64, holds: 4_096, peers: plan.peers)
            return try await ChildProcess.running(mock, []) { provider in
                let upstream = try await provider.listeningAddress()
                plan.progress("starting a server")
                return try await GatewayServer.running(
                    program: plan.program, folder: "\(folder)/data", upstream: upstream,
                    customers: callers.max() ?? 1
                ) { server in
                    var steps: [BenchPlan.Step] = []
                    for callers in callers {
                        steps.append(gateway(server, callers: callers))
                        steps.append(curl(upstream, callers: callers))
                        steps.append(disk.step("disk", batch: callers))
                    }
                    var report = plan.report("chat")
                    report.samples = try await plan.samples(steps)
                    report.versions["libcurl"] = try await plan.peers.run(
                        "curl-multi", [Self.url(upstream), "1", "0.01"]
                    ).version
                    Self.judge(&report)
                    return report
                }
            }
        }
    }

    private func gateway(_ server: GatewayServer, callers: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("gateway", callers: callers)) { seconds in
            let batchesBefore = try await BatchMetrics.read(address: server.address)
            let serverBefore = Clocks.processorNanoseconds(of: server.process.identifier)
            let clientBefore = Clocks.ownProcessorNanoseconds()
            let outcome = try await ClosedLoop.run(callers: callers, seconds: seconds) {
                caller, _ in
                try await server.chat(caller: caller)
            }
            let clientAfter = Clocks.ownProcessorNanoseconds()
            let serverAfter = Clocks.processorNanoseconds(of: server.process.identifier)
            guard let serverBefore, let serverAfter, outcome.count > 0 else {
                throw Failure(.unavailable, "The server has gone.")
            }
            let batchesAfter = try await BatchMetrics.read(address: server.address)
            var figures = outcome.figures
            figures.merge(batchesAfter.figures(since: batchesBefore)) { $1 }
            let count = Double(outcome.count)
            figures[Figure.serverCPU] = Double(serverAfter - serverBefore) / 1_000 / count
            figures[Figure.clientCPU] = Double(clientAfter - clientBefore) / 1_000 / count
            return figures
        }
    }

    private func curl(_ upstream: String, callers: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("curl", callers: callers)) { seconds in
            try await plan.peers.run(
                "curl-multi", [Self.url(upstream), "\(callers)", "\(seconds)"]
            ).figures
        }
    }

    private static func url(_ upstream: String) -> String {
        "http://\(upstream)/openai/a/v1/chat/completions"
    }

    /// Fills in what is quoted, and what was to be reached.
    static func judge(_ report: inout BenchReport) {
        let levels = report.medians.filter { $0.series.name == "gateway" }.map(\.series.callers)
        for callers in levels {
            if let curl = report.median("curl", callers, Figure.perSecond), curl > 0,
                let ours = report.median("gateway", callers, Figure.perSecond)
            {
                report.headlines["ratioToCurl\(callers)"] = ours / curl
            }
            report.headlines["fsyncMilliseconds\(callers)"] = report.median(
                "disk", callers, Figure.commit)
        }
        if let p50 = report.median("gateway", 16, Figure.p50),
            let fsync = report.median("disk", 16, Figure.commit)
        {
            report.budgets.append(
                Budget(
                    "16 callers, p50, 4 × fsync + 1.5 ms", p50 / 1_000, .atMost,
                    4 * fsync + 1.5, unit: "ms"))
        }
        if let rate = report.median("gateway", 64, Figure.perSecond),
            let fsync = report.median("disk", 64, Figure.commit), fsync > 0
        {
            report.budgets.append(
                Budget(
                    "64 callers, min(6,000, 0.8 × 64 ÷ (4 × fsync))", rate, .atLeast,
                    min(6_000, 0.8 * 64 / (4 * fsync / 1_000)), unit: "chats/s"))
        }
    }
}
