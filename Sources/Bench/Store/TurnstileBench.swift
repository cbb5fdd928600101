import Foundation
import GRDBSQLite
import Storage
import Synchronization
import TollgateKernel

/// Measures what two processes that write one SQLite store get of it: a saturated server with
/// jobs that are busy beside it, and the server alone.
///
/// Both make durable holds through the store's port. They take turns at the store's turnstile:
/// what each waits for the other shows in its rate and its percentiles.
package struct TurnstileBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// How many callers hold at once in the server's process.
    package var serverCallers: Int
    /// How many in the jobs' process.
    package var jobCallers: Int

    /// The names of the series.
    enum Name {
        static let alone = "serve alone"
        static let serve = "serve"
        static let jobs = "jobs"
    }

    /// Makes the benchmark.
    package init(_ plan: BenchPlan, serverCallers: Int = 64, jobCallers: Int = 16) {
        self.plan = plan
        self.serverCallers = serverCallers
        self.jobCallers = jobCallers
    }

    /// Measures.
    /// - Throws: A ``Failure`` if a hold fails on either side, or the jobs tell no figures.
    package func run() async throws -> BenchReport {
        try await plan.withFolder { folder in
            plan.progress("making a store")
            let seeded = try await HoldsPeer.seed(in: folder, accounts: Limits.benchAccounts)
            try seeded.writeAccounts()
            let beside = Mutex<[[String: Double]]>([])
            let steps = [
                BenchPlan.Step(series: Series(Name.alone, callers: serverCallers)) { seconds in
                    try await measure(seeded, seconds, besideJobs: false).serve
                },
                BenchPlan.Step(series: Series(Name.serve, callers: serverCallers)) { seconds in
                    let both = try await measure(seeded, seconds, besideJobs: true)
                    beside.withLock { $0.append(both.jobs) }
                    return both.serve
                },
            ]
            var report = plan.report("turnstile")
            report.samples = try await plan.samples(steps, warmUp: false)
            let series = Series(Name.jobs, callers: jobCallers)
            report.samples += beside.withLock { $0 }.enumerated().map { place, figures in
                Sample(series: series, round: place + 1, figures: figures)
            }
            report.versions["sqlite"] = String(cString: sqlite3_libversion())
            Self.judge(&report, serverCallers: serverCallers, jobCallers: jobCallers)
            return report
        }
    }

    private func measure(
        _ seeded: SeededStore, _ seconds: Double, besideJobs: Bool
    ) async throws -> (serve: [String: Double], jobs: [String: Double]) {
        try await seeded.withCopy { copy in
            try await SeededStore.withStore(copy) { store in
                let hold = {
                    try await seeded.hold(
                        in: store, callers: serverCallers, seconds: seconds, most: .max
                    )
                    .figures
                }
                guard besideJobs else { return (try await hold(), [:]) }
                return try await ChildProcess.running(
                    plan.program,
                    [
                        "bench", "neighbour", "--seeded", seeded.folder, "--store", copy,
                        "--callers", "\(jobCallers)", "--seconds", "\(seconds)",
                    ]
                ) { jobs in
                    _ = try await jobs.rest(ofLine: TurnstileNeighbour.ready)
                    let serve = try await hold()
                    return (serve, try Peers.Outcome(lastLineOf: await jobs.result()).figures)
                }
            }
        }
    }

    /// Fills in what is quoted; both sides have to have come forward.
    static func judge(_ report: inout BenchReport, serverCallers: Int, jobCallers: Int) {
        let alone = report.median(Name.alone, serverCallers, Figure.perSecond) ?? 0
        let sides = [(Name.serve, serverCallers), (Name.jobs, jobCallers)]
        for (name, callers) in sides {
            if let p99 = report.median(name, callers, Figure.p99) {
                report.headlines["\(name)P99Milliseconds"] = p99 / 1_000
            }
            guard alone > 0, let rate = report.median(name, callers, Figure.perSecond) else {
                continue
            }
            report.headlines["\(name)ShareOfAlone"] = rate / alone
            // Batches alternate, so each caller of either side should get its share of the syncs.
            // A twentieth of what the server does alone is far from it, and far from nothing.
            report.budgets.append(
                Budget(
                    "\(name): holds/s beside the other, of the server alone", rate / alone,
                    .atLeast, 0.05, unit: "×"))
        }
    }
}

/// The jobs' side of ``TurnstileBench``, in a process of its own.
package struct TurnstileNeighbour: Sendable {
    /// The folder of the store that nobody works on: it names the customers.
    package var seeded: String
    /// The folder of the copy that both work on.
    package var store: String
    /// How many callers hold at once.
    package var callers: Int
    /// How long.
    package var seconds: Double

    /// How the line begins that it writes when the store is open.
    package static let ready = "ready "

    /// Describes it.
    package init(seeded: String, store: String, callers: Int, seconds: Double) {
        self.seeded = seeded
        self.store = store
        self.callers = callers
        self.seconds = seconds
    }

    /// Opens the store as jobs do and makes holds until the time is over.
    ///
    /// - Parameter isReady: told when the store is open.
    /// - Returns: what it came to, as peers tell it.
    /// - Throws: what a hold throws.
    package func run(isReady: @Sendable () -> Void) async throws -> Peers.Outcome {
        let customers = try SeededStore.readingAccounts(of: seeded)
        return try await SeededStore.withStore(store, role: .jobs) { store in
            isReady()
            let before = Clocks.ownProcessorNanoseconds()
            let outcome = try await customers.hold(
                in: store, callers: callers, seconds: seconds, most: .max, named: "neighbour")
            let used = Clocks.ownProcessorNanoseconds() - before
            let figures = outcome.figures
            return Peers.Outcome(
                count: Double(outcome.count), seconds: figures[Figure.seconds] ?? 0,
                cpuSeconds: Double(used) / 1e9, p50Microseconds: figures[Figure.p50] ?? 0,
                p99Microseconds: figures[Figure.p99] ?? 0, commitMicroseconds: 0,
                version: String(cString: sqlite3_libversion()))
        }
    }
}
