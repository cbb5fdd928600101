import Foundation
import Storage
import Synchronization
import TollgateKernel

/// A real PostgreSQL server of this process's own, raised by `Scripts/postgres-for-tests` and gone
/// with the process, however that ends.
package final class PostgresServer: Sendable {
    /// Whether Debian's `postgresql` is here.
    package static var isInstalled: Bool {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return versions.contains {
            FileManager.default.isExecutableFile(atPath: "\(root)/\($0)/bin/initdb")
        }
    }

    /// What tests say when it is not.
    package static let skipped = "SKIPPED: PostgreSQL is not installed (apt-get install postgresql)"

    /// The server that tests share; each takes a schema of its own.
    package static func shared() throws -> PostgresServer { try sharedResult.get() }

    private static let sharedResult = Result { try PostgresServer() }

    private let process: Process
    private let commands: FileHandle
    private let answers: Mutex<FileHandle>
    /// Where it listens.
    package let port: Int
    /// Its folder: data, socket, log.
    package let folder: String

    /// Raises a server, with settings that count before the script's own.
    package init(settings: [String] = []) throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Scripts/postgres-for-tests").standardized
        let input = Pipe()
        let output = Pipe()
        process = Process()
        process.executableURL = script
        process.arguments = settings
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        commands = input.fileHandleForWriting
        let handle = output.fileHandleForReading
        let words = Self.line(handle).split(separator: " ")
        guard words.count == 6, words[0] == "ready", let port = Int(words[2]) else {
            throw Failure(.internalError, "postgres-for-tests is not ready: \(words)")
        }
        self.port = port
        folder = String(words[5])
        answers = Mutex(handle)
    }

    /// Lets go of the server: it stops.
    package func end() {
        try? commands.close()
        process.waitUntilExit()
    }

    /// Tells the script `stop`, `crash` or `start`, and waits until it is done.
    package func tell(_ command: String) throws {
        try answers.withLock { handle in
            try commands.write(contentsOf: Data("\(command)\n".utf8))
            let answer = Self.line(handle)
            guard answer == "done" else {
                throw Failure(.internalError, "postgres-for-tests answered “\(answer)”")
            }
        }
    }

    /// The address of a schema, which must exist before something is stored.
    package func address(schema: String, application: String = "tests") -> String {
        "postgres://postgres@127.0.0.1:\(port)/postgres?application_name=\(application)"
            + "&options=-csearch_path%3D\(schema)"
    }

    /// Makes a schema of its own and tells its name.
    package func makeSchema() throws -> String {
        let name = "t\(UInt64.random(in: 0...UInt64.max))"
        try run("CREATE SCHEMA \(name)")
        return name
    }

    /// Runs a text as the superuser, and gives what psql prints: values without decoration.
    @discardableResult
    package func run(_ sql: String, schema: String = "public") throws -> String {
        let psql = Process()
        let input = Pipe()
        let output = Pipe()
        psql.executableURL = URL(filePath: "/usr/bin/psql")
        psql.arguments = [
            address(schema: schema, application: "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1",
        ]
        psql.standardInput = input
        psql.standardOutput = output
        try psql.run()
        try input.fileHandleForWriting.write(contentsOf: Data(sql.utf8))
        try input.fileHandleForWriting.close()
        let told = try output.fileHandleForReading.readToEnd() ?? Data()
        psql.waitUntilExit()
        guard psql.terminationStatus == 0 else {
            throw Failure(.internalError, "psql failed: \(sql)")
        }
        return String(decoding: told, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    private static func line(_ handle: FileHandle) -> String {
        var bytes: [UInt8] = []
        while let byte = try? handle.read(upToCount: 1), let first = byte.first, first != 10 {
            bytes.append(first)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
