import Foundation
import TollgateKernel

/// PostgreSQL's own benchmark: its bank's transaction ("TPC-B (sort of)") in prepared statements,
/// each client on a connection of its own.
struct Pgbench: Sendable {
    let server: BenchPostgres
    /// How many branches the bank has.
    let scale: Int

    private static let database = "pgbench"

    /// Makes a bank with at least as many branches as clients.
    static func make(_ server: BenchPostgres, clients: Int) async throws -> Pgbench {
        let scale = min(max(1, clients), Limits.benchPgbenchScale)
        try await server.query("CREATE DATABASE \(database)")
        _ = try await ChildProcess(
            "\(server.programs)/pgbench",
            server.arguments + [
                "--initialize", "--init-steps=dtGvp", "--scale=\(scale)", "--quiet", database,
            ], joinsErrors: true
        ).result()
        // Else the first round would pay for writing the bank to the disk.
        try await server.query("CHECKPOINT")
        return Pgbench(server: server, scale: scale)
    }

    /// A closed loop of so many clients.
    ///
    /// It runs a second longer than it is measured: in the first one it prepares its statements.
    func step(_ plan: BenchPlan, callers: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("pgbench", callers: callers)) { seconds in
            // pgbench takes whole seconds alone.
            let time = 1 + max(1, Int(seconds.rounded(.up)))
            let threads = min(callers, ProcessInfo.processInfo.activeProcessorCount)
            let text = try await ChildProcess(
                "\(server.programs)/pgbench",
                server.arguments + [
                    "--protocol=prepared", "--client=\(callers)", "--jobs=\(threads)",
                    "--time=\(time)", "--progress=1", Self.database,
                ], joinsErrors: true
            ).result()
            guard let figures = PgbenchOutput(text)?.figures(clients: callers) else {
                throw Failure(.internalError, "pgbench told no figures that can be read: \(text)")
            }
            return figures
        }
    }
}

/// What a run of pgbench with `--progress=1` says.
struct PgbenchOutput: Hashable, Sendable {
    /// Transactions of the whole run that were committed.
    var transactions: Double
    /// Transactions in a second over the whole run, without the time of connecting.
    var perSecond: Double
    /// When the first progress was told, in seconds, and the rate until then.
    var firstSeconds: Double
    var firstPerSecond: Double

    /// Reads standard output and standard error together; nil if something is missing.
    init?(_ text: String) {
        var transactions: Double?
        var perSecond: Double?
        var first: (seconds: Double, perSecond: Double)?
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            if line.hasPrefix("number of transactions actually processed: ") {
                // With --transactions it would be NUMBER/WANTED.
                transactions = words.last.flatMap { Double($0) }
            } else if line.hasPrefix("tps = "), line.contains("without initial connection time") {
                perSecond = words.count > 2 ? Double(words[2]) : nil
            } else if first == nil, words.count > 4, words[0] == "progress:", words[2] == "s,",
                words[4] == "tps,", let seconds = Double(words[1]), let rate = Double(words[3])
            {
                first = (seconds, rate)
            }
        }
        guard let transactions, let perSecond, let first else { return nil }
        self.transactions = transactions
        self.perSecond = perSecond
        firstSeconds = first.seconds
        firstPerSecond = first.perSecond
    }

    /// The figures of what came after the first progress; nil if nothing did.
    ///
    /// pgbench tells no percentiles. The mean follows from the rate: in a closed loop every client
    /// always waits for one transaction.
    func figures(clients: Int) -> [String: Double]? {
        guard perSecond > 0 else { return nil }
        let count = transactions - (firstPerSecond * firstSeconds).rounded()
        let seconds = transactions / perSecond - firstSeconds
        guard count > 0, seconds > 0 else { return nil }
        return [
            Figure.count: count, Figure.seconds: seconds, Figure.perSecond: count / seconds,
            Figure.mean: Double(clients) * seconds / count * 1e6,
        ]
    }
}
