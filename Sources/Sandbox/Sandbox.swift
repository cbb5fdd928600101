internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import TollgateKernel

/// A local stand-in for the model provider, WeChat Pay and the official account, as a service.
///
/// What it was told is in its own SQLite file, so that a killed sandbox goes on where it stopped.
package struct Sandbox: Service {
    private let configuration: SandboxConfiguration
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) async -> Void
    private let parts: SandboxParts

    /// Opens the data file and reads the keys; blocks for some milliseconds.
    ///
    /// - Parameters:
    ///   - configuration: keys, addresses and behaviour.
    ///   - logger: where it reports; never gets keys.
    ///   - onListening: called once with the bound port.
    package init(
        _ configuration: SandboxConfiguration, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
        parts = try SandboxParts(configuration, logger: logger)
    }

    /// Serves until graceful shutdown or cancellation.
    package func run() async throws {
        let onListening = onListening
        let application = Application(
            router: parts.router(),
            server: .http1(configuration: .init(additionalChannelHandlers: [ClientWatch()])),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port)),
            services: parts.services,
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: logger)
        try await application.run()
    }
}
