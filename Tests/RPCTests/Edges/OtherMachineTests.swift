import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// What peers on other machines may do: a server's own first handlers, on a channel that says
/// where its ends are.
@Suite(.serialized, .timeLimit(.minutes(1))) struct OtherMachineTests {
    private let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
        try certificates.make("server", commonName: "server", alternatives: "DNS:localhost")
    }

    private func server(
        _ change: (inout RPCServerConfiguration) -> Void = { _ in }
    ) throws -> RPCServer {
        let configuration = testConfiguration {
            $0.host = "0.0.0.0"
            $0.tls = ServerTLS(
                certificatePath: certificates.path("server.pem"),
                keyPath: certificates.path("server.key"))
            $0.pages.metrics = { "a_total 1\n" }
            change(&$0)
        }
        return try RPCServer(configuration, services: testServices(Events()))
    }

    /// What a server answers to a connection's bytes, and whether it leaves it open.
    private func answer(
        of server: RPCServer, to bytes: ByteBuffer, from peer: String, at local: String
    ) throws -> (bytes: ByteBuffer, isOpen: Bool) {
        let channel = EmbeddedChannel()
        let loop = LoopContext(eventLoop: channel.embeddedEventLoop, number: 0)
        channel.localAddress = try SocketAddress(ipAddress: local, port: 7_400)
        channel.remoteAddress = try SocketAddress(ipAddress: peer, port: 50_000)
        try RPCServer.configure(channel, server.core, [loop]).wait()
        try channel.connect(to: SocketAddress(ipAddress: peer, port: 50_000)).wait()
        if channel.isActive { try channel.writeInbound(bytes) }
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
        var answer = ByteBuffer()
        while let more = try channel.readOutbound(as: ByteBuffer.self) {
            answer.writeImmutableBuffer(more)
        }
        let isOpen = channel.isActive
        _ = try? channel.finish(acceptAlreadyClosed: true)
        #expect(loop.population == RPCServer.Population())
        #expect(server.core.edge.connectionCount == 0)
        return (answer, isOpen)
    }

    private var echo: ByteBuffer {
        get throws {
            try plainRequest("test.Service", "Echo", id: 7, payload: "x") {
                $0.authenticationData = Array("web".utf8)
            }
        }
    }

    private func page(_ path: String, credential: String? = nil, host: String = "x") -> ByteBuffer {
        let authorization = credential.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return ByteBuffer(
            string: "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\(authorization)\r\n")
    }

    private static let elsewhere = ["192.0.2.9", "2001:db8::9", "::ffff:192.0.2.9"]

    @Test(arguments: elsewhere + ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    func `beside a certificate only this machine may be plain, unless a word allows it`(
        peer: String
    ) throws {
        let local = peer.contains(":") ? "2001:db8::7" : "192.0.2.7"
        let isElsewhere = Self.elsewhere.contains(peer)
        let encrypting = try server()
        let calls = try answer(of: encrypting, to: try echo, from: peer, at: local)
        let pages = try answer(of: encrypting, to: page("/health"), from: peer, at: local)
        for answer in [calls, pages] {
            #expect(answer.isOpen == !isElsewhere)
            #expect((answer.bytes.readableBytes == 0) == isElsewhere)
        }
        let insecure = try server { $0.isInsecure = true }
        let allowed = try answer(of: insecure, to: try echo, from: peer, at: local)
        let frame = try #require(try frames(allowed.bytes).first)
        #expect(try frame.callMeta().response?.errorCode == 0)
        let unencrypted = try server {
            $0.tls = nil
            $0.isInsecure = true
        }
        let page = try answer(of: unencrypted, to: page("/health"), from: peer, at: local)
        #expect(String(buffer: page.bytes).hasPrefix("HTTP/1.1 200 "))
    }

    @Test func `a handshake is taken from anywhere, and goes before everything else`() throws {
        let server = try server()
        let hello = ByteBuffer(bytes: [0x16, 0x03, 0x01, 0x02, 0x00])
        let answer = try answer(of: server, to: hello, from: "192.0.2.9", at: "192.0.2.7")
        #expect(answer.isOpen)
        #expect(answer.bytes.readableBytes == 0)
    }

    @Test func `where a connection leads is decided by its bytes and its peer`() {
        let peer = PeerAddress.network([192, 0, 2, 9])
        func opening(
            _ text: String, isEncrypted: Bool, mayBePlain: Bool, from peer: PeerAddress
        ) -> ProtocolSniffer.Opening? {
            ProtocolSniffer.opening(
                text.utf8.reduce(0) { $0 << 8 | UInt32($1) }, isEncrypted: isEncrypted,
                mayBePlain: mayBePlain, peer: peer)
        }
        for (text, wanted) in [
            ("PRPC", .calls), ("STRM", .calls), ("GET ", .requests), ("POST", .requests),
            ("PRI ", nil), ("\u{16}\u{3}\u{1}\u{2}", .encryption),
        ] as [(String, ProtocolSniffer.Opening?)] {
            let isHandshake = wanted == .encryption
            let plain = opening(text, isEncrypted: false, mayBePlain: false, from: peer)
            #expect(plain == (isHandshake ? .encryption : nil), "\(text)")
            let near = opening(text, isEncrypted: false, mayBePlain: false, from: .loopback)
            #expect(near == wanted, "\(text)")
            let allowed = opening(text, isEncrypted: false, mayBePlain: true, from: peer)
            #expect(allowed == wanted, "\(text)")
            let inside = opening(text, isEncrypted: true, mayBePlain: false, from: peer)
            #expect(inside == (isHandshake ? nil : wanted), "\(text): no TLS within TLS")
        }
    }

    @Test(arguments: ["/metrics", "/status", "/list", "/version", "/nothing"])
    func `from another machine pages need the admin's credential`(path: String) throws {
        let server = try server {
            $0.isInsecure = true
            $0.pages.version = "1.2.3"
        }
        func status(_ credential: String?, at local: String) throws -> Int? {
            let answer = try answer(
                of: server, to: page(path, credential: credential), from: "192.0.2.9", at: local)
            return Int(String(buffer: answer.bytes).dropFirst(9).prefix(3))
        }
        for credential in [nil, "", "stranger", "web", "jobs"] {
            #expect(try status(credential, at: "192.0.2.7") == 403, "\(credential ?? "none")")
        }
        let found = path == "/nothing" ? 404 : 200
        #expect(try status("admin", at: "192.0.2.7") == found)
        // Where only this machine comes, the name that was asked for guards instead.
        #expect(try status(nil, at: "127.0.0.1") == 421)
    }

    @Test func `whoever asks from another machine may know whether the server lives`() throws {
        let answer = try answer(
            of: try server { $0.isInsecure = true }, to: page("/health"), from: "192.0.2.9",
            at: "192.0.2.7")
        #expect(String(buffer: answer.bytes).hasPrefix("HTTP/1.1 200 "))
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("localhost", true),
        ("0.0.0.0", false), ("::", false), ("192.0.2.7", false), ("127.example.com", false),
        ("127.0.0.1.example.com", false), ("localhost.example.com", false),
    ])
    func `an address is this machine's own by what it is, not by how it begins`(
        host: String, isOwn: Bool
    ) throws {
        #expect(ListeningAddress.isLoopback(host) == isOwn)
        let configuration = testConfiguration { $0.host = host }
        if isOwn {
            _ = try RPCServer(configuration, services: [])
        } else {
            #expect(throws: RPCServerError.addressBeyondLoopback(host)) {
                try RPCServer(configuration, services: [])
            }
        }
    }
}
