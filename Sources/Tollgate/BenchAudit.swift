import ArgumentParser
import Bench
import TollgateKernel

/// `tollgate bench audit`.
struct BenchAudit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Audits a long history and opens its store, beside one plain pass in C.",
        discussion: """
            The history is made first, by the ledger itself: a million transfers take about a \
            minute and a gigabyte. Then each round opens the store as `tollgate serve` does and \
            audits it as `tollgate admin audit` asks it to. The peer reads the same transfers in \
            their order and hashes them, nothing else.

            EXAMPLES:
              tollgate bench audit
              tollgate bench audit --transfers 10000000 --rounds 1 --json
              tollgate bench audit --store /tmp/long --rounds 3   keeps the store for again
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, help: "How many transfers the history has.")
    var transfers = 1_000_000
    @Option(
        name: .long,
        help: "A folder whose store is audited and kept; it is made first if there is none.")
    var store: String?

    func validate() throws {
        guard (1_000...Limits.benchTransfers).contains(transfers) else {
            throw ValidationError(
                Bounds.sentence("--transfers", takes: 1_000...Limits.benchTransfers))
        }
    }

    func run() async throws {
        try await options.perform { [transfers, store] in
            try await AuditBench($0, transfers: transfers, keptFolder: store).run()
        }
    }
}
