import Foundation
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@testable import Tollgate

/// What a server's settings say about its port.
struct ServerSecurityTests {
    private func settings(_ flags: [String: String]) async throws -> Settings {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-settings-\(UUID().uuidString)").path
        return try await Settings(folder: DataFolder(path: folder), flags: flags)
    }

    @Test func `a certificate needs its key, and clients need a known service`() async throws {
        #expect(try await settings([:]).serverTLS() == nil)
        let keyless = try await settings(["server.tls.certificate": "/c.pem"])
        #expect(throws: Failure.self) { try keyless.serverTLS() }
        let both = [
            "server.tls.certificate": "/c.pem", "server.tls.key": "/k.pem",
            "server.tls.clientCA": "/ca.pem",
        ]
        let wrong = try await settings(
            both.merging(["server.tls.clientRoles": "web.example=queen"]) { $1 })
        #expect(throws: Failure.self) { try wrong.serverTLS() }
        let good = try await settings(
            both.merging(["server.tls.clientRoles": "web.example=web, jobs.example = jobs"]) { $1 })
        let tls = try #require(try good.serverTLS())
        #expect(tls.roles == ["web.example": .web, "jobs.example": .jobs])
        #expect(tls.certificatePath == "/c.pem")
    }

    @Test(arguments: [
        ["server.tls.key": "/k.pem"], ["server.tls.clientCA": "/ca.pem"],
        ["server.tls.clientRoles": "a=web"], ["server.tls.requireClientCertificate": "true"],
        [
            "server.tls.certificate": "/c.pem", "server.tls.key": "/k.pem",
            "server.tls.requireClientCertificate": "true",
        ],
        [
            "server.tls.certificate": "/c.pem", "server.tls.key": "/k.pem",
            "server.tls.clientRoles": "a=web",
        ],
    ])
    func `half a wish for safety is refused, not passed over`(flags: [String: String]) async throws
    {
        let settings = try await settings(flags)
        #expect(throws: Failure.self) { try settings.serverTLS() }
    }

    @Test func `an address is a host and a port, or a socket's path`() {
        #expect(Address(text: "unix:/run/t.sock")?.path == "/run/t.sock")
        #expect(Address(text: "unix:/run/t.sock")?.description == "unix:/run/t.sock")
        #expect(Address(text: "unix:") == nil)
        #expect(Address(text: "0.0.0.0:7400")?.description == "0.0.0.0:7400")
        #expect(Address(text: "0.0.0.0:7400")?.path == nil)
    }

    @Test func `connections fit under the limit of descriptors`() {
        let connections = DescriptorLimit.connections()
        #expect(connections >= Limits.rpcSpareConnections)
        #expect(connections <= Limits.rpcConnections)
    }
}
