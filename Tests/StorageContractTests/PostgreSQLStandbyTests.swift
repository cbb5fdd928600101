import Foundation
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Who follows a PostgreSQL server and is a standby, and who only follows.
@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLStandbyTests {
    /// A server of the test's own, and programs that follow it.
    ///
    /// None of them is waited for: `pg_basebackup` starts another of its kind, which keeps open
    /// what tells of its parent's end. What is looked at is the server, and for a time only.
    private final class Followed: Sendable {
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
    }

    /// Lends a server with programs, and ends them whatever becomes of the test.
    private func withFollowed(_ body: (Followed) async throws -> Void) async throws {
        let followed = try Followed()
        do {
            try await body(followed)
        } catch {
            try? await followed.end()
            throw error
        }
        try await followed.end()
    }

    @Test
    func `who copies rows, keeps the log or makes a backup is no standby, and one who replays is`()
        async throws
    {
        try await withFollowed { followed in
            try followed.server.run(
                """
                CREATE ROLE plain LOGIN;
                CREATE PUBLICATION everything FOR ALL TABLES;
                SELECT pg_create_logical_replication_slot('copy', 'pgoutput')
                """)
            try followed.follow(
                "pg_recvlogical",
                [
                    "-d", "postgres", "--slot=copy", "--start", "--no-loop", "--file=/dev/null",
                    "-o", "proto_version=1", "-o", "publication_names=everything",
                ])
            let kept = "\(followed.folder)/log-kept"
            try FileManager.default.createDirectory(
                atPath: kept, withIntermediateDirectories: false)
            // Afterwards, so that no mask takes off what the server's user needs.
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: kept)
            try followed.follow("pg_receivewal", ["-D", kept, "--no-loop"])
            try followed.follow(
                "pg_basebackup",
                [
                    "-D", "\(followed.folder)/backup", "--wal-method=stream", "--checkpoint=fast",
                    "--max-rate=32k",
                ])
            // The backup follows twice: once for its files, once for the log meanwhile.
            #expect(try await eventually { try followed.follow(1, where: "state = 'backup'") })
            #expect(try await eventually { try followed.follow(3, where: "state = 'streaming'") })
            for user in ["postgres", "plain"] { #expect(try followed.standbys(seenBy: user) == 0) }
            #expect(try await followed.sendAway("pg_basebackup"))
            let copy = try followed.follow(
                "pg_basebackup",
                ["-D", "\(followed.folder)/standby", "--write-recovery-conf", "--checkpoint=fast"])
            #expect(try await eventually { !copy.isRunning })
            #expect(copy.terminationStatus == 0)
            try followed.start(
                "postgres",
                [
                    "-D", "\(followed.folder)/standby", "-c", "listen_addresses=",
                    "-c", "unix_socket_directories=\(followed.folder)/standby",
                ])
            // Of all who follow, it alone tells that it replays.
            #expect(
                try await eventually { try followed.follow(1, where: "replay_lsn IS NOT NULL") })
            #expect(try followed.follow(3, where: "state = 'streaming'"))
            for user in ["postgres", "plain"] { #expect(try followed.standbys(seenBy: user) == 1) }
        }
    }
}
