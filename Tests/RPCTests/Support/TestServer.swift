import Foundation
import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// How a test reaches its server; the frames are real in both.
enum Reach: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case inProcess
    case socket

    var testDescription: String { rawValue }
}

/// Runs the test services while `body` runs, and lends a client's transport to them.
func withTestServer<Result>(
    _ reach: Reach = .inProcess, credential: String? = "web", events: Events = Events(),
    configuration: RPCServerConfiguration = testConfiguration(),
    _ body: (SocketTransport, RPCServer) async throws -> Result
) async throws -> Result {
    var configuration = configuration
    if reach == .inProcess { configuration.host = nil }
    return try await withCountedServer(configuration, services: testServices(events)) { server in
        let endpoint: SocketTransport.Endpoint
        switch reach {
        case .inProcess: endpoint = .inProcess(server)
        case .socket:
            let address = try #require(try await server.address)
            endpoint = .address(host: address.host, port: address.port)
        }
        let transport = SocketTransport(endpoint, credential: credential.map { Array($0.utf8) })
        do {
            let result = try await body(transport, server)
            try await expectNothingGoesOn(in: transport)
            await transport.close()
            #expect(await transport.population == ClientPopulation())
            return result
        } catch {
            await transport.close()
            throw error
        }
    }
}

/// Every call of a client has returned: no call, stream, waiting task or byte may stay behind.
func expectNothingGoesOn(in transport: some ClientTransport) async throws {
    for _ in 0..<1_000 {
        if await transport.population.isIdle { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the client still holds \(await transport.population)")
}

/// A server's configuration on a free port, with a change.
func testConfiguration(
    _ change: (inout RPCServerConfiguration) -> Void = { _ in }
) -> RPCServerConfiguration {
    var configuration = RPCServerConfiguration(credentials: .verified(by: NamedRoles()))
    configuration.port = 0
    change(&configuration)
    return configuration
}

/// Runs `body` with a path where a server may listen, and removes it.
func withSocketPath<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    // Short: an address has room for 107 bytes.
    let folder = "/tmp/tollgate-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body("\(folder)/server.sock")
}

/// A call of a test method.
func call(
    _ method: MethodDescriptor, _ payload: [UInt8] = [], userFields: [String: String] = [:],
    milliseconds: Int64 = 60_000
) -> OutgoingCall {
    OutgoingCall(
        method: method, payload: payload, userFields: userFields,
        deadline: CallDeadline(milliseconds: milliseconds))
}

/// The error that a call ends in; nil if it succeeds.
func errorOf(_ body: () async throws -> Void) async -> RPCError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}

extension SocketTransport {
    /// ``unary(_:)`` with an untyped error, as the expectation macros need it.
    func answer(_ call: OutgoingCall) async throws -> [UInt8] { try await unary(call) }
}

extension SocketTransport {
    /// ``notify(_:)`` with an untyped error, as above.
    func tell(_ call: OutgoingCall) async throws { try await notify(call) }
}
