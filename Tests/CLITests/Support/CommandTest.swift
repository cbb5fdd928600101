import CLI
import Foundation
import Synchronization
import TollgateClient
import TollgateKernel
import TollgateRPC

/// What a command wrote and how it ended.
struct Outcome: Sendable {
    let status: Int32
    let output: String
    let errors: String

    /// The lines of standard output.
    var lines: [String] {
        output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map(String.init)
    }
}

/// One person's machine: runs commands against a server whose handlers the test wrote.
///
/// The frames are real: the server is the product's own, reached inside the process.
final class CommandTest: Sendable {
    /// 2026-01-31T06:05:09Z.
    static let began: Int64 = 1_769_839_509_000

    let folder: TemporaryFolder
    let clock = TestClock(at: began)
    let interrupts = Interrupts()
    let output: CapturedText
    let errors: CapturedText
    let input: ScriptedInput
    private let keys = Mutex(0)
    private let variables: [String: String]
    private let userName: String?

    init(
        isTerminal: Bool = false, columns: Int? = nil, input: ScriptedInput = ScriptedInput([]),
        closesAfterWrites: Int = .max, variables: [String: String] = [:], userName: String? = nil
    ) throws {
        self.variables = variables
        self.userName = userName
        folder = try TemporaryFolder()
        output = CapturedText(
            isTerminal: isTerminal, columns: columns, closesAfterWrites: closesAfterWrites)
        errors = CapturedText(isTerminal: isTerminal, columns: columns)
        self.input = input
        for role in ["cli", "admin", "web", "jobs"] {
            try folder.write(role, to: ".tollgate/credentials/\(role)")
        }
    }

    /// Signs the person in, as a login would have.
    func signIn(token: String = "session-of-ann", expiresIn milliseconds: Int64 = 60_000) throws {
        try profile().keep(
            LoginSession(
                server: ServerAddress.standard, token: token, account: "0H2K9QW3ZT4BM",
                expiresAtMilliseconds: Self.began + milliseconds))
    }

    /// The profile that commands use.
    func profile() throws -> Profile {
        try Profile(name: "default", folder: folder.path + "/.config/tollgate")
    }

    /// Runs a command line against a server with these methods.
    func run(_ arguments: String..., against methods: [MethodRegistration]) async throws -> Outcome
    {
        try await run(arguments, against: methods)
    }

    /// Runs a command line against a server with these methods.
    func run(_ arguments: [String], against methods: [MethodRegistration]) async throws -> Outcome {
        var configuration = RPCServerConfiguration(credentials: .verified(by: NamedRoles()))
        configuration.host = nil
        configuration.eventLoops = 1
        let services = Dictionary(grouping: methods, by: \.descriptor.service)
            .map { ServiceRegistration(name: $0.key, methods: $0.value) }
        return try await withRPCServer(configuration, services: services) { server in
            await run(arguments, connector: InProcessConnector(server: server))
        }
    }

    /// Runs a command line with whatever the connector reaches.
    func run(_ arguments: [String], connector: any ServerConnector) async -> Outcome {
        let variables = self.variables.merging(["HOME": folder.path, "TERM": "dumb"]) { $1 }
        let clock = clock
        let environment = CommandEnvironment(
            variables: variables,
            console: Console(output: output, errors: errors, variables: variables),
            input: input, interrupts: interrupts, takeSignals: { _ in }, servers: connector,
            timeZone: .gmt, now: { clock.now }, sleep: { try await clock.sleep($0) },
            newKey: { [self] in
                keys.withLock { count in
                    count += 1
                    return "key-\(count)"
                }
            }, userName: { [userName] in userName })
        let status = await CommandRunner.run(TestRoot.self, arguments, in: environment)
        return Outcome(status: status, output: output.text, errors: errors.text)
    }

    /// Waits until standard output or standard error holds a text; false after ten seconds.
    func sees(_ text: String) async -> Bool {
        for _ in 0..<2_000 {
            if output.text.contains(text) || errors.text.contains(text) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

/// Reaches a server inside the process.
private struct InProcessConnector: ServerConnector {
    let server: RPCServer

    func withClient<Value: Sendable>(
        server address: String, credential: String,
        _ body: (TollgateClient) async throws -> Value
    ) async throws -> Value {
        let transport = SocketTransport(
            .inProcess(server), credential: Array(credential.utf8))
        let client = TollgateClient(transport: transport)
        do {
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            throw error
        }
    }
}

/// Knows the credentials `web`, `jobs`, `admin` and `cli` by their names.
struct NamedRoles: CredentialVerifier {
    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        let name = String(decoding: credential, as: UTF8.self)
        return ServiceRole(rawValue: name).map { ConnectionIdentity(name: name, role: $0) }
    }
}
