import Foundation
import Sandbox
import TestSupport
import Testing
import TollgateClient
import TollgateKernel

/// Two servers in processes of their own, on one schema of a real PostgreSQL, with a web tier and
/// the sandbox's upstreams.
struct TwoServers: Sendable {
    /// The processes: `serve` is the first server, `second` the other.
    let loop: RunningLoop
    /// Where the first server listens, and where the second.
    let addresses: [String]
    /// Their processes, in the same order.
    static let names = ["serve", "second"]
    private let postgres: PostgresServer
    private let schema: String

    /// Runs a body with two servers that listen, and takes all down afterwards.
    ///
    /// - Parameter web: Whether the web tier knows both servers, or the first alone.
    static func with(
        webKnowsBoth: Bool, _ body: (TwoServers) async throws -> Void
    ) async throws {
        let pair = try TwoServers()
        do {
            try await pair.start(webKnowsBoth: webKnowsBoth)
            try await body(pair)
        } catch {
            let logs = ["serve", "second", "web", "jobs", "jobs-2"].map { name in
                "\(name): \(pair.loop.log(name))"
            }
            Issue.record("\(logs.joined(separator: "\n"))")
            await pair.loop.end()
            throw error
        }
        await pair.loop.end()
    }

    private init() throws {
        postgres = try PostgresServer.shared()
        schema = try postgres.makeSchema()
        loop = try RunningLoop([
            "TOLLGATE_STORE_ADDRESS": postgres.address(schema: schema),
            "TOLLGATE_TRIAL_CALLS_PER_DAY": "0",
            "TOLLGATE_WELCOME_MICRO_CREDITS": "\(Guest.welcomeCredits * 1_000_000)",
        ])
        addresses = [loop.server, "127.0.0.1:\(try FreePort.take())"]
    }

    private func start(webKnowsBoth: Bool) async throws {
        try loop.start("sandbox")
        try loop.start("serve")
        try await listening("serve")
        // A second server has the keys of the first.
        let folder = "\(loop.folder)/second"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        for name in ["keys", "credentials"] {
            try FileManager.default.copyItem(
                atPath: "\(loop.folder)/data/\(name)", toPath: "\(folder)/\(name)")
        }
        try loop.start("second", as: ["serve", "--data", folder, "--listen", addresses[1]])
        let known = webKnowsBoth ? addresses.joined(separator: ",") : addresses[0]
        try loop.start("web", as: ["web", "--server", known])
        try await listening("second")
    }

    /// Waits until a role says that it listens.
    func listening(_ name: String) async throws {
        _ = try await loop.eventually { loop.output(name).contains("listening ") ? true : nil }
    }

    /// Starts a second process of jobs beside the first.
    func startJobs() async throws {
        for name in ["jobs", "jobs-2"] {
            try loop.start(name, as: ["jobs", "serve", "--listen", "127.0.0.1:0"])
        }
        for name in ["jobs", "jobs-2"] {
            _ = try await loop.eventually { loop.output(name).contains("ready") ? true : nil }
        }
    }

    /// Asks the database itself.
    func books(_ sql: String) throws -> String { try postgres.run(sql, schema: schema) }

    /// Locks rows of the database until told to let go.
    func lock(_ sql: String) throws -> HeldLock {
        try HeldLock(sql, at: postgres.address(schema: schema, application: "lock"))
    }

    /// The code that the official account sends to a phone.
    func code(for name: String) async throws -> String {
        try await loop.eventually { () async throws -> String? in
            _ = try await loop.sandbox.follow(phone: name)
            let reply = try await loop.sandbox.send("login", phone: name).reply ?? ""
            return reply.firstMatch(of: /[0-9A-Z]{4}-[0-9A-Z]{4}/).map { String($0.output) }
        }
    }

    /// Signs somebody in with a fresh code.
    func signIn(_ name: String, through client: TollgateClient) async throws -> Guest {
        try await Guest(name, code: code(for: name), through: client)
    }
}

/// A transaction of somebody else that holds locks until it ends.
final class HeldLock: Sendable {
    private let process: Process
    private let input: FileHandle

    /// Takes the locks of a statement and keeps them.
    fileprivate init(_ sql: String, at address: String) throws {
        let (commands, output) = (Pipe(), Pipe())
        process = Process()
        process.executableURL = URL(filePath: "/usr/bin/psql")
        process.arguments = [address, "-XqAt", "-v", "ON_ERROR_STOP=1"]
        process.standardInput = commands
        process.standardOutput = output
        try process.run()
        input = commands.fileHandleForWriting
        try input.write(contentsOf: Data("BEGIN;\n\(sql);\n\\echo locked\n".utf8))
        var told = Data()
        while !told.contains(Data("locked\n".utf8)) {
            guard let more = try output.fileHandleForReading.read(upToCount: 1) else {
                throw Failure(.internalError, "psql ended before it had the lock: \(sql)")
            }
            told += more
        }
    }

    /// Lets go of them, as if it had never been.
    func release() throws {
        try input.close()
        process.waitUntilExit()
    }
}
