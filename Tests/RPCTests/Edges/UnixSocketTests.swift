import Foundation
import Glibc
import NIOCore
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Calls over a socket in the file system.
@Suite(.serialized, .timeLimit(.minutes(2))) struct UnixSocketTests {
    private func withServer<Result>(
        _ path: String, _ body: (RPCServer) async throws -> Result
    ) async throws -> Result {
        try await withCountedServer(
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
        try await withSocketPath { path in
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
        try await withSocketPath { path in
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
        try await withSocketPath { path in
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

    @Test func `a server that has bound and does not listen yet keeps its place`() async throws {
        try await withSocketPath { path in
            // Another process between bind and listen: who connects is refused, as by nobody.
            let lock = open(path + ".lock", O_CREAT | O_RDWR, 0o600)
            #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
            let socket = try boundSocket(path)
            let inode = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber]
            await #expect(throws: RPCServerError.self) { try await withServer(path) { _ in } }
            let left = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber]
            #expect(left as? Int == inode as? Int)
            close(socket)
            close(lock)
            // It died: the kernel has freed its lock.
            try await withServer(path) { _ in
                let answer = try await echo(path)
                #expect(answer == [7])
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder(path)).isEmpty)
        }
    }

    private func folder(_ path: String) -> String {
        URL(filePath: path).deletingLastPathComponent().path()
    }

    /// A socket that is bound and does not listen.
    private func boundSocket(_ path: String) throws -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(status == 0)
        return descriptor
    }

    @Test func `pages are answered over it`() async throws {
        try await withSocketPath { path in
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
