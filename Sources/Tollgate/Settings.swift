import Application
import Configuration
import Foundation
import TollgateKernel

/// A host and port, or a Unix socket, to listen on or to reach.
struct Address: Hashable, Sendable, CustomStringConvertible {
    /// An IP address or name.
    var host: String
    /// 0 lets the kernel choose when listening.
    var port: Int
    /// The path of a Unix socket, which has neither host nor port.
    var path: String?

    /// Reads `HOST:PORT`, `:PORT`, `PORT` or `unix:/PATH`; nil for anything else.
    init?(text: String, defaultHost: String = "127.0.0.1") {
        if text.hasPrefix("unix:") {
            guard text.utf8.count > 5 else { return nil }
            (host, port, path) = ("", 0, String(text.dropFirst(5)))
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let last = parts.last, let port = Int(last),
            (0...65_535).contains(port)
        else { return nil }
        host = parts.count == 2 && !parts[0].isEmpty ? String(parts[0]) : defaultHost
        self.port = port
    }

    init(host: String, port: Int, path: String? = nil) {
        self.host = host
        self.port = port
        self.path = path
    }

    var description: String { path.map { "unix:\($0)" } ?? "\(host):\(port)" }
}

/// What a role is told: flags before environment (`TOLLGATE_…`) before the data folder's
/// `tollgate.json`.
struct Settings: Sendable {
    private let reader: ConfigReader
    /// The settings that flags gave.
    private let flags: Set<String>
    /// The data folder.
    let folder: DataFolder

    /// Reads environment and file; `flags` are keys such as `server.address`.
    init(folder: DataFolder, flags: [String: String]) async throws {
        self.folder = folder
        self.flags = Set(flags.keys)
        let memory = flags.map { key, value in
            (AbsoluteConfigKey(stringLiteral: key), ConfigValue(.string(value), isSecret: false))
        }
        let file: FileProvider<JSONSnapshot>
        do {
            let location = InMemoryProvider(values: [
                "filePath": ConfigValue(.string(folder.settingsPath), isSecret: false),
                "allowMissing": ConfigValue(.bool(true), isSecret: false),
            ])
            file = try await FileProvider<JSONSnapshot>(config: ConfigReader(provider: location))
        } catch {
            throw Failure(
                .invalidRequest, "\(folder.settingsPath) is not a JSON object of settings: \(error)"
            )
        }
        reader = ConfigReader(providers: [
            InMemoryProvider(values: Dictionary(uniqueKeysWithValues: memory)),
            EnvironmentVariablesProvider().prefixKeys(with: "tollgate"),
            file,
        ])
    }

    /// A text setting.
    func text(_ key: String) -> String? { reader.string(forKey: ConfigKey(key)) }

    /// A secret text setting: never in access logs.
    func secret(_ key: String) -> String? { reader.string(forKey: ConfigKey(key), isSecret: true) }

    /// A number.
    ///
    /// - Throws: `Failure` with `.invalidRequest` for another text, or a number outside `range`.
    func number(_ key: String, within range: ClosedRange<Int64>) throws -> Int64? {
        guard let text = text(key) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw Failure(
                .invalidRequest,
                "The setting \(key) is a whole number from \(range.lowerBound) to "
                    + "\(range.upperBound), not “\(text)”.")
        }
        return number
    }

    /// An address.
    ///
    /// - Parameter flag: What gives it on the command line, for whoever gave another text there.
    func address(
        _ key: String, default fallback: Address, flag: String? = nil
    ) throws -> Address {
        guard let text = text(key) else { return fallback }
        guard let address = Address(text: text) else {
            let variable = "TOLLGATE_" + key.uppercased().replacing(".", with: "_")
            let origin = flags.contains(key) ? flag : nil
            throw Failure(
                .invalidRequest,
                "\(origin ?? "The setting \(key) (\(variable))") takes HOST:PORT, such as "
                    + "\(fallback), not “\(text)”.")
        }
        return address
    }

    /// Addresses to reach, separated by commas; the client spreads its calls over them.
    func addresses(_ key: String, default fallback: Address) throws -> [Address] {
        guard let text = text(key) else { return [fallback] }
        // A socket's path may have commas of its own, and the client takes one socket alone.
        guard !text.hasPrefix("unix:") else { return [try address(key, default: fallback)] }
        return try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let address = Address(text: part.trimmingCharacters(in: .whitespaces)) else {
                throw Failure(
                    .invalidRequest,
                    "The setting \(key) is HOST:PORT, or several with commas, not “\(text)”.")
            }
            return address
        }
    }

    /// What the operator decided.
    func policy() throws -> ServicePolicy {
        var policy = ServicePolicy()
        if let calls = try number("trial.callsPerDay", within: 0...Limits.callLimit) {
            policy.trialCallsPerDay = calls
        }
        if let micro = try number(
            "welcome.microCredits", within: 0...Limits.creditsInOneTransfer)
        {
            policy.welcomeGrant = Credits(micro: micro)
        }
        if let seconds = try number(
            "order.lifetimeSeconds", within: 1...Limits.orderLifetimeSeconds)
        {
            policy.orderLifetimeMilliseconds = seconds * 1_000
        }
        if let seconds = try number(
            "order.firstQuerySeconds", within: 0...Limits.orderLifetimeSeconds)
        {
            policy.firstPaymentQueryMilliseconds = seconds * 1_000
        }
        if let words = text("login.keywords") {
            policy.loginKeywords = Set(
                words.split(separator: ",").map {
                    $0.trimmingCharacters(in: .whitespaces).lowercased()
                })
        }
        return policy
    }
}
