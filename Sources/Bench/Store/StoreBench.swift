import Foundation
import GRDBSQLite
import TollgateKernel

/// Measures durable holds through the store's port, on SQLite and on PostgreSQL; beside the first
/// the same statements in plain C, batched alike and one commit for each; beside both pgbench.
package struct StoreBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// At how many callers.
    package var callers: [Int]
    /// The most holds of a round; so many are recorded for the peer.
    package var holds: Int

    /// Makes the benchmark.
    package init(
        _ plan: BenchPlan, callers: [Int] = [1, 16, 64, 256], holds: Int = Limits.benchHolds
    ) {
        self.plan = plan
        self.callers = callers
        self.holds = holds
    }

    /// Measures.
    /// - Throws: A ``Failure`` if a peer is missing or the holds cannot be replayed.
    package func run() async throws -> BenchReport {
        try await plan.withFolder { folder in
            plan.progress("making a store and recording its holds")
            let peer = try await HoldsPeer.make(
                in: folder, accounts: min(holds, Limits.benchAccounts), holds: holds,
                peers: plan.peers)
            return try await BenchPostgres.running(
                plan, clients: callers.max() ?? 1
            ) { server in
                try await measure(peer, server)
            }
        }
    }

    private func measure(
        _ peer: HoldsPeer, _ server: BenchPostgres?
    ) async throws -> BenchReport {
        var report = plan.report("store")
        var onPostgres: (holds: HoldsOnPostgres, pgbench: Pgbench)?
        if let server {
            plan.progress("filling PostgreSQL with pgbench's bank and our customers")
            let pgbench = try await Pgbench.make(server, clients: callers.max() ?? 1)
            onPostgres = (try await HoldsOnPostgres.make(server, peer.seeded), pgbench)
            report.versions["postgresql"] = server.version
            report.settings["pgbenchScale"] = Double(pgbench.scale)
        } else {
            report.skipped.append(BenchPostgres.skipped)
        }
        var steps: [BenchPlan.Step] = []
        for callers in callers {
            steps.append(ours(peer.seeded, callers: callers))
            steps.append(peer.step("raw", batch: callers))
            if let onPostgres {
                steps.append(onPostgres.holds.step(plan, callers: callers, most: holds))
                steps.append(onPostgres.pgbench.step(plan, callers: callers))
            }
        }
        report.samples = try await plan.samples(steps, warmUp: false)
        report.versions["sqlite"] = String(cString: sqlite3_libversion())
        report.settings["statementsOfOneHold"] = Double(peer.recording.textsOfOneHold.count)
        Self.judge(&report)
        return report
    }

    /// The statements of one hold as the store runs them, with their parameters.
    package func statements() async throws -> [(text: String, parameters: String)] {
        try await plan.withFolder { folder in
            let seeded = try await HoldsPeer.seed(in: folder, accounts: 1)
            let recording = try await HoldsPeer.record(seeded, holds: 1, callers: 1)
            return (recording.holds.last ?? []).map { step in
                (
                    recording.texts[step.text],
                    step.parameters.map(\.description).joined(separator: ", ")
                )
            }
        }
    }

    private func ours(_ seeded: SeededStore, callers: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("store", callers: callers)) { seconds in
            try await seeded.withCopy { folder in
                try await SeededStore.withStore(folder) { store in
                    let before = Clocks.ownProcessorNanoseconds()
                    let outcome = try await seeded.hold(
                        in: store, callers: callers, seconds: seconds, most: holds)
                    let used = Clocks.ownProcessorNanoseconds() - before
                    var figures = outcome.figures
                    figures[Figure.clientCPU] = Double(used) / 1_000 / Double(outcome.count)
                    return figures
                }
            }
        }
    }
}

extension BoundValue: CustomStringConvertible {
    var description: String {
        switch self {
        case .null: "NULL"
        case .integer(let value): String(value)
        case .text(let bytes): "'\(String(decoding: bytes, as: UTF8.self))'"
        case .bytes(let bytes): "\(bytes.count) bytes"
        }
    }
}
