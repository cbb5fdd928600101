import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Admits everybody with any credential as the web tier.
struct AnyCredential: CredentialVerifier {
    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        ConnectionIdentity(name: "web", role: .web)
    }
}

/// Counts and flags that handlers set and tests wait for.
final class Journal: Sendable {
    private let entries: Mutex<[String]> = Mutex([])

    func note(_ entry: String) { entries.withLock { $0.append(entry) } }

    var all: [String] { entries.withLock { $0 } }

    /// Waits until `entry` has been noted; false if that takes longer than ten seconds.
    func wait(for entry: String) async -> Bool {
        for _ in 0..<2_000 {
            if all.contains(entry) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

/// A configuration for tests; `port` nil is inside the process.
func testConfiguration(port: Int? = nil) -> RPCServerConfiguration {
    var configuration = RPCServerConfiguration(credentials: .verified(by: AnyCredential()))
    configuration.host = port == nil ? nil : "127.0.0.1"
    configuration.port = port ?? 0
    return configuration
}

/// How a test reaches its server.
enum Reach: CaseIterable {
    case inProcess
    case socket
}

/// Runs services while `body` runs, and lends a client to them.
func withTestClient<Result>(
    _ reach: Reach, services: [ServiceRegistration],
    _ body: (TollgateClient, RPCServer) async throws -> Result
) async throws -> Result {
    let configuration = testConfiguration(port: reach == .socket ? 0 : nil)
    return try await withRPCServer(configuration, services: services) { server in
        guard reach == .socket else {
            let executor = LoopExecutor()
            let client = TollgateClient(
                transport: SocketTransport(
                    .inProcess(server), credential: Array("key".utf8), executor: executor),
                executor: executor)
            let result = try await body(client, server)
            await client.close()
            return result
        }
        let address = try #require(try await server.address)
        return try await withTollgateClient(
            TollgateClientConfiguration(address: address.description, credential: "key")
        ) { client in try await body(client, server) }
    }
}

/// The error that a call ends in; nil if it succeeds.
func errorOf(_ body: () async throws -> Void) async -> TollgateError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? TollgateError
    }
}
