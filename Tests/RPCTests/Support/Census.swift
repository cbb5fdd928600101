import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Runs services while `body` runs, and counts what is left of them: nothing once everybody has
/// left, and nothing once they have stopped.
func withCountedServer<Result>(
    _ configuration: RPCServerConfiguration, services: [ServiceRegistration],
    _ body: (RPCServer) async throws -> Result
) async throws -> Result {
    var stopped: RPCServer?
    var port: Int?
    let result = try await withRPCServer(configuration, services: services) { server in
        stopped = server
        port = try await server.address?.port
        let result = try await body(server)
        try await expectNothingLeft(in: server)
        return result
    }
    try await expectNothingLeftBehind(try #require(stopped), port: port)
    return result
}

/// Everybody has left: no connection, call, stream, page or byte may stay behind.
func expectNothingLeft(in server: RPCServer) async throws {
    for _ in 0..<1_000 {
        if try await server.population == RPCServer.Population() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the server still holds \(try await server.population)")
}

/// The server has stopped: no place, byte, call or socket of it may stay behind.
func expectNothingLeftBehind(_ server: RPCServer, port: Int? = nil) async throws {
    let edge = server.core.edge
    #expect(edge.connectionCount == 0)
    #expect(edge.countedBytes.unverified == 0)
    #expect(edge.countedBytes.inFlight == 0)
    #expect(edge.unfinishedBytes == 0)
    #expect(edge.pinnedBytes == 0)
    for service in server.core.router.services {
        for method in service.methods {
            let gate = try Array(service.name.utf8).withUnsafeBytes { service in
                try Array(method.descriptor.name.utf8).withUnsafeBytes { method in
                    try server.core.router.find(service: service, method: method).gate
                }
            }
            #expect(gate.inFlight == 0, "\(method.descriptor.fullName) still runs")
        }
    }
    guard let port, port > 0 else { return }
    // A peer's own end is closed a moment after it was told to.
    for _ in 0..<1_000 {
        if try sockets(at: port) == 0 { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("\(try sockets(at: port)) sockets of the server's port are still open")
}
