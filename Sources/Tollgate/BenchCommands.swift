import ArgumentParser
import Bench
import CLI
import Foundation
import Logging
import Observability
import ServiceLifecycle
import TollgateKernel
import TollgateRPC
import UnixSignals

/// `tollgate bench …`: figures, each beside its limit in the same run.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures calls, holds and chats beside their limits on this machine.",
        discussion: """
            Each benchmark runs what it is compared with in the same run, round by round, and \
            reports medians and ratios. The peers are C programs: Benchmarks/peers/build builds \
            them; `make bench` does all of it.

            EXAMPLES:
              tollgate bench rpc               echoes, beside a raw epoll echo
              tollgate bench attachments       1 MiB attachments, beside TCP alone
              tollgate bench store --json      durable holds, beside plain C and pgbench
              tollgate bench turnstile         holds of a server and of jobs on one store
              tollgate bench audit             a long history's audit, beside a plain pass
              tollgate bench chat --rounds 3   chats through the gateway, beside libcurl
              tollgate bench connections       idle connections, what they keep in memory
              tollgate bench stream            a thousand streams, how steadily they flow
              tollgate bench serve --listen 127.0.0.1:8000
                                               an echo server for bRPC's own load tools
              tollgate bench load --record chats.tsv --seconds 10
                                               chats with servers that run, written down
            """,
        subcommands: [
            BenchRPC.self, BenchAttachments.self, BenchStore.self, BenchTurnstile.self,
            BenchAudit.self, BenchChat.self, BenchConnections.self, BenchStream.self,
            BenchServe.self, BenchLoad.self, BenchCall.self, BenchNeighbour.self,
        ])
}

/// What every benchmark is told alike.
struct BenchOptions: ParsableArguments {
    @Option(name: .long, help: "How long each series is measured in each round, in seconds.")
    var seconds = 1.0
    @Option(name: .long, help: "How many rounds; medians are taken over them.")
    var rounds = 5
    @Flag(name: .long, help: "Writes the report as JSON, every round's figures included.")
    var json = false
    @Flag(name: .long, help: "Ends with exit code 1 if a budget is missed.")
    var check = false
    @Option(name: .long, help: "The folder of the built peers.")
    var peers = ".build/peers"
    @Option(name: .long, help: "Where stores are made and removed (default: the temporary folder).")
    var folder: String?
    @Option(name: .long, help: "The date that the report names (default: today, UTC).")
    var date: String?
    @Option(name: .long, help: "A word that the report carries, such as why it was made.")
    var note = ""

    func validate() throws {
        guard seconds > 0, seconds <= Limits.benchRoundSeconds else {
            throw ValidationError(
                Bounds.sentence("--seconds", takesAtMost: Limits.benchRoundSeconds))
        }
        guard (1...Limits.benchRounds).contains(rounds) else {
            throw ValidationError(Bounds.sentence("--rounds", takes: 1...Limits.benchRounds))
        }
    }

    /// The plan; progress goes to standard error, a line for each step if nobody watches.
    func plan() -> BenchPlan {
        let environment = CommandEnvironment.current
        let console = environment.console
        let moment = Date(timeIntervalSince1970: Double(environment.now()) / 1_000)
        return BenchPlan(
            seconds: seconds, rounds: rounds,
            folder: folder ?? FileManager.default.temporaryDirectory.path,
            peers: Peers(folder: peers), program: Self.program,
            date: date ?? moment.formatted(.iso8601.year().month().day()), note: note,
            version: Version.text, progress: { console.progress($0) })
    }

    /// Runs a benchmark and writes what it found.
    func perform(
        _ body: @escaping @Sendable (BenchPlan) async throws -> BenchReport
    ) async throws {
        try await role {
            let console = CommandEnvironment.current.console
            defer { console.endProgress() }
            let plan = plan()
            let report = try await Self.untilSignal { try await body(plan) }
            console.endProgress()
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                console.line(String(decoding: try encoder.encode(report), as: UTF8.self))
            } else {
                console.show(report)
            }
            if check, !report.meetsBudgets { throw ExitCode(ExitStatus.failure.rawValue) }
        }
    }

    /// Runs a benchmark to its end or to a signal; with it end the programs that it started, which
    /// the signal does not reach: each is in a process group of its own.
    private static func untilSignal<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await _ in signals { return nil }
                throw CancellationError()
            }
            let first = await group.nextResult()
            group.cancelAll()
            while await group.nextResult() != nil {}
            guard let value = try first?.get() else { throw Interrupted() }
            return value
        }
    }

    /// This very program: servers are started from it.
    static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }
}

