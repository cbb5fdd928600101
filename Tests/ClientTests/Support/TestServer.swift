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
            try await expectNothingGoesOn(in: client)
            await client.close()
            #expect(await client.population == ClientPopulation())
            try await expectNothingLeft(in: server)
            return result
        }
        let address = try #require(try await server.address)
        let result = try await withCheckedClient(
            TollgateClientConfiguration(address: address.description, credential: "key")
        ) { client in try await body(client, server) }
        try await expectNothingLeft(in: server)
        return result
    }
}

/// Everybody has left: no connection, call, stream or byte may stay behind.
func expectNothingLeft(in server: RPCServer) async throws {
    for _ in 0..<1_000 {
        if try await server.population == RPCServer.Population() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the server still holds \(try await server.population)")
}

/// Lends a client as ``withTollgateClient(_:_:)`` does, and counts what is left of it: nothing once
/// every call has returned, and no connection once it is closed.
func withCheckedClient<Result>(
    _ configuration: TollgateClientConfiguration,
    _ body: (TollgateClient) async throws -> Result
) async throws -> Result {
    var closed: TollgateClient?
    let result = try await withTollgateClient(configuration) { client in
        closed = client
        let result = try await body(client)
        try await expectNothingGoesOn(in: client)
        return result
    }
    #expect(await closed?.population == ClientPopulation())
    return result
}

/// Every call of a client has returned: no call, stream, waiting task or byte may stay behind.
func expectNothingGoesOn(in client: TollgateClient) async throws {
    for _ in 0..<1_000 {
        if await client.population.isIdle { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the client still holds \(await client.population)")
}

/// Closes a client, and counts what is left of it.
func closeChecked(_ client: TollgateClient) async throws {
    try await expectNothingGoesOn(in: client)
    await client.close()
    #expect(await client.population == ClientPopulation())
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
