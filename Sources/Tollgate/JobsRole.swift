import Application
import ArgumentParser
import CLI
import Foundation
import Jobs
import Observability
import Operations
import ServiceLifecycle
import Storage
import Synchronization
import TollgateKernel
import TollgateRPC

/// The jobs role: scheduler and jobs on the same store.
struct JobsRole: Service {
    let settings: Settings
    /// Told once the store is open.
    var onReady: @Sendable () async -> Void = {}

    func run() async throws {
        let backend = try await Backend.open(settings, role: .jobs)
        await onReady()
        do {
            try await scheduler(backend).run()
        } catch {
            await backend.close()
            throw error
        }
        await backend.close()
    }

    private func scheduler(_ backend: Backend) throws -> JobScheduler {
        try JobsRole.scheduler(backend, settings)
    }

    /// A scheduler of every job, under a name no other process has.
    static func scheduler(_ backend: Backend, _ settings: Settings) throws -> JobScheduler {
        let host = ProcessInfo.processInfo.hostName
        let holder =
            "\(host):\(ProcessInfo.processInfo.processIdentifier):\(backend.ports.identifiers.next())"
        return JobScheduler(
            backend.ports, definitions: try backend.jobs(settings.jobIntervals()), holder: holder)
    }
}

/// The pages of the jobs role: `/health`, `/metrics` and `/status` on a port of its own, by the
/// server's own code and with its guards; no method can be called there.
struct JobsPages: Service {
    let settings: Settings
    let metrics: @Sendable () -> String
    /// What chooses another address.
    var listenFlag = "--listen"
    /// Told the address once the pages can be read.
    let onListening: @Sendable (Address) async -> Void

    func run() async throws {
        let address = try settings.address(
            "jobs.address", default: Address(host: "127.0.0.1", port: 7_401), flag: listenFlag)
        let configuration = try configuration(address)
        try await ListenFailure.telling(address, flag: listenFlag) {
            let server = try RPCServer(configuration, services: [])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    if let address = try await server.address {
                        await onListening(Address(host: address.host, port: address.port))
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

    /// How the pages are shown at an address.
    func configuration(_ address: Address) throws -> RPCServerConfiguration {
        var configuration = RPCServerConfiguration(
            credentials: .verified(by: try FolderCredentials(settings.folder)))
        configuration.host = address.host
        configuration.port = address.port
        configuration.isInsecure = settings.text("jobs.insecure") == "true"
        configuration.pages.metrics = RenderedPage(metrics).text
        return configuration
    }
}

/// `tollgate jobs …`.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "Runs jobs, and looks at them, beside a server on the same data folder.",
        discussion: """
            EXAMPLES:
              tollgate jobs serve                     run what is due, until Ctrl-C
              tollgate jobs list                      every job and when it runs next
              tollgate jobs run payment-reconcile     run one now
              tollgate jobs history payment-reconcile what its runs did
            """,
        subcommands: [JobsServe.self, JobsList.self, JobsRun.self, JobsHistory.self])
}

/// What the jobs commands are told alike.
struct JobsOptions: ParsableArguments {
    @OptionGroup var options: RoleOptions
    @OptionGroup var log: LogOptions
    @Option(
        name: .long,
        help: """
            Where the sandbox listens, in the sandbox realm (TOLLGATE_SANDBOX_ADDRESS; default \
            127.0.0.1:7490).
            """)
    var sandbox: String?
    @Option(
        name: .long,
        help: """
            When WeChat Pay is first asked about an unpaid order, in seconds \
            (TOLLGATE_ORDER_FIRST_QUERY_SECONDS; default 60).
            """)
    var firstPaymentQuery: Int?

    func settings(
        _ more: [String: String?] = [:], folder: FolderUse = .made
    ) async throws -> Settings {
        try await options.settings(
            [
                "sandbox.address": sandbox,
                "order.firstQuerySeconds": firstPaymentQuery.map(String.init),
            ].merging(log.settings) { _, new in new }.merging(more) { _, new in new },
            folder: folder)
    }

    /// Lends a backend for one command.
    func withBackend<Value: Sendable>(
        _ body: (Backend, Settings) async throws -> Value
    ) async throws -> Value {
        _ = try options.observability()
        // A mistyped name is told, not made into an empty service.
        let settings = try await settings(folder: .filled)
        let backend = try await Backend.open(settings, role: .jobs)
        do {
            let value = try await body(backend, settings)
            await backend.close()
            return value
        } catch {
            await backend.close()
            throw error
        }
    }
}

/// `tollgate jobs serve`.
struct JobsServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs due jobs until told to stop.",
        discussion: """
            Several may run on one store: leases decide which one runs a job. Prints “listening \
            HOST:PORT” when /health and /metrics can be read there, and “ready” when the store is \
            open too. How often each job runs is a setting, such as \
            TOLLGATE_JOBS_ORDER_CLOSE_SECONDS.

            EXAMPLES:
              tollgate jobs serve --data /srv/tollgate
              tollgate jobs serve --listen 127.0.0.1:0   the kernel chooses the pages' port
            """)

    @OptionGroup var options: JobsOptions
    @Option(
        name: .long,
        help: "Where /health and /metrics are (TOLLGATE_JOBS_ADDRESS; default 127.0.0.1:7401).")
    var listen: String?

    func run() async throws {
        try await role {
            let registry = try options.options.observability()
            let settings = try await options.settings(["jobs.address": listen])
            let start = JobsStart()
            try await Roles.run([
                JobsPages(
                    settings: settings, metrics: { PrometheusText.render(registry.snapshot()) },
                    onListening: { start.noteListening(on: $0) }),
                JobsRole(settings: settings) { start.noteStore() },
            ])
        }
    }
}