/// `tollgate bench rpc`.
struct BenchRPC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc",
        abstract: "Echoes 64 bytes over a socket, beside a raw epoll echo of equal frames.",
        discussion: """
            The server is a process of its own, so that its processor time is its own. Measured \
            are a handler over bytes (bare), the generated handler (typed), and the generated \
            handler with authentication and metrics (full); deadlines are sent and kept in all \
            three. What metrics and traces cost is told by the full server with both (traced) and \
            without either (quiet).

            With --allocations, each call's allocations are counted as well, in the server and in \
            the client, and the places that make them listed. Their names need llvm-symbolizer and \
            swift-demangle in the path.

            EXAMPLES:
              tollgate bench rpc
              tollgate bench rpc --callers 64 --rounds 1 --allocations
              tollgate bench rpc --seconds 3 --rounds 9 --json >rpc.json
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, parsing: .upToNextOption, help: "How many callers share a connection.")
    var callers: [Int] = [1, 64]
    @Flag(name: .long, help: "Counts the allocations of each call too, and where they are made.")
    var allocations = false

    func run() async throws {
        try await options.perform { [callers, allocations] in
            try await RPCBench($0, callers: callers, countsAllocations: allocations).run()
        }
    }
}

/// `tollgate bench attachments`.
struct BenchAttachments: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attachments",
        abstract: "Echoes attachments of 1 MiB over a socket, beside TCP alone.",
        discussion: """
            MB/s are those of each direction. The peer is a C program that copies nothing; it too \
            sends a message back once it is whole, and has as many under way.

            EXAMPLES:
              tollgate bench attachments
              tollgate bench attachments --bytes 65536 --callers 1 16 --json
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, parsing: .upToNextOption, help: "How many callers share a connection.")
    var callers: [Int] = [1, 4]
    @Option(name: .long, help: "How long an attachment is, in bytes.")
    var bytes = 1_048_576

    func validate() throws {
        let most = Limits.rpcBodyBytes - Limits.rpcMetaBytes
        guard (1...most).contains(bytes) else {
            throw ValidationError(Bounds.sentence("--bytes", takes: 1...most))
        }
        guard callers.allSatisfy((1...Limits.benchBulkCallers).contains) else {
            throw ValidationError(
                Bounds.sentence("--callers", takes: 1...Limits.benchBulkCallers))
        }
    }

    func run() async throws {
        try await options.perform { [callers, bytes] in
            try await AttachmentsBench($0, callers: callers, bytes: bytes).run()
        }
    }
}

/// `tollgate bench store`.
struct BenchStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Makes durable holds, beside plain C on SQLite and beside pgbench.",
        discussion: """
            Each hold is `Ledger.hold` in a write of its own, awaited until it is synced: on \
            SQLite, and on a PostgreSQL that is raised for the run. Beside it, plain C replays the \
            recorded statements, with their parameters, on a copy of the same store, as many in a \
            batch as there are callers; and pgbench runs its own transaction (TPC-B) with as many \
            clients. PostgreSQL is left out, with a word, where Debian's postgresql is not \
            installed; its bank takes 15 MiB of the folder's disk for each of the most callers.

            EXAMPLES:
              tollgate bench store
              tollgate bench store --callers 64 256 --json
              tollgate bench store --statements     what one hold runs
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, parsing: .upToNextOption, help: "How many callers hold at once.")
    var callers: [Int] = [1, 16, 64, 256]
    @Flag(name: .long, help: "Writes the statements of one hold with their parameters, and leaves.")
    var statements = false

    func run() async throws {
        guard statements else {
            return try await options.perform { [callers] in
                try await StoreBench($0, callers: callers).run()
            }
        }
        try await role {
            for (text, parameters) in try await StoreBench(options.plan()).statements() {
                CommandEnvironment.current.console.line("\(text)\n    -- \(parameters)")
            }
        }
    }
}

/// `tollgate bench chat`.
struct BenchChat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Chats through the whole gateway, beside libcurl alone on the same provider.",
        discussion: """
            The server is `tollgate serve` with a store of its own, the provider a C program that \
            answers at once. Every chat is held and settled durably before its receipt arrives.

            EXAMPLES:
              tollgate bench chat
              tollgate bench chat --callers 16 --seconds 5 --rounds 3
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, parsing: .upToNextOption, help: "How many people ask at once.")
    var callers: [Int] = [16, 64]

    func run() async throws {
        try await options.perform { [callers] in try await ChatBench($0, callers: callers).run() }
    }
}

