extension StoreBench {
    /// Fills in what is quoted, and what was to be reached.
    static func judge(_ report: inout BenchReport) {
        let sync =
            report.median("raw", 64, Figure.commit)
            ?? report.medians.last { $0.series.name == "raw" }?.figures[Figure.commit]
        report.headlines["fsyncMilliseconds"] = sync
        let levels = report.medians.filter { $0.series.name == "store" }.map(\.series.callers)
        for callers in levels {
            judge(&report, callers: callers, sync: sync)
            let onPostgres = ratio(report, ("postgres", callers), ("pgbench", callers))
            report.headlines["postgresRatioToPgbench\(callers)"] = onPostgres
        }
    }

    /// Judges our holds beside their three limits.
    ///
    /// Budgets are for many callers; batches that share a sync are worth most where it costs
    /// something, so it is told with them.
    private static func judge(_ report: inout BenchReport, callers: Int, sync: Double?) {
        let beside: [(name: String, of: String, peer: (String, Int), least: Double)] = [
            ("Raw", "raw SQLite in the same batches", ("raw", callers), 0.5),
            ("Single", "single commits", ("raw", 1), 10),
            ("Pgbench", "pgbench", ("pgbench", callers), 20),
        ]
        for (name, of, peer, least) in beside {
            guard let ratio = ratio(report, ("store", callers), peer) else { continue }
            report.headlines["ratioTo\(name)\(callers)"] = ratio
            // Single commits are a limit only where each pays for a sync of its own.
            let isLimit = name != "Single" || (sync ?? 0) >= 1
            guard callers >= 64, isLimit else { continue }
            let cost = name == "Raw" ? nil : sync.map(told)
            report.budgets.append(
                Budget(
                    "\(callers) callers, of \(of)\(cost ?? "")", ratio, .atLeast, least, unit: "×"))
        }
    }

    /// The rate of one series over that of another; nil unless both were measured.
    private static func ratio(
        _ report: BenchReport, _ ours: (String, Int), _ peer: (String, Int)
    ) -> Double? {
        guard let our = report.median(ours.0, ours.1, Figure.perSecond),
            let other = report.median(peer.0, peer.1, Figure.perSecond), other > 0
        else { return nil }
        return our / other
    }

    /// What a sync cost, to hundredths of a millisecond.
    private static func told(_ milliseconds: Double) -> String {
        " (a sync takes \((milliseconds * 100).rounded() / 100) ms)"
    }
}
