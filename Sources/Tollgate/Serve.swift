import ArgumentParser
import CLI
import Logging
import Observability
import ServiceLifecycle
import TollgateKernel
import UnixSignals

/// `tollgate serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the server: hosts the domains behind the RPC port.",
        discussion: """
            Prints “listening HOST:PORT” on standard output when it is ready. Ctrl-C (or SIGTERM) \
            drains: running answers end, money is settled, then the program leaves.

            EXAMPLES:
              tollgate serve
              tollgate serve --data /srv/tollgate --listen 127.0.0.1:7400
              tollgate serve --listen unix:/run/tollgate/server.sock
              tollgate serve --listen 0.0.0.0:7400 \\
                --tls-certificate cert.pem --tls-key key.pem
              TOLLGATE_REALM=live tollgate serve --data /srv/tollgate
            """)

    @OptionGroup var options: RoleOptions
    @Option(name: .long, help: "Where to listen (TOLLGATE_SERVER_ADDRESS; default 127.0.0.1:7400).")
    var listen: String?
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
            Where the web role is reached by callbacks, in the sandbox realm \
            (TOLLGATE_WEB_ADDRESS; default 127.0.0.1:7480).
            """)
    var web: String?
    @Option(
        name: .long,
        help: """
            How long an order can be paid, in seconds (TOLLGATE_ORDER_LIFETIME_SECONDS; default \
            1800).
            """)
    var orderLifetime: Int?
    @Option(
        name: .long,
        help: """
            When WeChat Pay is first asked about an unpaid order, in seconds \
            (TOLLGATE_ORDER_FIRST_QUERY_SECONDS; default 60).
            """)
    var firstPaymentQuery: Int?
    @OptionGroup var log: LogOptions
    @OptionGroup var security: ServerSecurityOptions

    func run() async throws {
        try await role {
            let registry = try options.observability()
            var flags: [String: String?] = [
                "server.address": listen, "sandbox.address": sandbox, "web.address": web,
                "order.lifetimeSeconds": orderLifetime.map(String.init),
                "order.firstQuerySeconds": firstPaymentQuery.map(String.init),
            ]
            flags.merge(security.settings) { $1 }
            flags.merge(log.settings) { $1 }
            let settings = try await options.settings(flags)
            let service = ServeRole(
                settings: settings, metrics: { PrometheusText.render(registry.snapshot()) },
                onListening: Ready.tell)
            try await Roles.run([service])
        }
    }
}

/// Tells scripts and people that a role listens.
enum Ready {
    /// Prints `listening HOST:PORT`.
    static func tell(_ address: Address) async {
        CommandEnvironment.current.console.line("listening \(address)")
    }
}

/// Runs roles together until one ends or the process is told to stop.
enum Roles {
    /// Runs services; SIGINT and SIGTERM shut them down gracefully, last first.
    static func run(_ services: [any Service]) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                }, gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "tollgate.roles")))
        try await group.run()
    }
}