/// `tollgate bench connections`.
struct BenchConnections: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connections",
        abstract: "Keeps idle connections: the server's memory, and a call's time among them.",
        discussion: """
            Each connection has shown its credential with a first call. Both ends need a file \
            descriptor for each: the system's limit (ulimit -Hn) has to allow it.

            EXAMPLES:
              tollgate bench connections
              tollgate bench connections --connections 1000 --rounds 1 --json
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, help: "How many connections there are, the calling one included.")
    var connections = 10_000

    func validate() throws {
        guard (2...Limits.rpcConnections).contains(connections) else {
            throw ValidationError(
                Bounds.sentence("--connections", takes: 2...Limits.rpcConnections))
        }
    }

    func run() async throws {
        try await options.perform { [connections] in
            try await ConnectionsBench($0, connections: connections).run()
        }
    }
}

/// `tollgate bench stream`.
struct BenchStream: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream",
        abstract: "Streams fifty messages a second each, and tells how steadily they arrive.",
        discussion: """
            All streams share one connection. p50 and p99 say how far the pause between two \
            messages of a stream was from the 20 ms with which they were written; beside it the \
            same for timers alone, without a server.

            EXAMPLES:
              tollgate bench stream
              tollgate bench stream --streams 100 --seconds 10 --json
            """)

    @OptionGroup var options: BenchOptions
    @Option(name: .long, help: "How many streams flow at once, on one connection.")
    var streams = 1_000

    func validate() throws {
        let range = 1...Limits.rpcCallsInFlightPerConnection
        guard range.contains(streams) else {
            throw ValidationError(Bounds.sentence("--streams", takes: range))
        }
    }

    func run() async throws {
        try await options.perform { [streams] in
            try await StreamBench($0, streams: streams).run()
        }
    }
}

/// `tollgate bench serve`.
struct BenchServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Hosts example.EchoService/Echo, for load tools that speak baidu_std.",
        discussion: """
            Prints “listening HOST:PORT” on standard output when it is ready; Ctrl-C drains. The \
            variant full asks for the credential in TOLLGATE_BENCH_CREDENTIAL and keeps metrics.

            EXAMPLES:
              tollgate bench serve --listen 127.0.0.1:8000
              rpc_press -proto=echo.proto -method=example.EchoService.Echo \\
                -server=127.0.0.1:8000 -input='{"message":"hello"}' -qps=0
            """)

    @Option(name: .long, help: "Where to listen, on loopback.")
    var listen = "127.0.0.1:8000"
    @Option(name: .long, help: "bare (bytes), typed (messages), or full (credential, metrics).")
    var variant = EchoVariant.typed
    @Flag(name: .long, inversion: .prefixedNo, help: "Whether the variant full keeps metrics.")
    var metrics = true

    func run() async throws {
        try await role {
            guard let address = Address(text: listen) else {
                throw ValidationError("“\(listen)” is no HOST:PORT.")
            }
            var host = EchoHost(variant: variant, host: address.host, port: address.port)
            host.credential =
                CommandEnvironment.current.variables["TOLLGATE_BENCH_CREDENTIAL"] ?? ""
            if variant == .full, metrics {
                let registry = Facades.install(level: .warning, format: .text)
                host.metrics = { PrometheusText.render(registry.snapshot()) }
            }
            host.connections = DescriptorLimit.connections()
            do {
                try await Roles.run([EchoRole(server: try host.server())])
            } catch let error as RPCServerError {
                throw Failure(.unavailable, "\(error)")
            }
        }
    }
}

extension EchoVariant: ExpressibleByArgument {}

/// The echo server until it is told to stop.
private struct EchoRole: Service {
    let server: RPCServer

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                if let address = try await server.address {
                    await Ready.tell(Address(host: address.host, port: address.port))
                }
            }
            group.addTask {
                try await withGracefulShutdownHandler {
                    try await server.run()
                } onGracefulShutdown: {
                    server.drain()
                }
            }
            try await group.waitForAll()
        }
    }
}
