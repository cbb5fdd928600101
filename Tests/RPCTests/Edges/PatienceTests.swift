import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Connections that never come to a call.
@Suite(.serialized, .timeLimit(.minutes(1))) struct PatienceTests {
    private let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
        try certificates.make("server", commonName: "server", alternatives: "IP:127.0.0.1")
    }

    private func echo(_ id: Int64, change: (inout RpcMeta) -> Void = { _ in }) throws -> ByteBuffer
    {
        try plainRequest("test.Service", "Echo", id: id, payload: "x") {
            $0.authenticationData = Array("web".utf8)
            change(&$0)
        }
    }

    /// A server that waits for a fifth of a second where it usually waits for ten.
    private func withServer(
        verifier: any CredentialVerifier = NamedRoles(), _ body: (RPCServer) async throws -> Void
    ) async throws {
        let configuration = testConfiguration {
            $0.limits.firstBytesMilliseconds = 200
            $0.credentials = .verified(by: verifier)
            $0.tls = ServerTLS(
                certificatePath: certificates.path("server.pem"),
                keyPath: certificates.path("server.key"))
        }
        try await withCountedServer(configuration, services: testServices(Events()), body)
    }

    @Test(arguments: [
        "", "50 52 50", "50 52 50 43", "50525043 00000026 0000001f 0a1b",
        // A handshake's first record, and none of what it announces.
        "16 03 01 02", "16 03 01 0200 01 0001fc 0303",
    ])
    func `whoever begins and does not go on is ended, and nobody else`(bytes: String) async throws {
        try await withServer { server in
            try await RawPeer.connect(to: server) { known in
                try await known.send(try echo(1))
                _ = try #require(try await known.frame())
                try await RawPeer.connect(to: server) { stranger in
                    try await stranger.send(hexBuffer(bytes))
                    #expect(try await stranger.rest().isEmpty)
                }
                // It has waited for longer than the stranger.
                try await known.send(try echo(2))
                #expect(try await known.frame()?.callMeta().correlationID == 2)
            }
        }
    }

    @Test func `whoever encrypts and says nothing is ended`() async throws {
        try await withServer { server in
            let tls = ClientTLS(authoritiesPath: certificates.path("ca.pem"))
            try await RawPeer.connect(to: server, tls: tls) { peer in
                try await peer.send(hexBuffer("50"))
                #expect(await peer.isClosed())
            }
            try await RawPeer.connect(to: server, tls: tls) { peer in
                try await peer.send(hexBuffer("50525043 00000026"))
                #expect(await peer.isClosed())
            }
        }
    }

    /// What is held back for a check that takes too long was not begun, and can be tried elsewhere.
    @Test func `a credential that is not checked in time ends its connection with a word`()
        async throws
    {
        let events = Events()
        try await withServer(verifier: StuckRoles(events: events)) { server in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try echo(7) { $0.envelopeExtension = .announcement })
                #expect(await events.wait(for: "verifying"))
                try await peer.send(
                    try plainRequest("test.Service", "Count", id: 8) {
                        $0.streamSettings = StreamSettings(
                            streamID: 5, needFeedback: false, writable: true)
                    })
                let call = try #require(try await peer.frame()).callMeta()
                #expect(call.correlationID == 7)
                #expect(call.response?.errorCode == RPCError.Code.limit)
                #expect(
                    call.response?.errorText == "The credential could not be checked in time")
                #expect(call.envelopeExtension?.notProcessed == true)
                let stream = try #require(try await peer.frame())
                #expect(try stream.streamMeta().streamID == 5)
                let inner = try #require(try frames(stream.body).first).callMeta()
                #expect(inner.correlationID == 8)
                #expect(inner.response?.errorCode == RPCError.Code.limit)
                #expect(try await peer.frame() == nil)
            }
            #expect(await events.wait(for: "given up"), "nobody waits for the verdict")
        }
    }

    @Test func `an idle connection over HTTP is ended as well`() async throws {
        let configuration = testConfiguration { $0.limits.idleMilliseconds = 50 }
        try await withHTTPServer(configuration: configuration) { server, host in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(
                    ByteBuffer(string: "GET /health HTTP/1.1\r\nHost: \(host)\r\n\r\n"))
                let answer = try await peer.rest()
                #expect(answer.hasSuffix("OK\n"))
            }
        }
    }
}

/// Says nothing about a credential until nobody wants to know.
private struct StuckRoles: CredentialVerifier {
    let events: Events

    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        events.report("verifying")
        try? await Task.sleep(for: .seconds(60))
        if Task.isCancelled { events.report("given up") }
        return ConnectionIdentity(name: "web", role: .web)
    }
}
