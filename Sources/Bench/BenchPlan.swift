import Foundation
import TollgateKernel

/// What every benchmark is told alike.
package struct BenchPlan: Sendable {
    /// How long each series is measured in each round.
    package var seconds: Double
    /// How many rounds; medians are taken over them.
    package var rounds: Int
    /// Where stores are made; removed afterwards.
    package var folder: String
    /// The built peers.
    package var peers: Peers
    /// The `tollgate` program that servers are started from.
    package var program: String
    /// When it runs, for the report.
    package var date: String
    /// A word for the report.
    package var note: String
    /// Our version, for the report.
    package var version: String
    /// Told what is measured now.
    package var progress: @Sendable (String) -> Void

    /// Makes a plan.
    package init(
        seconds: Double, rounds: Int, folder: String, peers: Peers, program: String, date: String,
        note: String = "", version: String,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.seconds = seconds
        self.rounds = rounds
        self.folder = folder
        self.peers = peers
        self.program = program
        self.date = date
        self.note = note
        self.version = version
        self.progress = progress
    }

    /// One thing to measure in each round.
    struct Step: Sendable {
        var series: Series
        var measure: @Sendable (_ seconds: Double) async throws -> [String: Double]
    }

    /// Warms every step up, then measures all of them in each round: in order, the next round
    /// backwards, so that what drifts meets everyone alike.
    func samples(_ steps: [Step], warmUp: Bool = true) async throws -> [Sample] {
        if warmUp {
            for step in steps {
                progress("warming up: \(step.series.name), \(step.series.callers) callers")
                _ = try await step.measure(min(seconds, Limits.benchWarmUpSeconds))
            }
        }
        var samples: [Sample] = []
        for round in 1...max(1, rounds) {
            for step in round.isMultiple(of: 2) ? steps.reversed() : steps {
                try Task.checkCancellation()
                progress(
                    "round \(round) of \(rounds): \(step.series.name), "
                        + "\(step.series.callers) callers")
                samples.append(
                    Sample(
                        series: step.series, round: round,
                        figures: try await step.measure(seconds)))
            }
        }
        // Reports have the series in the steps' order, whatever order the rounds had.
        let order = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1.series, $0) })
        return samples.sorted { left, right in
            (left.round, order[left.series] ?? 0) < (right.round, order[right.series] ?? 0)
        }
    }

    /// A report of this plan with nothing measured yet.
    func report(_ bench: String) -> BenchReport {
        BenchReport(
            bench: bench, date: date, note: note, machine: .current(folder: folder),
            versions: ["tollgate": version],
            settings: ["rounds": Double(rounds), "secondsPerRound": seconds], samples: [],
            headlines: [:], budgets: [])
    }

    /// Runs `body` with a new folder below ``folder``, then removes it.
    func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let path = "\(folder)/tollgate-bench-\(UUID().uuidString)"
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(.unavailable, "The folder \(path) cannot be made: \(error).")
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }
}
