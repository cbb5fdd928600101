internal import CPostgres
internal import Glibc
internal import TollgateKernel

/// Which server, database and user a store connects to, as a `postgres://` address or a
/// `key=value` string says; libpq reads it, with `PGPASSFILE`, `PGPASSWORD` and the like.
package struct PostgreSQLTarget: Sendable, CustomStringConvertible {
    private let options: [String: String]
    private var added: [String: String] = [:]

    /// What is wrong with an address; never names the password.
    package struct Malformed: Error, CustomStringConvertible {
        /// The sentence.
        package let description: String
    }

    /// Reads an address.
    package init(_ text: String) throws(Malformed) {
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(text, &message) else {
            // libpq's sentence may quote the address, password and all.
            PQfreemem(message)
            throw Malformed(
                description: "The store's address is not postgres://USER@HOST:PORT/DATABASE.")
        }
        defer { PQconninfoFree(parsed) }
        options = Self.values(parsed)
    }

    private static func values(
        _ parsed: UnsafeMutablePointer<PQconninfoOption>
    ) -> [String: String] {
        var values: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                values[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return values
    }

    /// What libpq takes where the address says nothing: from the environment (`PGHOST` and the
    /// like) and the service that `PGSERVICE` names.
    static var surroundings: [String: String] {
        guard let parsed = PQconndefaults() else { return [:] }
        defer { PQconninfoFree(parsed) }
        return values(parsed)
    }

    /// Whether a text is such an address, and not a folder.
    package static func isAddress(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    /// Whether the address itself holds the password.
    package var hasPassword: Bool { options["password"] != nil }

    /// Server and database; no user, no password.
    package var description: String {
        let host = options["host"] ?? options["hostaddr"] ?? "the default host"
        let port = options["port"].map { ":\($0)" } ?? ""
        return "\(host)\(port)/\(options["dbname"] ?? "")"
    }

    /// The same server with another requirement on what it is.
    func requiring(_ attributes: String) -> PostgreSQLTarget {
        var target = self
        target.added["target_session_attrs"] = attributes
        return target
    }

    /// Connects, taking as long as `connect_timeout` allows.
    func connect() -> OpaquePointer? {
        let wanted = parameters(in: Self.surroundings)
        let keywords = wanted.keys.sorted()
        var pointers = keywords.map { strdup($0) }
        var values = keywords.map { strdup(wanted[$0] ?? "") }
        defer { for pointer in pointers + values { free(pointer) } }
        pointers.append(nil)
        values.append(nil)
        return pointers.map { UnsafePointer($0) }.withUnsafeBufferPointer { pointers in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                PQconnectdbParams(pointers.baseAddress, values.baseAddress, 0)
            }
        }
    }

    /// What libpq is given to connect with.
    ///
    /// What leaves the machine is encrypted unless the address or its surroundings say otherwise:
    /// `prefer`, which is what libpq does if nobody says anything, is no such word.
    func parameters(in surroundings: [String: String]) -> [String: String] {
        var wanted = Self.defaults.merging(added) { $1 }
        let isUnsaid = ["", "prefer"].contains(surroundings["sslmode"] ?? "")
        if isUnsaid, isRemote(surroundings) { wanted["sslmode"] = "require" }
        return wanted.merging(options) { $1 }
    }

    private func isRemote(_ surroundings: [String: String]) -> Bool {
        func said(_ name: String) -> String {
            if let own = options[name], !own.isEmpty { return own }
            return surroundings[name] ?? ""
        }
        // A number counts before the name, wherever either was said.
        let hosts = said("hostaddr").isEmpty ? said("host") : said("hostaddr")
        return hosts.split(separator: ",").contains { host in
            // A path, and a name in the abstract namespace, are sockets of this machine.
            !host.hasPrefix("/") && !host.hasPrefix("@") && !host.hasPrefix("127.")
                && host != "localhost" && host != "::1"
        }
    }

    /// What the address need not say.
    ///
    /// Keep-alives find out in about ten seconds that the machine at the other end is gone, which
    /// TCP alone finds out in hours.
    private static let defaults = [
        "application_name": "tollgate",
        "client_encoding": "UTF8",
        "connect_timeout": String(Limits.storeConnectSeconds),
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
        "tcp_user_timeout": "10000",
    ]
}
