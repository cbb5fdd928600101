import CLI
import Foundation
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Commands that reach a server over a socket of the system.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ConnectorTests {
    private let services = [
        ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (_: V1.PingRequest, _) in
                    V1.PingResponse(version: "0.1.0", realm: "sandbox")
                }
            ])
    ]

    private func withServer(
        at path: String? = nil, _ body: (String) async throws -> Void
    ) async throws {
        var configuration = RPCServerConfiguration(credentials: .verified(by: NamedRoles()))
        configuration.port = 0
        configuration.socketPath = path
        try await withRPCServer(configuration, services: services) { server in
            try await body(try #require(try await server.address).description)
        }
    }

    @Test func `a command takes a Unix socket, by flag and by setting`() async throws {
        // Short: an address has room for 107 bytes.
        let path = "/tmp/tollgate-\(UUID().uuidString.prefix(8)).sock"
        try await withServer(at: path) { address in
            #expect(address == "unix:\(path)")
            let flag = try CommandTest()
            let outcome = await flag.run(
                ["ping", "--server", address], connector: SocketConnector())
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.hasPrefix("\(address) answers in "))
            let setting = try CommandTest(variables: ["TOLLGATE_SERVER": address])
            #expect(await setting.run(["ping"], connector: SocketConnector()).status == 0)
        }
        let gone = try await CommandTest().run(
            ["ping", "--server", "unix:\(path)"], connector: SocketConnector())
        #expect(gone.status == 9)
        #expect(gone.errors.contains(path))
    }

    @Test func `a command takes a name`() async throws {
        try await withServer { address in
            let port = address.split(separator: ":").last ?? ""
            let outcome = try await CommandTest().run(
                ["ping", "--server", "localhost:\(port)"], connector: SocketConnector())
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
    }
}
