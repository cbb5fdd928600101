import Application
import Cryptography
import Logging
import Server
import ServiceLifecycle
import Storage
import TollgateKernel
import TollgateRPC
import TollgateWire

/// The server role: hosts the domains until told to stop.
struct ServeRole: Service {
    let settings: Settings
    let metrics: @Sendable () -> String
    /// What chooses another address.
    var listenFlag = "--listen"
    /// Told the address once the server listens.
    let onListening: @Sendable (Address) async -> Void

    func run() async throws {
        let address = try settings.address(
            "server.address", default: Address(host: "127.0.0.1", port: 7_400), flag: listenFlag)
        var configuration = try configuration(address)
        let backend = try await Backend.open(settings, role: .serve)
        let store = backend.store
        configuration.pages.status = { "store: \(store.health.sentence)\n" }
        let settlements = Settlements()
        do {
            try await backend.upstreams.seed?.plant(in: backend.store, vault: backend.vault)
            let services = try backend.services(
                settlements: settlements, jobs: backend.jobs(settings.jobIntervals()))
            try await ListenFailure.telling(address, flag: listenFlag) { [configuration] in
                let server = try RPCServer(configuration, services: services.registrations)
                try await host(server, settlements)
            }
        } catch {
            await backend.close()
            throw error
        }
        await backend.close()
    }

    private func host(_ server: RPCServer, _ settlements: Settlements) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await settlements.run() }
            group.addTask {
                if let address = try await server.address {
                    await onListening(
                        Address(host: address.host, port: address.port, path: address.path))
                }
            }
            group.addTask {
                // First the calls end, then the money they handed over.
                defer { settlements.drain() }
                try await withGracefulShutdownHandler {
                    try await server.run()
                } onGracefulShutdown: {
                    server.drain()
                }
            }
            try await group.waitForAll()
        }
    }

    /// How the server listens at an address.
    func configuration(_ address: Address) throws -> RPCServerConfiguration {
        var configuration = RPCServerConfiguration(
            credentials: .verified(by: try FolderCredentials(settings.folder)))
        configuration.host = address.host
        configuration.port = address.port
        configuration.socketPath = address.path
        configuration.isInsecure = settings.text("server.insecure") == "true"
        configuration.tls = try settings.serverTLS()
        configuration.limits.connections = DescriptorLimit.connections()
        configuration.pages.metrics = RenderedPage(metrics).text
        configuration.pages.version = Version.text
        return configuration
    }
}

/// Knows roles by the credentials of a data folder.
struct FolderCredentials: CredentialVerifier {
    private let known: [(secret: [UInt8], identity: ConnectionIdentity)]

    /// Reads the credentials, making those that are missing.
    init(_ folder: DataFolder) throws {
        known = try DataFolder.CredentialRole.allCases.map { role in
            let serviceRole: ServiceRole =
                switch role {
                case .web: .web
                case .jobs: .jobs
                case .admin: .admin
                case .cli: .cli
                }
            return (
                Array(try folder.credential(role).utf8),
                ConnectionIdentity(name: role.rawValue, role: serviceRole)
            )
        }
    }

    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        // Every one is compared: how long it takes tells nothing about which was nearly right.
        var found: ConnectionIdentity?
        for (secret, identity) in known where ConstantTime.areEqual(secret, credential) {
            found = identity
        }
        return found
    }
}
