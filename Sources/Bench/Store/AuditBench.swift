import Accounts
import Application
import Auth
import Foundation
import GRDBSQLite
import Operations
import TollgateKernel

/// Measures the audit of a long history and the opening of its store, beside one ordered pass over
/// the same transfers in plain C that hashes what it reads.
package struct AuditBench: Sendable {
    /// What is measured, and how often.
    package var plan: BenchPlan
    /// How many transfers the history has.
    package var transfers: Int
    /// How many customers they belong to.
    package var accounts: Int
    /// The folder of a store that is kept: it is made there if there is none; nil makes one for
    /// this run.
    package var keptFolder: String?

    /// What the issue of the store asks for.
    package static let budgetSeconds = 60.0
    private static let openingBudgetMilliseconds = 1_000.0

    /// Makes the benchmark.
    package init(
        _ plan: BenchPlan, transfers: Int, accounts: Int? = nil, keptFolder: String? = nil
    ) {
        self.keptFolder = keptFolder
        self.plan = plan
        self.transfers = transfers
        self.accounts = accounts ?? max(1, transfers / 1_000)
    }

    /// Measures.
    /// - Throws: A ``Failure`` if the peer is missing, or if the audit finds anything: the history
    ///   is the ledger's own.
    package func run() async throws -> BenchReport {
        guard let keptFolder else { return try await plan.withFolder(measured) }
        return try await measured(keptFolder)
    }

    private func measured(_ folder: String) async throws -> BenchReport {
        let began = ContinuousClock.now
        let isThere = FileManager.default.fileExists(atPath: "\(folder)/store.sqlite")
        if !isThere { try await make(folder) }
        let making = Self.seconds(since: began)
        let steps = [
            BenchPlan.Step(series: Series("audit", callers: 1)) { _ in
                try await audited(folder)
            },
            BenchPlan.Step(series: Series("plain", callers: 1)) { _ in
                try await plan.peers.run("sqlite-audit", ["\(folder)/store.sqlite"]).figures
            },
        ]
        var report = plan.report("audit")
        report.samples = try await plan.samples(steps, warmUp: false)
        report.versions["sqlite"] = String(cString: sqlite3_libversion())
        report.settings["transfers"] = Double(transfers)
        report.settings["accounts"] = Double(accounts)
        if !isThere { report.settings["secondsOfMaking"] = making }
        Self.judge(&report)
        return report
    }

    private func make(_ folder: String) async throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try await LargeLedger.make(
            folder: folder, LargeLedger.Size(transfers: transfers, accounts: accounts)
        ) { [plan] done in
            plan.progress("making a history: \(done) transfers")
        }
    }

    /// Opens the store as `tollgate serve` does, and audits it as `tollgate admin audit` asks.
    private func audited(_ folder: String) async throws -> [String: Double] {
        let began = ContinuousClock.now
        return try await SeededStore.withStore(folder) { store in
            let opened = Self.seconds(since: began)
            guard let key = IdentityKey(SystemRandom().bytes(Limits.identityKeyBytes)) else {
                throw Failure(.internalError, "No identity key could be made.")
            }
            let ports = Ports(
                store: store, clock: SystemClock(), random: SystemRandom(),
                identifiers: TimeSortedIdentifiers(), identityKey: key, policy: ServicePolicy())
            let before = Clocks.ownProcessorNanoseconds()
            let start = ContinuousClock.now
            let findings = try await OperatorQueries(ports).audit()
            let seconds = Self.seconds(since: start)
            let used = Clocks.ownProcessorNanoseconds() - before
            let seen = findings.first { $0.check == "C1" }?.rows ?? 0
            guard seen == Int64(transfers) else {
                throw Failure(
                    .conflict, "The store has \(seen) transfers, not \(transfers); name another.")
            }
            guard findings.allSatisfy({ $0.violationCount == 0 }) else {
                let told = findings.flatMap(\.violations).prefix(3).joined(separator: "; ")
                throw Failure(.internalError, "The audit of a true history found: \(told).")
            }
            let rows = Double(transfers)
            return [
                Figure.count: rows, Figure.seconds: seconds, Figure.perSecond: rows / seconds,
                Figure.opening: opened * 1_000,
                Figure.clientCPU: Double(used) / 1_000 / rows,
            ]
        }
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let parts = (ContinuousClock.now - start).components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }

    /// Fills in what is quoted, and what was to be reached.
    static func judge(_ report: inout BenchReport) {
        guard let seconds = report.median("audit", 1, Figure.seconds),
            let transfers = report.settings["transfers"], transfers > 0
        else { return }
        let ofTenMillion = seconds * 10_000_000 / transfers
        report.headlines["secondsOfTenMillion"] = ofTenMillion
        report.budgets.append(
            Budget(
                "audit of 10,000,000 transfers, by the time of \(Int(transfers))", ofTenMillion,
                .atMost, budgetSeconds, unit: "s"))
        if let plain = report.median("plain", 1, Figure.seconds), plain > 0 {
            report.headlines["timesOfPlainPass"] = seconds / plain
        }
        if let opening = report.median("audit", 1, Figure.opening) {
            report.budgets.append(
                Budget(
                    "opening its store", opening, .atMost, openingBudgetMilliseconds, unit: "ms"))
        }
    }
}
