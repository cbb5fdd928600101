import Foundation
import Logging
import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Certificates that are replaced under a server that nobody tells.
@Suite(.serialized, .timeLimit(.minutes(2))) struct CertificateWatchTests {
    private let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
        try make("server", by: "ca")
    }

    private func make(_ name: String, by authority: String) throws {
        try certificates.make(
            name, commonName: name, alternatives: "IP:127.0.0.1", by: authority)
    }

    private func withServer(
        lines: Events, _ body: (RPCServer) async throws -> Void
    ) async throws {
        var tls = ServerTLS(
            certificatePath: certificates.path("server.pem"),
            keyPath: certificates.path("server.key"))
        tls.lookMilliseconds = 20
        let configuration = testConfiguration {
            $0.tls = tls
            $0.logger = LineLog.logger(lines)
        }
        try await withCountedServer(configuration, services: [], body)
    }

    /// Whether a new connection finds a certificate of an authority, sooner or later.
    private func isServed(_ server: RPCServer, by authority: String) async -> Bool {
        for _ in 0..<500 {
            if await hasCertificate(server, of: authority) { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    private func hasCertificate(_ server: RPCServer, of authority: String) async -> Bool {
        let tls = ClientTLS(authoritiesPath: certificates.path("\(authority).pem"))
        guard let address = try? await server.address else { return false }
        let answer = try? await RawPeer.connect(to: server, tls: tls) { peer in
            try await peer.send(
                ByteBuffer(string: "GET /health HTTP/1.1\r\nHost: \(address)\r\n\r\n"))
            return try await peer.text(until: "OK\n")
        }
        return answer?.hasPrefix("HTTP/1.1 200 ") == true
    }

    /// As certbot does: whole files take the names of the old ones.
    private func rename(_ name: String) throws {
        for type in ["pem", "key"] {
            let (new, old) = (certificates.path("\(name).\(type)"), path(type))
            #expect(Foundation.rename(new, old) == 0)
        }
    }

    /// As `cp` does: the old files get other bytes.
    private func overwrite(_ name: String) throws {
        for type in ["pem", "key"] {
            let text = try String(
                contentsOfFile: certificates.path("\(name).\(type)"), encoding: .utf8)
            try text.write(toFile: path(type), atomically: false, encoding: .utf8)
        }
    }

    private func path(_ type: String) -> String { certificates.path("server.\(type)") }

    @Test func `new handshakes find new files, whichever way they came`() async throws {
        for authority in ["second", "third"] {
            try certificates.makeAuthority(authority)
            try make("by-\(authority)", by: authority)
        }
        try await withServer(lines: Events()) { server in
            #expect(await hasCertificate(server, of: "ca"))
            try rename("by-second")
            #expect(await isServed(server, by: "second"))
            #expect(await !hasCertificate(server, of: "ca"))
            try overwrite("by-third")
            #expect(await isServed(server, by: "third"))
            #expect(await !hasCertificate(server, of: "second"))
        }
    }

    @Test func `a broken file changes nothing and is told once, until there is a whole one`()
        async throws
    {
        try certificates.makeAuthority("second")
        try make("by-second", by: "second")
        let lines = Events()
        let complaint = "\(path("pem")) holds no certificate in PEM"
        try await withServer(lines: lines) { server in
            try "half a certif".write(toFile: path("pem"), atomically: false, encoding: .utf8)
            #expect(await lines.wait(for: complaint))
            // What the watch does at each of its looks.
            for _ in 0..<3 { #expect(server.core.certificates?.reload() == false) }
            #expect(await hasCertificate(server, of: "ca"))
            try rename("by-second")
            #expect(await isServed(server, by: "second"))
            #expect(lines.all.count { $0 == complaint } == 1)
        }
    }
}
