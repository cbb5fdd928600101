import Application
import ArgumentParser
import Bench
import CLI
import Storage
import TollgateKernel
import UnixSignals

/// `tollgate bench load`.
struct BenchLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Chats with running servers, and writes down what each chat came to.",
        discussion: """
            Makes customers with credits in the servers' store, lifts the standard tier's limits, \
            signs them in, and has each ask one question after the other, whatever fails, until \
            the time is over or Ctrl-C. What the servers acknowledged can be looked up in the \
            books afterwards: a line of the record is outcome (acknowledged, refused, unknown), \
            request id, account, server, begin and end in milliseconds since 1970, micro-credits \
            charged, and the error's code, with tabs between them. Only in the sandbox realm.

            EXAMPLES:
              tollgate bench load --server 127.0.0.1:7400 --record chats.tsv --seconds 10
              tollgate bench load --store postgres://tollgate@db1/tollgate \\
                --server 127.0.0.1:7400 --server 127.0.0.1:7500 --record chats.tsv
            """)

    @OptionGroup var options: RoleOptions
    @Option(name: .long, help: "A server; repeated for several. Callers are dealt out to them.")
    var server: [String] = ["127.0.0.1:7400"]
    @Option(name: .long, help: "How many customers ask at once.")
    var callers = 16
    @Option(name: .long, help: "After how many seconds it ends by itself.")
    var seconds = 60.0
    @Option(name: .long, help: "The file to write; one that exists is written over.")
    var record: String

    func validate() throws {
        guard (1...Limits.benchLoadCallers).contains(callers) else {
            throw ValidationError(
                Bounds.sentence("--callers", takes: 1...Limits.benchLoadCallers))
        }
        guard seconds > 0, seconds <= Limits.benchLoadSeconds else {
            throw ValidationError(
                Bounds.sentence("--seconds", takesAtMost: Limits.benchLoadSeconds))
        }
    }

    func run() async throws {
        try await role {
            let settings = try await options.settings([:], folder: .filled)
            let backend = try await Backend.open(settings, role: .jobs)
            let customers: [SignedInCustomer]
            do {
                guard backend.upstreams.realm == .sandbox else {
                    throw Failure(.forbidden, "Customers are not made up in the live realm.")
                }
                customers = try await SignedInCustomer.make(callers, in: backend.store)
            } catch {
                await backend.close()
                throw error
            }
            await backend.close()
            let load = ChatLoad(
                servers: server, credential: try settings.folder.credential(.cli),
                customers: customers, seconds: seconds)
            let file = try RecordFile(record)
            let totals = try await Self.untilSignal { stop in
                try await load.run(until: stop) { try await file.keep($0) }
            }
            CommandEnvironment.current.console.line(
                "acknowledged \(totals.acknowledged), refused \(totals.refused), "
                    + "unknown \(totals.unknown)")
        }
    }

    /// Runs a load to its end; a signal asks it for that end.
    private static func untilSignal(
        _ body: @escaping @Sendable (ChatLoad.Stop) async throws -> ChatLoad.Totals
    ) async throws -> ChatLoad.Totals {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        let stop = ChatLoad.Stop()
        return try await withThrowingTaskGroup(of: ChatLoad.Totals?.self) { group in
            group.addTask { try await body(stop) }
            group.addTask {
                for await _ in signals { stop.ask() }
                return nil
            }
            var totals = ChatLoad.Totals()
            while let next = try await group.next() {
                guard let next else { continue }
                totals = next
                group.cancelAll()
            }
            return totals
        }
    }
}
