import ArgumentParser
import CLI
import Foundation
import Logging
import Observability
import ServiceLifecycle
import Synchronization
import TollgateKernel

/// `tollgate up`: every role in one process.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs server, jobs, web and sandbox in one process, and says what to type next.",
        discussion: """
            Keys and credentials are made at the first start; a second start keeps its data. \
            Ctrl-C drains and stops.

            EXAMPLES:
              tollgate up
              tollgate up --data /tmp/try --server 127.0.0.1:7500 --web 127.0.0.1:7580 \\
                --sandbox 127.0.0.1:7590 --jobs 127.0.0.1:7501     beside another one
            """)

    @OptionGroup var options: RoleOptions
    @Option(
        name: .long,
        help: "Where the server listens (TOLLGATE_SERVER_ADDRESS; default 127.0.0.1:7400).")
    var server: String?
    @Option(
        name: .long,
        help: "Where the web role listens (TOLLGATE_WEB_ADDRESS; default 127.0.0.1:7480).")
    var web: String?
    @Option(
        name: .long,
        help: "Where the sandbox listens (TOLLGATE_SANDBOX_ADDRESS; default 127.0.0.1:7490).")
    var sandbox: String?
    @Option(
        name: .long,
        help: "Where the jobs' pages are (TOLLGATE_JOBS_ADDRESS; default 127.0.0.1:7401).")
    var jobs: String?
    @OptionGroup var log: LogOptions
    @OptionGroup var security: ServerSecurityOptions

    func run() async throws {
        try await role {
            let registry = try quietly().observability()
            var flags: [String: String?] = [
                "server.address": server, "web.address": web, "sandbox.address": sandbox,
                "jobs.address": jobs,
            ]
            flags.merge(security.settings) { $1 }
            flags.merge(log.settings) { $1 }
            let settings = try await options.settings(flags)
            let start = StartReport(settings: settings)
            let metrics: @Sendable () -> String = { PrometheusText.render(registry.snapshot()) }
            try await Roles.run([
                SandboxRole(settings: settings, listenFlag: "--sandbox") {
                    await start.tell(.sandbox, $0)
                },
                ServeRole(settings: settings, metrics: metrics, listenFlag: "--server") {
                    await start.tell(.server, $0)
                },
                WebRole(settings: settings, listenFlag: "--web") { await start.tell(.web, $0) },
                JobsPages(settings: settings, metrics: metrics, listenFlag: "--jobs") {
                    await start.tell(.jobs, $0)
                },
                JobsRole(settings: settings),
                StopReport(start: start),
            ])
            CommandEnvironment.current.console.line("stopped")
        }
    }

    /// People read the terminal here: without a word on levels only warnings are logged.
    private func quietly() -> RoleOptions {
        var options = options
        if options.logLevel == "info" { options.logLevel = "warning" }
        return options
    }
}

/// Says that a stop was heard, since draining may take a while.
private struct StopReport: Service {
    let start: StartReport

    func run() async throws {
        try? await gracefulShutdown()
        // What never came up has nothing to drain: its error says it all.
        guard start.isComplete else { return }
        CommandEnvironment.current.console.line("draining …")
    }
}

/// Tells what to type next, once every role listens.
final class StartReport: Sendable {
    /// A role that listens.
    enum Role: Hashable, Sendable {
        case server
        case web
        case sandbox
        case jobs
    }

    private let settings: Settings
    private let addresses = Mutex<[Role: Address]>([:])

    init(settings: Settings) { self.settings = settings }

    /// Whether every role listens.
    var isComplete: Bool { addresses.withLock { $0.count == 4 } }

    /// Notes where a role listens; the last one prints.
    func tell(_ role: Role, _ address: Address) async {
        let all = addresses.withLock { addresses -> [Role: Address]? in
            addresses[role] = address
            return addresses.count == 4 ? addresses : nil
        }
        guard let all, let server = all[.server], let sandbox = all[.sandbox] else { return }
        let program = Self.program(CommandEnvironment.current.variables)
        var flags = ""
        if server.path != nil || server.port != 7_400 { flags += " --server \(server)" }
        let phone = sandbox.port == 7_490 ? "" : " --sandbox \(sandbox)"
        CommandEnvironment.current.console.line(
            """
            Tollgate is up. Data: \(settings.folder.path)
              server   \(server)
              web      http://\(all[.web].map(\.description) ?? "-")
              jobs     http://\(all[.jobs].map(\.description) ?? "-")   (/health, /metrics)
              sandbox  http://\(sandbox)/?phone=ann   (a phone in the browser)

            Now, in another terminal:
              \(program) sandbox follow ann\(phone)          ann follows the official account
              \(program) sandbox send ann 登录\(phone)         and gets a login code
              \(program) login CODE\(flags)                sign in with it
              \(program) chat "Why is the sky blue?"\(flags)
              \(program) buy starter\(flags)               when the quota is used up

            Ctrl-C stops.
            """)
    }

    /// How this program is called in another terminal: by its name if it is on the PATH there, else
    /// by its path.
    static func program(
        _ variables: [String: String], executable: String? = Bundle.main.executablePath
    ) -> String {
        let files = FileManager.default
        let isOnPath = (variables["PATH"] ?? "").split(separator: ":").contains {
            files.isExecutableFile(atPath: "\($0)/tollgate")
        }
        guard !isOnPath, let executable else { return "tollgate" }
        return executable.contains(" ") ? "'\(executable)'" : executable
    }
}
