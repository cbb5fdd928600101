import ArgumentParser
import CLI
import Logging
import ServiceLifecycle
import TollgateClient
import TollgateKernel
import Web

/// The web role: takes WeChat's callbacks and hands them to the server.
struct WebRole: Service {
    let settings: Settings
    /// What chooses another address.
    var listenFlag = "--listen"
    /// Told the address once the role listens.
    let onListening: @Sendable (Address) async -> Void

    func run() async throws {
        let address = try settings.address(
            "web.address", default: Address(host: "127.0.0.1", port: 7_480), flag: listenFlag)
        let servers = try settings.addresses(
            "server.address", default: Address(host: "127.0.0.1", port: 7_400))
        var configuration = WebConfiguration()
        configuration.host = address.host
        configuration.port = address.port
        let way = TollgateClientConfiguration(
            address: servers.map(\.description).joined(separator: ","),
            credential: try settings.folder.credential(.web),
            tls: settings.clientTLS())
        try await withTollgateClient(way) { client in
            let web = WebServer(
                configuration, client: client, logger: Logger(label: "tollgate.web")
            ) { [onListening] port in
                await onListening(Address(host: address.host, port: port))
            }
            try await ListenFailure.telling(address, flag: listenFlag) { try await web.run() }
        }
    }
}

/// `tollgate web`.
struct WebCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web",
        abstract: "Takes WeChat's callbacks and hands them to the server.",
        discussion: """
            Prints “listening HOST:PORT” on standard output when it is ready.

            EXAMPLES:
              tollgate web
              tollgate web --listen 127.0.0.1:7480 --server 127.0.0.1:7400
              tollgate web --server 10.0.0.2:7400,10.0.0.3:7400     the better of two
            """)

    @OptionGroup var options: RoleOptions
    @Option(name: .long, help: "Where to listen (TOLLGATE_WEB_ADDRESS; default 127.0.0.1:7480).")
    var listen: String?
    @Option(
        name: .long,
        help: """
            Where the server is, or several with commas (TOLLGATE_SERVER_ADDRESS; default \
            127.0.0.1:7400).
            """)
    var server: String?

    func run() async throws {
        try await role {
            _ = try options.observability()
            // A folder made here would hold a credential that no server knows.
            let settings = try await options.settings(
                ["web.address": listen, "server.address": server], folder: .awaited)
            try await Roles.run([WebRole(settings: settings, onListening: Ready.tell)])
        }
    }
}
