import ArgumentParser
import Bench
import TollgateKernel

/// `tollgate bench audit`.
struct BenchAudit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Audits a long history and opens its store, beside one plain pass in C.",
        discussion: """
            The history is made first, by the ledger itself: a million transfers take about a
            minute and a gigabyte. Then each round opens the store as `tollgate serve` does and
            audits it as `tollgate admin audit` asks it to. The peer reads the same transfers in
            their order and hashes them, nothing else.

            EXAMPLES:
              tollgate bench audit
              tollgate bench audit --transfers 10000000 --rounds 1 --json
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, help: "How many transfers the history has.")
    var transfers = 1_000_000

    func validate() throws {
        guard (1_000...Limits.benchTransfers).contains(transfers) else {
            throw ValidationError("There are 1,000 to \(Limits.benchTransfers) transfers.")
        }
    }

    func run() async throws {
        try await options.perform { [transfers] in
            try await AuditBench($0, transfers: transfers).run()
        }
    }
}
