import Bench
import CLI
import Foundation

extension Console {
    /// Writes a benchmark's report for people: where, the medians, then what was to be reached.
    func show(_ report: BenchReport) {
        let machine = report.machine
        line(
            "\(report.bench), \(report.date): \(machine.cores) cores, \(machine.processor), "
                + "Linux \(machine.kernel), \(machine.fileSystem)")
        table(Self.medians(report), ifEmpty: "Nothing was measured.")
        line()
        table(Self.budgets(report), ifEmpty: "There is no budget for these callers.")
        if !report.allocationSites.isEmpty {
            line()
            table(Self.sites(report), ifEmpty: "")
        }
        for skipped in report.skipped { note(skipped) }
        for warning in Self.warnings(report) { note(warning) }
    }

    private static func medians(_ report: BenchReport) -> TextTable {
        // Figures that some benchmarks have and others not.
        let special = [
            (Figure.commit, "commit ms", 3), (Figure.megabytes, "MB/s", 0),
            (Figure.serverAllocations, "server allocs", 2),
            (Figure.serverAllocatedBytes, "bytes", 0),
            (Figure.clientAllocations, "client allocs", 2),
            (Figure.clientAllocatedBytes, "bytes", 0),
        ].filter { figure, _, _ in report.medians.contains { $0.figures[figure] != nil } }
        var table = TextTable(
            [
                ("series", .left), ("callers", .right), ("per second", .right),
                ("p50 µs", .right), ("p99 µs", .right), ("server µs", .right),
                ("client µs", .right),
            ] + special.map { ($0.1, .right) } + [("spread", .right)])
        for medians in report.medians {
            func cell(_ figure: String, digits: Int) -> String {
                medians.figures[figure].map { number($0, digits: digits) } ?? ""
            }
            table.add(
                [
                    medians.series.name, String(medians.series.callers),
                    cell(Figure.perSecond, digits: 0), cell(Figure.p50, digits: 1),
                    cell(Figure.p99, digits: 1), cell(Figure.serverCPU, digits: 2),
                    cell(Figure.clientCPU, digits: 2),
                ] + special.map { cell($0.0, digits: $0.2) } + [
                    medians.rateSpread.map { "\(number($0 * 100, digits: 0)) %" } ?? ""
                ])
        }
        return table
    }

    private static func budgets(_ report: BenchReport) -> TextTable {
        var table = TextTable([
            ("budget", .flexible), ("measured", .right), ("", .left), ("limit", .right),
            ("unit", .left), ("met", .left),
        ])
        for budget in report.budgets {
            let digits = budget.limit >= 100 ? 0 : 2
            table.add([
                budget.name, number(budget.measured, digits: digits),
                budget.side == .atMost ? "≤" : "≥", number(budget.limit, digits: digits),
                budget.unit, budget.isMet ? "yes" : "no",
            ])
        }
        return table
    }

    /// Where calls allocate.
    private static func sites(_ report: BenchReport) -> TextTable {
        var table = TextTable([
            ("series", .left), ("side", .left), ("a call", .right), ("bytes", .right),
            ("allocated by", .flexible),
        ])
        for site in report.allocationSites {
            table.add([
                site.series, site.side, number(site.perCall, digits: 2),
                number(site.bytesPerCall, digits: 0), site.site,
            ])
        }
        return table
    }

    private static func warnings(_ report: BenchReport) -> [String] {
        var warnings: [String] = []
        if report.machine.fileSystem == "tmpfs", report.bench != "rpc" {
            warnings.append(
                "The folder is in memory, where a sync costs nothing: choose one on a disk with "
                    + "--folder.")
        }
        if report.machine.loadBefore > Double(report.machine.cores) / 2 {
            warnings.append("The machine was busy before the run: trust ratios, not figures.")
        }
        return warnings
    }

    private static func number(_ value: Double, digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }
}
