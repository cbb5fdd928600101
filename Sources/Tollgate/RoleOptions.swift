import ArgumentParser
import CLI
import Logging
import Observability
import TollgateKernel

/// What every role is told alike.
struct RoleOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "The data folder: store, keys, credentials (TOLLGATE_DATA; default ~/.tollgate).")
    var data: String?

    @Option(
        name: .long,
        help: """
            postgres://USER@HOST:PORT/DATABASE, shared by several servers \
            (TOLLGATE_STORE_ADDRESS; default: SQLite in the data folder). The password comes from \
            PGPASSFILE, not from here.
            """)
    var store: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = "info"

    @Flag(name: .long, help: "Writes log lines as JSON.")
    var logJSON = false

    /// Opens the folder and reads the settings; `flags` go before environment and file.
    ///
    /// - Parameter mustExist: Whether a folder without credentials is waited for, then refused, not
    ///   filled.
    func settings(
        _ flags: [String: String?], mustExist: Bool = false
    ) async throws -> Settings {
        let variables = CommandEnvironment.current.variables
        try Settings.checkStoreFlag(store)
        let flags = flags.merging(["store.address": store]) { given, _ in given }
        let home = variables["HOME"].flatMap { $0.isEmpty ? nil : $0 }
        let path = data ?? variables["TOLLGATE_DATA"] ?? "~/.tollgate"
        if mustExist { try await DataFolder.awaitFilled(path: path, home: home) }
        return try await Settings(
            folder: DataFolder(path: path, home: home), flags: flags.compactMapValues { $0 })
    }

    /// Puts logs and metrics in place; once a process.
    func observability() throws -> PrometheusRegistry {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw ValidationError("There is no log level “\(logLevel)”.")
        }
        return Facades.install(level: level, format: logJSON ? .json : .text)
    }
}

/// Runs a role's body and tells its failures as commands tell theirs.
func role<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let failure as Failure {
        throw CommandFailure(
            code: failure.code.rawValue, message: failure.message,
            retryAfterMilliseconds: failure.retryAfterMilliseconds)
    }
}