/// Tells scripts and people how far the jobs role has come, in one order whatever comes first.
private final class JobsStart: Sendable {
    private struct State {
        var isListening = false
        var isStoreOpen = false
        var isReady: Bool { isListening && isStoreOpen }
    }

    private let state = Mutex(State())

    /// Notes where the pages are.
    func noteListening(on address: Address) {
        note {
            CommandEnvironment.current.console.line("listening \(address)")
            $0.isListening = true
        }
    }

    /// Notes that the store is open; whose pages cannot be had is not ready.
    func noteStore() { note { $0.isStoreOpen = true } }

    private func note(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            if state.isReady { CommandEnvironment.current.console.line("ready") }
        }
    }
}

/// `tollgate jobs run`.
struct JobsRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs one job now.",
        discussion: """
            Waits up to half a minute for a run of the same job elsewhere to end. Who asked for \
            the run stands in the operators' log.

            EXAMPLES:
              tollgate jobs run order-close
              tollgate jobs run order-close --dry-run     what it would do; changes nothing
              tollgate jobs run metric-rollup --json
            """)

    @Argument(help: "The job's name; see `tollgate jobs list`.") var name: String
    @Flag(name: .long, help: "Writes the run as JSON.") var json = false
    @Flag(name: .long, help: "Tells what a run would do, and changes nothing.") var dryRun = false
    @OptionGroup var act: LocalAct
    @OptionGroup var options: JobsOptions

    func run() async throws {
        if dryRun { return try await preview() }
        try await role {
            let run = try await options.withBackend { backend, settings in
                try await JobsRole.scheduler(backend, settings)
                    .runNow(name, for: act.actedBy(usually: "a run by hand"))
            }
            let console = CommandEnvironment.current.console
            console.line(json ? try JobText.json(run) : JobText.line(run))
            if run.state != .succeeded { throw ExitCode(1) }
        }
    }

    private func preview() async throws {
        try await role {
            let preview = try await options.withBackend { backend, settings in
                try await JobsRole.scheduler(backend, settings).preview(name)
            }
            let console = CommandEnvironment.current.console
            let lines =
                json
                ? [try JobText.json(preview, of: name)] : JobText.lines(preview, of: name)
            for line in lines { console.line(line) }
        }
    }
}

/// `tollgate jobs list`.
struct JobsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the jobs and when they run next.",
        discussion: """
            EXAMPLES:
              tollgate jobs list
            """)

    @Flag(name: .long, help: "Writes the jobs as JSON.") var json = false
    @OptionGroup var options: JobsOptions

    func run() async throws {
        try await role {
            let console = CommandEnvironment.current.console
            try await options.withBackend { backend, settings in
                let definitions = try backend.jobs(settings.jobIntervals())
                let standing = try await OperatorQueries(backend.ports).jobs()
                let now = SystemClock().now()
                let trouble = await backend.ports.store.clockTrouble
                guard !json else {
                    console.line(
                        try JobText.json(definitions, standing, clockTrouble: trouble))
                    return
                }
                var table = JobText.table
                for definition in definitions {
                    let record = standing[definition.name]?.0
                    let next = try await JobText.next(
                        definition, record, now: now, clockTrouble: trouble)
                    table.add(JobText.row(definition, next: next))
                }
                console.table(table, ifEmpty: "There is no job.")
                if let trouble { console.note(trouble) }
            }
        }
    }
}

/// `tollgate jobs history`.
struct JobsHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Lists what runs did, newest first.",
        discussion: """
            A narrow terminal cuts WHAT IT DID; a pipe and --json get all of it.

            EXAMPLES:
              tollgate jobs history
              tollgate jobs history outbox --limit 5
            """)

    @Argument(help: "Only this job's runs.") var name: String?
    @Option(name: .long, parsing: .unconditional, help: "How many runs, 1 to 200.")
    var limit = 20
    @Flag(name: .long, help: "Writes the runs as JSON lines.") var json = false
    @OptionGroup var options: JobsOptions

    func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit takes 1 to 200.") }
    }

    func run() async throws {
        try await role {
            let runs = try await options.withBackend { backend, settings in
                let runs = try await OperatorQueries(backend.ports).runs(of: name, limit: limit)
                if runs.isEmpty, let name {
                    // A job that is no more keeps its history for a while.
                    _ = try JobDefinition.named(
                        name, in: backend.jobs(settings.jobIntervals()))
                }
                return runs
            }
            let console = CommandEnvironment.current.console
            guard !json else {
                for run in runs { console.line(try JobText.json(run)) }
                return
            }
            console.table(
                JobText.table(of: runs),
                ifEmpty: name.map { "\($0) has not run yet." } ?? "No job has run yet.")
        }
    }
}
