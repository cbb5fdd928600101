import Foundation
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Addresses as users write them, to the server's answer.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AddressTests {
    private let services = [
        ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, _) in
                    V1.PingResponse(payload: request.payload)
                }
            ]),
        ServiceRegistration(
            name: "tollgate.v1.ChatService",
            methods: [
                .serverStreaming(Methods.ChatService.ask) {
                    (_: V1.AskRequest, _, writer: ServerStreamWriter<V1.AnswerEvent>) in
                    try await writer.write(.init(event: .delta("hi")))
                    try await writer.write(.init(event: .done(.init(finishReason: "stop"))))
                }
            ]),
    ]

    private let patient = CallOptions(timeoutMilliseconds: 60_000)

    /// One ping and its answer.
    private func ping(_ configuration: TollgateClientConfiguration) async throws {
        try await withCheckedClient(configuration) { client in
            let answer = try await DiagnosticsServiceClient(client)
                .ping(.init(payload: [7]), options: patient)
            #expect(answer.payload == [7])
        }
    }

    private func errorOfPing(_ configuration: TollgateClientConfiguration) async -> TollgateError? {
        await errorOf { try await ping(configuration) }
    }

    // MARK: Names

    @Test func `a name is looked up in the system, and the server answers`() async throws {
        try await withRPCServer(testConfiguration(port: 0), services: services) { server in
            let port = try #require(try await server.address).port
            try await ping(.init(address: "localhost:\(port)", credential: "key"))
        }
    }

    @Test func `two names may stand for one address`() async throws {
        try await withRPCServer(testConfiguration(port: 0), services: services) { server in
            let address = try #require(try await server.address)
            let targets = ["localhost:\(address.port)", address.description]
            let transport = ClusterTransport(
                targets.compactMap { ServerAddress($0) }, strategy: .roundRobin
            ) { address in
                SocketTransport(
                    .address(host: address.host, port: address.port), credential: Array("k".utf8))
            }
            let client = TollgateClient(transport: transport)
            for _ in 0..<4 {
                _ = try await DiagnosticsServiceClient(client).ping(.init(), options: patient)
            }
            #expect(transport.inFlight[address.description] == 0)
            try await closeChecked(client)
        }
    }

    // MARK: Unix sockets

    /// Runs a server at a Unix socket while `body` runs.
    private func withUnixServer(_ body: (String) async throws -> Void) async throws {
        // Short: an address has room for 107 bytes.
        let folder = "/tmp/tollgate-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var configuration = testConfiguration(port: 0)
        // A socket's path may hold what separates addresses elsewhere.
        configuration.socketPath = "\(folder)/server,1:2.sock"
        try await withRPCServer(configuration, services: services) { server in
            try await body(try #require(try await server.address).description)
        }
    }

    @Test func `a Unix socket is an address, for calls and streams`() async throws {
        try await withUnixServer { address in
            #expect(address.hasPrefix("unix:/tmp/"))
            var configuration = TollgateClientConfiguration(address: address, credential: "key")
            try await withCheckedClient(configuration) { client in
                let answer = try await DiagnosticsServiceClient(client)
                    .ping(.init(payload: [7]), options: patient)
                #expect(answer.payload == [7])
                var signedIn = patient
                signedIn.authorization = "session"
                let deltas = try await ChatServiceClient(client).ask(.init(), options: signedIn) {
                    events in
                    try await events.reduce(into: []) { $0.append($1.event) }
                }
                #expect(deltas.first == .delta("hi"))
            }
            // Whatever is wanted elsewhere: it needs no encryption here.
            configuration.tls = TollgateClientTLS(authoritiesPath: "/nowhere.pem")
            try await ping(configuration)
        }
    }

    @Test func `a Unix socket that nobody serves is named`() async {
        let error = await errorOfPing(.init(address: "unix:/tmp/tollgate-nobody.sock"))
        #expect(error?.code == "unavailable")
        #expect(error?.message.contains("/tmp/tollgate-nobody.sock") == true)
    }

    // MARK: Encryption

    @Test func `a certificate is for the name that was called, not the number it stands for`()
        async throws
    {
        let certificate = try TestCertificate(name: "localhost")
        var server = testConfiguration(port: 0)
        server.tls = ServerTLS(certificatePath: certificate.path, keyPath: certificate.keyPath)
        try await withRPCServer(server, services: services) { server in
            let port = try #require(try await server.address).port
            var configuration = TollgateClientConfiguration(
                address: "localhost:\(port)", credential: "key",
                tls: TollgateClientTLS(authoritiesPath: certificate.path))
            try await ping(configuration)
            configuration.address = "127.0.0.1:\(port)"
            let number = await errorOfPing(configuration)
            #expect(number?.code == "unavailable")
            #expect(
                number?.message.contains("is for another name than 127.0.0.1") == true,
                "\(number?.message ?? "answered")")
            configuration.tls?.serverName = "localhost"
            try await ping(configuration)
            configuration.tls?.serverName = "bank.example"
            let name = await errorOfPing(configuration)
            #expect(
                name?.message.contains("is for another name than bank.example") == true,
                "\(name?.message ?? "answered")")
        }
    }

    @Test func `a certificate of an unknown authority is refused, and the reason told`()
        async throws
    {
        let certificate = try TestCertificate(name: "localhost")
        let other = try TestCertificate(name: "localhost")
        var server = testConfiguration(port: 0)
        server.tls = ServerTLS(certificatePath: certificate.path, keyPath: certificate.keyPath)
        try await withRPCServer(server, services: services) { server in
            let port = try #require(try await server.address).port
            // Nil believes the authorities of the system, none of which has signed it.
            for path in [other.path, nil] {
                let error = await errorOfPing(
                    .init(
                        address: "localhost:\(port)", credential: "key",
                        tls: TollgateClientTLS(authoritiesPath: path)))
                #expect(error?.code == "unavailable")
                #expect(
                    error?.message.contains(
                        "is not trusted: it has expired, or none of the authorities") == true,
                    "\(error?.message ?? "answered")")
            }
        }
    }
}
