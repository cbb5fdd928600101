package import TollgateClient

/// What flags, environment and files together say: flags first, then environment, then files.
package struct Settings: Sendable {
    /// Where the login session is kept.
    package let profile: Profile
    /// The session in it; nil if nobody is signed in.
    package let session: LoginSession?
    /// The server to call.
    package let server: ServerAddress
    /// How long each call may take, in milliseconds; nil takes the method's own default.
    package let timeoutMilliseconds: Int64?

    /// Whether calls are encrypted.
    package var isEncrypted: Bool { !variables["TOLLGATE_TLS_CA", default: ""].isEmpty }

    private let options: ConnectionOptions
    private let variables: [String: String]

    /// Resolves everything but the credential, which is read when a call needs it.
    /// - Throws: A failure that says which flag, variable or file is wrong.
    package init(
        _ options: ConnectionOptions, variables: [String: String]
    ) throws(CommandFailure) {
        self.options = options
        self.variables = variables
        let named = variables.filter { !$0.value.isEmpty }
        profile = try Profile(
            name: options.profile ?? named["TOLLGATE_PROFILE"] ?? Profile.standardName,
            folder: try Self.folder(named["TOLLGATE_HOME"], named, "/.config/tollgate"))
        session = try profile.session()
        server =
            if let flag = options.server {
                try ServerAddress(flag, from: "--server")
            } else if let variable = named["TOLLGATE_SERVER"] {
                try ServerAddress(variable, from: "TOLLGATE_SERVER")
            } else {
                try ServerAddress(
                    session?.server ?? ServerAddress.standard, from: "The login session's server")
            }
        timeoutMilliseconds = options.timeout.map { Int64($0) * 1_000 }
    }

    /// The secret that tells the server which program connects.
    /// - Throws: A failure that says where it was looked for.
    package func credential(for caller: Caller) throws(CommandFailure) -> String {
        let path: String
        switch try credentialPlace(for: caller) {
        case .variable(_, let value): return value
        case .named(let file): return try Self.credential(at: file)
        case .dataFolder(let file): path = file
        }
        do {
            return try SecretFile.read(path)
        } catch .missing {
            throw CommandFailure(
                .unauthenticated, "There is no connection credential: \(path) is missing.",
                advice: "Start a server on this machine with `tollgate up`, or name the file with "
                    + "--credential-file, or the server's data folder with --data.")
        } catch {
            throw error.failure(about: "The connection credential", path: path)
        }
    }

    /// Where the connection credential comes from, for a person who has to look there.
    package func credentialOrigin(for caller: Caller) -> String {
        switch try? credentialPlace(for: caller) {
        case .variable(let name, _): name
        case .named(let path), .dataFolder(let path): TerminalText.line(path)
        case nil: "the data folder"
        }
    }

    /// Where a connection credential is looked for.
    private enum CredentialPlace {
        case variable(name: String, value: String)
        case named(String)
        case dataFolder(String)
    }

    private func credentialPlace(for caller: Caller) throws(CommandFailure) -> CredentialPlace {
        let named = variables.filter { !$0.value.isEmpty }
        if let path = options.credentialFile { return .named(path) }
        if let value = named["TOLLGATE_CREDENTIAL"] {
            return .variable(name: "TOLLGATE_CREDENTIAL", value: value)
        }
        if let path = named["TOLLGATE_CREDENTIAL_FILE"] { return .named(path) }
        let folder = try Self.folder(
            options.data ?? named["TOLLGATE_DATA"], named, "/.tollgate")
        return .dataFolder("\(folder)/credentials/\(caller.credentialName)")
    }

    /// What a call as this caller carries for the person: an API key where the environment has one
    /// and the caller may be a program, else the login session; nil if nobody needs to be known.
    /// - Throws: `unauthenticated`, with how to sign in.
    package func authorization(
        for caller: Caller, at nowMilliseconds: Int64
    ) throws(CommandFailure) -> String? {
        switch caller {
        case .connection, .service, .administrator: return nil
        case .user:
            if let key = try apiKey() { return "Bearer \(key)" }
            return try authorization(at: nowMilliseconds)
        case .person: return try authorization(at: nowMilliseconds)
        }
    }

    /// The environment variable with an API key, or with the name of its file; nil without one.
    package var apiKeyVariable: String? {
        ["TOLLGATE_API_KEY", "TOLLGATE_API_KEY_FILE"].first { variables[$0]?.isEmpty == false }
    }

    /// The API key that the environment has, itself or in a file.
    package func apiKey() throws(CommandFailure) -> String? {
        let named = variables.filter { !$0.value.isEmpty }
        if let key = named["TOLLGATE_API_KEY"] { return key }
        guard let path = named["TOLLGATE_API_KEY_FILE"] else { return nil }
        do {
            return try SecretFile.read(path)
        } catch {
            throw error.failure(about: "The API key", path: path)
        }
    }

    /// The login session for this server.
    /// - Throws: `unauthenticated`, with how to sign in.
    package func authorization(at nowMilliseconds: Int64) throws(CommandFailure) -> String {
        guard let session else {
            // Else whoever sees the key work elsewhere would look for the mistake in the key.
            let key = apiKeyVariable.map { ", and the API key in \($0) may not do this" } ?? ""
            throw CommandFailure(
                .unauthenticated, "You are not signed in\(key).", advice: Advice.signIn)
        }
        guard session.server == server.description else {
            throw CommandFailure(
                .unauthenticated,
                "You are signed in to \(session.server), not to \(server).",
                advice: Advice.signIn)
        }
        guard session.expiresAtMilliseconds > nowMilliseconds else {
            throw CommandFailure(
                .unauthenticated, "Your login session is over.", advice: Advice.signIn)
        }
        return "Bearer \(session.token)"
    }

    private static func credential(at path: String) throws(CommandFailure) -> String {
        do {
            return try SecretFile.read(path)
        } catch .missing {
            throw CommandFailure(
                .unauthenticated, "There is no connection credential: \(path) is missing.")
        } catch {
            throw error.failure(about: "The connection credential", path: path)
        }
    }

    /// The folder that was named, or one in the person's home.
    private static func folder(
        _ name: String?, _ variables: [String: String], _ place: String
    ) throws(CommandFailure) -> String {
        if let name { return name }
        if let home = variables["HOME"] { return home + place }
        throw CommandFailure(
            .usage, "HOME is not set, so that there is no place for settings.",
            advice: "Set HOME, or TOLLGATE_HOME and TOLLGATE_DATA.")
    }
}

/// What a command's calls do to the service.
package enum CallNature: Hashable, Sendable {
    /// They tell something; repeating them is safe.
    case reads
    /// They may change something: whether they did has to be looked up.
    case changes
    /// They only see whether the server is there.
    case probe
}

/// As whom a command calls.
package enum Caller: Hashable, Sendable {
    /// As the program alone; nobody needs to be signed in.
    case connection
    /// On somebody's behalf: with an API key, or as the person who is signed in.
    case user
    /// As the person who is signed in, for what no API key may do.
    case person
    /// As one of the services that belong to the product, for a method that only they may call.
    case service(ServiceRole)
    /// As an operator.
    case administrator

    /// The file in the data folder's `credentials`.
    package var credentialName: String {
        switch self {
        case .connection, .user, .person: "cli"
        case .service(let role): role.rawValue
        case .administrator: "admin"
        }
    }
}
