import Foundation
import Glibc
import Testing
import TollgateKernel
import TollgateRPC

@testable import Tollgate

/// What a person is told when a role cannot have its address.
struct ListenFailureTests {
    private func failure(
        _ address: Address, _ body: () async throws -> Void
    ) async -> Failure? {
        await #expect(throws: Failure.self) {
            try await ListenFailure.telling(address, flag: "--server", body)
        }
    }

    private func listen(_ address: Address) async throws {
        var configuration = RPCServerConfiguration(credentials: .none)
        configuration.host = address.host
        configuration.port = address.port
        configuration.socketPath = address.path
        try await RPCServer(configuration, services: []).run()
    }

    @Test func `a port in use is named, with the flag that chooses another`() async throws {
        let taken = try TakenPort()
        defer { taken.close() }
        let address = Address(host: "127.0.0.1", port: taken.port)
        let failure = await failure(address) { try await listen(address) }
        #expect(failure?.code == .unavailable)
        #expect(
            failure?.message == "127.0.0.1:\(taken.port) is in use; choose another with --server.")
    }

    @Test func `a socket's missing folder is named`() async throws {
        let address = Address(host: "", port: 0, path: "/nosuchfolder/x.sock")
        let failure = await failure(address) { try await listen(address) }
        #expect(failure?.message.contains("The folder /nosuchfolder does not exist") == true)
    }

    @Test func `a command line that makes no sense is one`() async throws {
        let address = Address(host: "0.0.0.0", port: 0)
        let failure = await failure(address) { try await listen(address) }
        #expect(failure?.code == .invalidRequest)
    }

    @Test func `a text that is no address is told by the flag or the setting it came from`()
        async throws
    {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-address-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let fallback = Address(host: "127.0.0.1", port: 7_400)
        let given = try await Settings(
            folder: DataFolder(path: path), flags: ["server.address": "foo"])
        for (flag, origin) in [
            ("--listen", "--listen"), (nil, "The setting server.address (TOLLGATE_SERVER_ADDRESS)"),
        ] {
            let failure = #expect(throws: Failure.self) {
                try given.address("server.address", default: fallback, flag: flag)
            }
            #expect(failure?.code == .invalidRequest)
            #expect(
                failure?.message == "\(origin) takes HOST:PORT, such as 127.0.0.1:7400, not “foo”.")
        }
        try "{\"server\": {\"address\": \"bar\"}}"
            .write(toFile: "\(path)/tollgate.json", atomically: true, encoding: .utf8)
        let filed = try await Settings(folder: DataFolder(path: path), flags: [:])
        let failure = #expect(throws: Failure.self) {
            try filed.address("server.address", default: fallback, flag: "--listen")
        }
        #expect(failure?.message.hasPrefix("The setting server.address") == true)
    }

    @Test func `home is what the environment says`() throws {
        let home = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-home-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: home) }
        #expect(try DataFolder(path: "~/.tollgate", home: home).path == "\(home)/.tollgate")
    }

    @Test func `a folder is waited for, since roles start in any order, but not for ever`()
        async throws
    {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-folder-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let failure = await #expect(throws: Failure.self) {
            try await DataFolder.awaitFilled(path: path, home: nil, waitMilliseconds: 100)
        }
        #expect(failure?.message.contains("start the server on this folder first") == true)
        #expect(!FileManager.default.fileExists(atPath: path))

        async let isFilled: Void = DataFolder.awaitFilled(path: path, home: nil)
        try await Task.sleep(for: .milliseconds(200))
        let folder = try DataFolder(path: path)
        _ = try folder.credential(.web)
        try await isFilled
    }

    @Test func `what to type next can be typed`() {
        let place = "/opt/tollgate/.build/release/tollgate"
        #expect(StartReport.program(["PATH": "/nosuchfolder"], executable: place) == place)
        let spaced = StartReport.program([:], executable: "/my programs/tollgate")
        #expect(spaced == "'/my programs/tollgate'")
    }
}

/// A port of the loopback address that somebody listens on.
struct TakenPort {
    let descriptor: CInt
    let port: Int

    init() throws {
        port = try FreePort.take()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, listen(descriptor, 1) == 0 else {
            throw Failure(.unavailable, "no port")
        }
    }

    func close() { Glibc.close(descriptor) }
}
