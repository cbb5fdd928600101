import Foundation
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Who follows a PostgreSQL server and is a standby, and who only follows.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLStandbyTests {
    /// A server of the test's own, and programs that follow it.
    private final class Followed {
        let server: PostgresServer
        private let programs: String
        private var running: [Process] = []

        init() throws {
            server = try PostgresServer()
            let root = "/usr/lib/postgresql"
            let versions = try FileManager.default.contentsOfDirectory(atPath: root)
            let newest = versions.max {
                ($0 as NSString).doubleValue < ($1 as NSString).doubleValue
            }
            programs = "\(root)/\(try #require(newest))/bin"
            try server.run("ALTER SYSTEM SET wal_level = logical")
            try server.tell("stop")
            try server.tell("start")
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
            running.append(process)
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

        /// Whether as many follow in a state.
        func follow(_ count: Int, in state: String) throws -> Bool {
            try server.run("SELECT COUNT(*) FROM pg_stat_replication WHERE state = '\(state)'")
                == "\(count)"
        }

        /// Ends a program for good: those that a test starts block every other signal.
        func end(_ process: Process) {
            guard process.isRunning else { return }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        func end() {
            for process in running { end(process) }
            server.end()
        }
    }

    @Test
    func `who copies rows, keeps the log or makes a backup is no standby, and one who replays is`()
        async throws
    {
        let followed = try Followed()
        defer { followed.end() }
        try followed.server.run(
            """
            CREATE ROLE plain LOGIN;
            CREATE PUBLICATION everything FOR ALL TABLES;
            SELECT pg_create_logical_replication_slot('copy', 'pgoutput')
            """)
        try followed.follow(
            "pg_recvlogical",
            [
                "-d", "postgres", "--slot=copy", "--start", "--file=/dev/null",
                "-o", "proto_version=1", "-o", "publication_names=everything",
            ])
        let kept = "\(followed.folder)/log-kept"
        try FileManager.default.createDirectory(
            atPath: kept, withIntermediateDirectories: false)
        // Afterwards, so that no mask takes off what the server's user needs.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: kept)
        try followed.follow("pg_receivewal", ["-D", kept])
        let backup = try followed.follow(
            "pg_basebackup",
            [
                "-D", "\(followed.folder)/backup", "--wal-method=stream", "--checkpoint=fast",
                "--max-rate=32k",
            ])
        // The backup follows twice: once for its files, once for the log meanwhile.
        #expect(try await eventually(within: 60) { try followed.follow(1, in: "backup") })
        #expect(try await eventually(within: 60) { try followed.follow(3, in: "streaming") })
        for user in ["postgres", "plain"] { #expect(try followed.standbys(seenBy: user) == 0) }
        followed.end(backup)
        let copy = try followed.follow(
            "pg_basebackup",
            ["-D", "\(followed.folder)/standby", "--write-recovery-conf", "--checkpoint=fast"])
        copy.waitUntilExit()
        #expect(copy.terminationStatus == 0)
        try followed.start(
            "postgres",
            [
                "-D", "\(followed.folder)/standby", "-c", "listen_addresses=",
                "-c", "unix_socket_directories=\(followed.folder)/standby",
            ])
        for user in ["postgres", "plain"] {
            #expect(try await eventually(within: 60) { try followed.standbys(seenBy: user) == 1 })
        }
    }
}
