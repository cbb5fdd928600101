import Foundation
import TollgateKernel

/// A real PostgreSQL of a benchmark's own, which loses nothing that it has acknowledged; raised for
/// one run, and gone with it.
struct BenchPostgres: Sendable {
    /// The port on 127.0.0.1.
    let port: Int
    /// Who may do everything there.
    let user: String
    /// The folder of the programs of the server's version.
    let programs: String
    /// The server's version, once asked.
    private(set) var version = ""

    /// What raises it: `Scripts/postgres-for-tests`, as `Benchmarks/peers/build` leaves it.
    private static let peer = "postgres-server"

    /// What is said where it, or pgbench, is not installed.
    static let skipped =
        "SKIPPED: pgbench and our store on PostgreSQL; to be measured beside them: "
        + "apt-get install postgresql, then Benchmarks/peers/build (make bench does both)."

    /// The settings by which a commit is synced before it is answered; all are PostgreSQL's
    /// defaults.
    private static let durable = ["fsync", "full_page_writes", "synchronous_commit"]

    /// Where the programs of the newest installed version are; nil unless all that is needed is
    /// there.
    static func programs(below root: String = "/usr/lib/postgresql") -> String? {
        let files = FileManager.default
        let versions = (try? files.contentsOfDirectory(atPath: root)) ?? []
        guard let newest = versions.compactMap({ Int($0) }).max() else { return nil }
        let folder = "\(root)/\(newest)/bin"
        let isWhole = ["initdb", "pg_ctl", "pgbench", "psql"].allSatisfy { name in
            files.isExecutableFile(atPath: "\(folder)/\(name)")
        }
        return isWhole ? folder : nil
    }

    /// Runs `body` beside a server with room for so many clients; with nil where none is installed.
    ///
    /// - Throws: A ``Failure`` if it is installed and does not start, or would not sync commits.
    static func running<Value>(
        _ plan: BenchPlan, clients: Int, _ body: (BenchPostgres?) async throws -> Value
    ) async throws -> Value {
        guard let programs = programs(), plan.peers.has(peer) else {
            plan.progress(skipped)
            return try await body(nil)
        }
        plan.progress("raising PostgreSQL")
        let settings =
            durable.map { "\($0)=on" } + [
                "autovacuum=on", "shared_buffers=128MB",
                "max_connections=\(clients + Limits.benchSpareConnections)",
            ]
        // The run's folder is another one: a socket's path has 107 bytes at most.
        return try await ChildProcess.running(
            try plan.peers.path(peer), settings,
            environment: ["TOLLGATE_POSTGRES_PARENT": plan.folder]
        ) { process in
            let words = try await ready(process, folder: plan.folder).split(separator: " ")
            guard words.count >= 3, let port = Int(words[1]) else {
                throw Failure(.internalError, "\(peer) did not say where it listens.")
            }
            var server = BenchPostgres(port: port, user: String(words[2]), programs: programs)
            try await server.checkDurability()
            return try await body(server)
        }
    }

    private static func ready(_ process: ChildProcess, folder: String) async throws -> String {
        do {
            return try await process.rest(ofLine: "ready ")
        } catch let failure as Failure {
            throw Failure(
                failure.code,
                "PostgreSQL cannot be raised below \(folder), where the user postgres must be able "
                    + "to enter; choose another with --folder. \(failure.message)")
        }
    }

    private mutating func checkDurability() async throws {
        for name in Self.durable {
            guard try await query("SHOW \(name)") == "on" else {
                throw Failure(.internalError, "The benchmark's PostgreSQL runs without \(name).")
            }
        }
        version = try await query("SHOW server_version")
    }

    /// What a client program is told about where the server is.
    var arguments: [String] { ["--host=127.0.0.1", "--port=\(port)", "--username=\(user)"] }

    /// A database's address as the product takes it.
    func address(_ database: String) -> String {
        "postgres://\(user)@127.0.0.1:\(port)/\(database)"
    }

    /// Runs one statement as the superuser, outside a transaction; the values it gives.
    @discardableResult
    func query(_ statement: String) async throws -> String {
        let text = try await ChildProcess(
            "\(programs)/psql",
            arguments + [
                "--no-psqlrc", "--quiet", "--no-align", "--tuples-only",
                "--set=ON_ERROR_STOP=1", "--command=\(statement)", "postgres",
            ]
        ).result()
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
