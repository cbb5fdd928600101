import Foundation
import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Encrypted calls on the same port, and services that are known by their certificate.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TLSTests {
    private let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
        try certificates.make(
            "server", commonName: "server", alternatives: "IP:127.0.0.1,DNS:localhost")
    }

    private func serverTLS(_ change: (inout ServerTLS) -> Void = { _ in }) -> ServerTLS {
        var tls = ServerTLS(
            certificatePath: certificates.path("server.pem"),
            keyPath: certificates.path("server.key"))
        change(&tls)
        return tls
    }

    private func withServer<Result>(
        _ tls: ServerTLS, _ body: (RPCServer, ListeningAddress) async throws -> Result
    ) async throws -> Result {
        let configuration = testConfiguration { $0.tls = tls }
        return try await withCountedServer(configuration, services: testServices(Events())) {
            server in
            try await body(server, try #require(try await server.address))
        }
    }

    /// The answer to one call over a connection of its own, or the error.
    private func call(
        _ method: MethodDescriptor, at address: ListeningAddress, tls: ClientTLS?,
        credential: String? = "web", milliseconds: Int64 = 10_000
    ) async -> Result<[UInt8], RPCError> {
        let transport = SocketTransport(
            .address(host: address.host, port: address.port),
            credential: credential.map { Array($0.utf8) }, tls: tls)
        let result: Result<[UInt8], RPCError>
        do throws(RPCError) {
            result = .success(
                try await transport.unary(
                    OutgoingCall(
                        method: method, payload: [1, 2],
                        deadline: CallDeadline(milliseconds: milliseconds))))
        } catch {
            result = .failure(error)
        }
        await transport.close()
        return result
    }

    private var trusting: ClientTLS { ClientTLS(authoritiesPath: certificates.path("ca.pem")) }

    @Test func `plain and encrypted calls share the port`() async throws {
        try await withServer(serverTLS()) { _, address in
            let encrypted = await call(TestMethods.echo, at: address, tls: trusting)
            #expect(encrypted == .success([1, 2]))
            let plain = await call(TestMethods.echo, at: address, tls: nil)
            #expect(plain == .success([1, 2]))
            let named = await call(
                TestMethods.echo, at: address,
                tls: ClientTLS(
                    authoritiesPath: certificates.path("ca.pem"), serverName: "localhost"))
            #expect(named == .success([1, 2]))
        }
    }

    @Test func `a client believes neither other authorities nor other names`() async throws {
        try certificates.makeAuthority("other")
        try await withServer(serverTLS()) { server, address in
            let other = await call(
                TestMethods.echo, at: address,
                tls: ClientTLS(authoritiesPath: certificates.path("other.pem")))
            #expect(Self.text(other)?.contains("is not trusted") == true)
            try certificates.make(
                "server", commonName: "server", alternatives: "DNS:localhost")
            server.core.certificates?.reload()
            let misnamed = await call(
                TestMethods.echo, at: address,
                tls: ClientTLS(
                    authoritiesPath: certificates.path("ca.pem"), serverName: "bank.example"))
            #expect(
                Self.text(misnamed)?.hasSuffix(
                    "is for another name than bank.example, which was called") == true)
        }
    }

    @Test func `what is wrong with a client's files is said with the file's name`() async throws {
        try certificates.make("second", commonName: "second", alternatives: "DNS:second")
        let empty = certificates.path("empty.pem")
        try Data().write(to: URL(fileURLWithPath: empty))
        let (own, key) = (certificates.path("server.pem"), certificates.path("second.key"))
        let faults: [(ClientTLS, String)] = [
            (ClientTLS(authoritiesPath: "/nowhere.pem"), "/nowhere.pem: No such file or directory"),
            (ClientTLS(authoritiesPath: empty), "\(empty) holds no certificate in PEM"),
            (ClientTLS(certificatePath: empty), "\(empty) holds no certificate in PEM"),
            // Without a path of its own the key is looked for in the certificate's file.
            (
                ClientTLS(certificatePath: own),
                "\(own) holds no private key in PEM, or a passphrase locks it"
            ),
            (
                ClientTLS(certificatePath: own, keyPath: key),
                "\(key) is not the key of the certificate in \(own)"
            ),
        ]
        try await withServer(serverTLS()) { _, address in
            for (tls, fault) in faults {
                let answer = await call(TestMethods.echo, at: address, tls: tls)
                #expect(
                    Self.text(answer)
                        == "No encrypted connection to \(address) can be made: \(fault)")
            }
        }
    }

    @Test func `a server without TLS is told from one that cannot be reached`() async throws {
        let configuration = testConfiguration { _ in }
        try await withCountedServer(configuration, services: testServices(Events())) { server in
            let address = try #require(try await server.address)
            let answer = await call(TestMethods.echo, at: address, tls: trusting)
            #expect(Self.text(answer)?.contains("does not speak TLS") == true)
            #expect(Self.error(answer)?.failure.code == .unavailable)
            #expect(Self.error(answer)?.isNotProcessed == true, "it may be tried elsewhere")
        }
    }

    private static func error(_ result: Result<[UInt8], RPCError>) -> RPCError? {
        if case .failure(let error) = result { error } else { nil }
    }

    private static func text(_ result: Result<[UInt8], RPCError>) -> String? {
        error(result)?.text
    }

    @Test func `a service is known by its certificate`() async throws {
        try certificates.make("jobs", commonName: "jobs.tollgate", alternatives: "DNS:j.tollgate")
        try certificates.make("guest", commonName: "guest", alternatives: "DNS:guest")
        try certificates.makeAuthority("other")
        try certificates.make(
            "forged", commonName: "jobs.tollgate", alternatives: "DNS:x", by: "other")
        let tls = serverTLS {
            $0.clientAuthoritiesPath = certificates.path("ca.pem")
            $0.roles = ["j.tollgate": .jobs]
        }
        func client(_ name: String) -> ClientTLS {
            ClientTLS(
                authoritiesPath: certificates.path("ca.pem"),
                certificatePath: certificates.path("\(name).pem"),
                keyPath: certificates.path("\(name).key"))
        }
        try await withServer(tls) { _, address in
            let jobs = await call(
                TestMethods.jobsOnly, at: address, tls: client("jobs"), credential: nil)
            #expect(jobs == .success([1, 2]), "the certificate is the credential")
            let guest = await call(
                TestMethods.jobsOnly, at: address, tls: client("guest"), credential: nil)
            #expect(throws: RPCError.self) { try guest.get() }
            let credential = await call(TestMethods.echo, at: address, tls: client("guest"))
            #expect(credential == .success([1, 2]), "others show a credential as before")
            let forged = await call(
                TestMethods.jobsOnly, at: address, tls: client("forged"), credential: nil)
            #expect(throws: RPCError.self) { try forged.get() }
        }
    }

    @Test func `new files are taken, broken ones change nothing`() async throws {
        try await withServer(serverTLS()) { server, address in
            let loaded = try #require(server.core.certificates)
            #expect(!loaded.reload(), "nothing changed")
            try "no certificate".write(
                toFile: certificates.path("server.pem"), atomically: true, encoding: .utf8)
            #expect(!loaded.reload())
            #expect(await call(TestMethods.echo, at: address, tls: trusting) == .success([1, 2]))
            try certificates.makeAuthority("next")
            try certificates.make(
                "server", commonName: "server", alternatives: "IP:127.0.0.1", by: "next")
            // The watch may have been first: what counts is what a connection gets.
            loaded.reload()
            let next = ClientTLS(authoritiesPath: certificates.path("next.pem"))
            #expect(await call(TestMethods.echo, at: address, tls: next) == .success([1, 2]))
        }
    }

    @Test func `HTTP is encrypted on the port as well`() async throws {
        try await withServer(serverTLS()) { server, address in
            let answer = try await RawPeer.connect(to: server, tls: trusting) { peer in
                try await peer.send(
                    ByteBuffer(
                        string: "GET /health HTTP/1.1\r\nHost: \(address)\r\n"
                            + "Connection: close\r\n\r\n"))
                return try await peer.text(until: "OK\n")
            }
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test func `what is no handshake ends the connection`() async throws {
        try await withServer(serverTLS()) { server, _ in
            try await RawPeer.connect(to: server) { peer in
                var bytes = ByteBuffer(bytes: [0x16, 0x03, 0x01, 0x00, 0x05])
                bytes.writeString("hello")
                try await peer.send(bytes)
                _ = try? await peer.rest()
            }
        }
        try await withTestServer(.socket) { _, server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(ByteBuffer(bytes: [0x16, 0x03, 0x01, 0x00, 0x05]))
                #expect(await peer.isClosed(), "there is no certificate")
            }
        }
    }

    @Test func `beyond this machine a certificate is needed, or a word`() throws {
        var configuration = testConfiguration { $0.host = "0.0.0.0" }
        #expect(throws: RPCServerError.addressBeyondLoopback("0.0.0.0")) {
            try RPCServer(configuration, services: [])
        }
        configuration.tls = serverTLS()
        _ = try RPCServer(configuration, services: [])
    }

    @Test func `what is wrong with a certificate's files is said with the file's name`() throws {
        try certificates.make("second", commonName: "second", alternatives: "DNS:second")
        let empty = certificates.path("empty.pem")
        try Data().write(to: URL(fileURLWithPath: empty))
        let right = serverTLS()
        let faults: [((inout ServerTLS) -> Void, String)] = [
            ({ $0.certificatePath = "/nowhere.pem" }, "/nowhere.pem: No such file or directory"),
            ({ $0.keyPath = "/nowhere.key" }, "/nowhere.key: No such file or directory"),
            ({ $0.certificatePath = empty }, "\(empty) holds no certificate in PEM"),
            (
                { $0.keyPath = empty },
                "\(empty) holds no private key in PEM, or a passphrase locks it"
            ),
            ({ $0.clientAuthoritiesPath = empty }, "\(empty) holds no certificate in PEM"),
            (
                { $0.keyPath = certificates.path("second.key") },
                "\(certificates.path("second.key")) is not the key of the certificate in "
                    + right.certificatePath
            ),
        ]
        for (change, sentence) in faults {
            let configuration = testConfiguration { $0.tls = serverTLS(change) }
            #expect(throws: RPCServerError.certificateUnreadable(sentence)) {
                try RPCServer(configuration, services: [])
            }
        }
    }
}
