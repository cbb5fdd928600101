import Foundation
import GRDBSQLite
import TollgateKernel

/// Measures durable holds through the store's port, beside the same statements in plain C on
/// SQLite: batched alike, and one commit for each.
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
            var steps: [BenchPlan.Step] = []
            for callers in callers {
                steps.append(ours(peer.seeded, callers: callers))
                steps.append(peer.step("raw", batch: callers))
            }
            var report = plan.report("store")
            report.samples = try await plan.samples(steps, warmUp: false)
            report.versions["sqlite"] = String(cString: sqlite3_libversion())
            report.settings["statementsOfOneHold"] = Double(
                peer.recording.textsOfOneHold.count)
            Self.judge(&report)
            return report
        }
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

    /// Fills in what is quoted, and what was to be reached.
    static func judge(_ report: inout BenchReport) {
        let levels = report.medians.filter { $0.series.name == "store" }.map(\.series.callers)
        let singles = report.median("raw", 1, Figure.perSecond)
        let fsync =
            report.median("raw", 64, Figure.commit)
            ?? report.medians.last { $0.series.name == "raw" }?.figures[Figure.commit]
        report.headlines["fsyncMilliseconds"] = fsync
        for callers in levels {
            guard let ours = report.median("store", callers, Figure.perSecond) else { continue }
            if let raw = report.median("raw", callers, Figure.perSecond), raw > 0 {
                report.headlines["ratioToRaw\(callers)"] = ours / raw
                if callers >= 64 {
                    report.budgets.append(
                        Budget(
                            "\(callers) callers, of raw SQLite in the same batches", ours / raw,
                            .atLeast, 0.5, unit: "×"))
                }
            }
            if let singles, singles > 0 {
                report.headlines["ratioToSingleCommits\(callers)"] = ours / singles
                if callers >= 64, let fsync, fsync >= 1 {
                    report.budgets.append(
                        Budget(
                            "\(callers) callers, of single commits", ours / singles, .atLeast, 10,
                            unit: "×"))
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
