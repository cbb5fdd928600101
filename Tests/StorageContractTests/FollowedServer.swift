import Foundation
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// A server of the test's own, and programs that follow it.
///
/// None of them is waited for: `pg_basebackup` starts another of its kind, which keeps open
/// what tells of its parent's end. What is looked at is the server, and for a time only.
final class FollowedServer: Sendable {
    let server: PostgresServer
    private let programs: String
    private let running = Mutex<[Process]>([])

    init() throws {
        server = try PostgresServer(settings: ["wal_level=logical"])
        let root = "/usr/lib/postgresql"
        let versions = try FileManager.default.contentsOfDirectory(atPath: root)
        let newest = versions.max {
            ($0 as NSString).doubleValue < ($1 as NSString).doubleValue
        }
        programs = "\(root)/\(try #require(newest))/bin"
    }

    var folder: String { server.folder }

    /// Starts one of PostgreSQL's programs as the server's own user, in its folder.
    @discardableResult
    func start(_ program: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.currentDirectoryURL = URL(filePath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let command = ["\(programs)/\(program)"] + arguments
        // PostgreSQL refuses to run as root.
        let asUser =
            getuid() == 0
            ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] : []
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = asUser + command
        try process.run()
        running.withLock { $0.append(process) }
        return process
    }

    /// Starts one that connects.
    @discardableResult
    func follow(_ program: String, _ arguments: [String]) throws -> Process {
        try start(
            program,
            ["-h", "127.0.0.1", "-p", "\(server.port)", "-U", "postgres", "-w"] + arguments)
    }

    /// What a user sees of those who follow.
    func standbys(seenBy user: String) throws -> Int64 {
        let connection = try PostgreSQLConnection(
            PostgreSQLTarget("postgres://\(user)@127.0.0.1:\(server.port)/postgres"),
            waitMilliseconds: 10_000)
        return try PostgreSQLStandbys.look(connection).count
    }

    /// Whether as many follow of whom a condition holds.
    func follow(_ count: Int, where condition: String) throws -> Bool {
        try server.run("SELECT COUNT(*) FROM pg_stat_replication WHERE \(condition)")
            == "\(count)"
    }

    /// Ends who follows under a name from the server's side, and so what it has started, which
    /// blocks the signals that its parent would send.
    func sendAway(_ name: String) async throws -> Bool {
        try server.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_replication
            WHERE application_name = '\(name)'
            """)
        return try await eventually { try follow(0, where: "application_name = '\(name)'") }
    }

    /// Ends the programs, each with those of its group, and the server, at which every other
    /// one that follows ends.
    func end() async throws {
        let running = running.withLock { $0 }
        for process in running where process.isRunning {
            let number = process.processIdentifier
            kill(getpgid(number) == number ? -number : number, SIGKILL)
        }
        server.end()
        // Those who stay are somebody's to see, and keep no test waiting.
        #expect(try await eventually(within: 30) { running.allSatisfy { !$0.isRunning } })
    }

    /// Copies the server as it is, for a standby of it.
    func copyForStandby() async throws {
        let copy = try follow(
            "pg_basebackup",
            ["-D", standbyFolder, "--write-recovery-conf", "--checkpoint=fast"])
        #expect(try await eventually { !copy.isRunning })
        #expect(copy.terminationStatus == 0)
    }

    /// Starts the standby, which is reached by a socket in its folder alone.
    @discardableResult
    func startStandby() throws -> Process {
        try start(
            "postgres",
            [
                "-D", standbyFolder, "-c", "listen_addresses=",
                "-c", "unix_socket_directories=\(standbyFolder)",
            ])
    }

    private var standbyFolder: String { "\(folder)/standby" }

    /// The standby's address.
    func standbyAddress(schema: String = "public") -> String {
        "postgres://postgres@/postgres?host=\(standbyFolder)&port=\(server.port)"
            + "&application_name=replica&options=-csearch_path%3D\(schema)"
    }

    /// Runs a text at the standby; false while it takes none.
    func tellStandby(_ text: String) -> Bool {
        guard let target = try? PostgreSQLTarget(standbyAddress()),
            let connection = try? PostgreSQLConnection(target, waitMilliseconds: 10_000)
        else { return false }
        return (try? connection.execute(text)) != nil
    }

    /// Lends a server with programs, and ends them whatever becomes of the test.
    static func with(_ body: (FollowedServer) async throws -> Void) async throws {
        let followed = try FollowedServer()
        do {
            try await body(followed)
        } catch {
            try? await followed.end()
            throw error
        }
        try await followed.end()
    }
}
