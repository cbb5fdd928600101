import ArgumentParser
import Bench
import CLI
import Foundation
import Logging
import Observability

/// `tollgate bench call`: what `bench rpc --allocations` starts to count a client.
struct BenchCall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Calls an echo server so many times by the product's client.",
        shouldDisplay: false)

    @Option(name: .long, help: "The server, HOST:PORT.")
    var server: String
    @Option(name: .long, help: "bare (bytes), typed (messages), or full (credential, metrics).")
    var variant = EchoVariant.typed
    @Option(name: .long, help: "How many callers share the connection.")
    var callers = 64
    @Option(name: .long, help: "How many calls they make together.")
    var calls = 100_000
    @Flag(name: .long, help: "Tells where allocations are made.")
    var sites = false

    func validate() throws {
        guard callers > 0, calls > 0 else {
            throw ValidationError("--callers and --calls take 1 or more.")
        }
    }

    func run() async throws {
        try await role {
            let environment = CommandEnvironment.current
            // Before the client is made, which looks its meters up; as in a program that has them.
            if variant == .full { _ = Facades.install(level: .warning, format: .text) }
            let calls = EchoCalls(
                address: server, variant: variant,
                credential: environment.variables["TOLLGATE_BENCH_CREDENTIAL"], callers: callers,
                calls: calls, program: BenchOptions.program, environment: environment.variables)
            let outcome = try await calls.run(findsSites: sites)
            environment.console.line(
                String(decoding: try JSONEncoder().encode(outcome), as: UTF8.self))
        }
    }
}
