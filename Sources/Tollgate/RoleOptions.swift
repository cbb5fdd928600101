import ArgumentParser
import CLI
import Logging
import Observability
import TollgateKernel

/// What a command needs of the data folder that it is given.
enum FolderUse {
    /// It is made if it is not there, with keys and credentials.
    case made
    /// It may be there or not; nothing is made.
    case named
    /// It is there, whatever it holds.
    case existing
    /// A server has filled it.
    case filled
    /// As filled; it is waited for, since roles start in any order.
    case awaited
}

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
    /// - Parameter use: What has to be there.
    func settings(
        _ flags: [String: String?], folder use: FolderUse = .made
    ) async throws -> Settings {
        let variables = CommandEnvironment.current.variables
        try Settings.checkStoreFlag(store)
        let flags = flags.merging(["store.address": store]) { given, _ in given }
        let home = variables["HOME"].flatMap { $0.isEmpty ? nil : $0 }
        let path = data ?? variables["TOLLGATE_DATA"] ?? "~/.tollgate"
        switch use {
        case .made, .named: break
        case .existing: try DataFolder.checkExists(path: path, home: home)
        case .filled: try DataFolder.checkFilled(path: path, home: home)
        case .awaited: try await DataFolder.awaitFilled(path: path, home: home)
        }
        return try await Settings(
            folder: use == .named
                ? DataFolder(naming: path, home: home) : DataFolder(path: path, home: home),
            flags: flags.compactMapValues { $0 })
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
