internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import ServiceLifecycle
package import TollgateClient

/// The web tier as a service: takes WeChat's callbacks and hands them to the server as they came.
package struct WebServer: Service {
    private let configuration: WebConfiguration
    private let client: TollgateClient
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// Makes a web tier over a client whose credential has the web role.
    ///
    /// - Parameters:
    ///   - configuration: the address and the time allowed.
    ///   - client: the way to the server; whoever made it closes it.
    ///   - logger: where it reports; never gets openids, queries or bodies.
    ///   - onListening: called once with the bound port.
    package init(
        _ configuration: WebConfiguration, client: TollgateClient, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.client = client
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown or cancellation; answers under way are finished first.
    package func run() async throws {
        let onListening = onListening
        let application = Application(
            router: router(),
            // Callers keep connections open; one that says nothing for a minute has gone.
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: logger)
        try await application.run()
    }

    /// Every route.
    func router() -> Router<BasicRequestContext> {
        let router = Router()
        CallbackRoutes(
            client: client, timeoutMilliseconds: configuration.callbackTimeoutMilliseconds
        ).add(to: router)
        HealthRoute(client: client).add(to: router)
        return router
    }
}
