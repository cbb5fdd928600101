import Foundation
import NIOCore
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Calls over a socket in the file system.
@Suite(.serialized, .timeLimit(.minutes(2))) struct UnixSocketTests {
    private func withPath<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        // Short: an address has room for 107 bytes.
        let folder = "/tmp/tollgate-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await body("\(folder)/server.sock")
    }

    private func withServer<Result>(
        _ path: String, _ body: (RPCServer) async throws -> Result
    ) async throws -> Result {
        try await withRPCServer(
            testConfiguration { $0.socketPath = path }, services: testServices(Events())
        ) { try await body($0) }
    }

    private func echo(_ path: String) async throws -> [UInt8] {
        let transport = SocketTransport(.unix(path: path), credential: Array("web".utf8))
        do {
            let answer = try await transport.answer(call(TestMethods.echo, [7]))
            await transport.close()
            return answer
        } catch {
            await transport.close()
            throw error
        }
    }

    @Test func `calls go over it, its owner alone may use it, and it goes with the server`()
        async throws
    {
        try await withPath { path in
            try await withServer(path) { server in
                let answer = try await echo(path)
                #expect(answer == [7])
                #expect(try await server.address?.description == "unix:\(path)")
                let mode = try FileManager.default.attributesOfItem(atPath: path)
                #expect(mode[.posixPermissions] as? Int == 0o600)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test func `a socket that nobody listens on any more is replaced`() async throws {
        try await withPath { path in
            // What a killed server leaves behind: bound, and closed without being removed.
            try await withServer(path) { _ in
                try FileManager.default.moveItem(atPath: path, toPath: path + ".kept")
            }
            try FileManager.default.moveItem(atPath: path + ".kept", toPath: path)
            try await withServer(path) { _ in
                let answer = try await echo(path)
                #expect(answer == [7])
            }
        }
    }

    @Test func `neither a living server's socket nor another file is taken`() async throws {
        try await withPath { path in
            try await withServer(path) { _ in
                await #expect(throws: RPCServerError.self) { try await withServer(path) { _ in } }
                let answer = try await echo(path)
                #expect(answer == [7], "the first one goes on")
            }
            try "precious".write(toFile: path, atomically: true, encoding: .utf8)
            await #expect(throws: RPCServerError.self) { try await withServer(path) { _ in } }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
            let long = path + String(repeating: "x", count: 200)
            await #expect(throws: RPCServerError.self) { try await withServer(long) { _ in } }
        }
    }

    @Test func `pages are answered over it`() async throws {
        try await withPath { path in
            try await withServer(path) { server in
                let answer = try await RawPeer.connect(to: server) { peer in
                    try await peer.send(
                        ByteBuffer(
                            string: "GET /health HTTP/1.1\r\nHost: localhost\r\n"
                                + "Connection: close\r\n\r\n"))
                    return try await peer.rest()
                }
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
        }
    }
}
