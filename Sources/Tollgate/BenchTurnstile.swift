import ArgumentParser
import Bench
import CLI
import Foundation
import TollgateKernel

/// `tollgate bench turnstile`.
struct BenchTurnstile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "turnstile",
        abstract: "Makes durable holds in a server and in jobs beside it, on one SQLite store.",
        discussion: """
            Two processes that write one store take turns, a batch each. Told is what a saturated \
            server and busy jobs get of it, and how long their holds take, beside the same server \
            alone.

            EXAMPLES:
              tollgate bench turnstile
              tollgate bench turnstile --callers 256 --jobs-callers 64 --json
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, help: "How many callers hold at once in the server.")
    var callers = 64
    @Option(name: .long, help: "How many callers hold at once in the jobs' process.")
    var jobsCallers = 16

    func validate() throws {
        let range = 1...Limits.benchLoadCallers
        for (option, count) in [("--callers", callers), ("--jobs-callers", jobsCallers)] {
            guard range.contains(count) else {
                throw ValidationError(Bounds.sentence(option, takes: range))
            }
        }
    }

    func run() async throws {
        try await options.perform { [callers, jobsCallers] in
            try await TurnstileBench($0, serverCallers: callers, jobCallers: jobsCallers).run()
        }
    }
}

/// `tollgate bench neighbour`: the jobs' process that `bench turnstile` starts.
struct BenchNeighbour: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neighbour",
        abstract: "Makes holds on a store that a benchmark's server writes too.",
        shouldDisplay: false)

    @Option(name: .long, help: "The folder that names the customers.")
    var seeded: String
    @Option(name: .long, help: "The folder of the store.")
    var store: String
    @Option(name: .long, help: "How many callers hold at once.")
    var callers: Int
    @Option(name: .long, help: "For how many seconds.")
    var seconds: Double

    func run() async throws {
        try await role {
            let console = CommandEnvironment.current.console
            let neighbour = TurnstileNeighbour(
                seeded: seeded, store: store, callers: callers, seconds: seconds)
            let outcome = try await neighbour.run { console.line("\(TurnstileNeighbour.ready)now") }
            console.line(String(decoding: try JSONEncoder().encode(outcome), as: UTF8.self))
        }
    }
}
