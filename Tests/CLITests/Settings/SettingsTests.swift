import ArgumentParser
import CLI
import Testing
import TollgateClient

@Suite("Flags, then environment, then files")
struct SettingsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func settings(
        _ arguments: [String] = [], _ variables: [String: String] = [:]
    ) throws -> Settings {
        var all = ["HOME": folder.path]
        all.merge(variables) { $1 }
        return try Settings(try ConnectionOptions.parse(arguments), variables: all)
    }

    private func keep(_ session: LoginSession, profile: String = "default") throws {
        try Profile(name: profile, folder: folder.path + "/.config/tollgate").keep(session)
    }

    private let session = LoginSession(
        server: "192.0.2.1:7400", token: "secret", account: "A", expiresAtMilliseconds: 1_000)

    @Test func theServerComesFromFlagThenEnvironmentThenSession() throws {
        #expect(try settings().server.description == "127.0.0.1:7400")
        try keep(session)
        #expect(try settings().server.description == "192.0.2.1:7400")
        let variables = ["TOLLGATE_SERVER": "192.0.2.2:1"]
        #expect(try settings([], variables).server.description == "192.0.2.2:1")
        #expect(
            try settings(["--server", "host.example:2"], variables).server.description
                == "host.example:2")
        #expect(
            try settings([], ["TOLLGATE_SERVER": ""]).server.description == "192.0.2.1:7400")
    }

    @Test(arguments: [
        "", "host", "host:", ":7400", "host:0", "host:65536", "host:x", "a b:1", "::1:7400",
        "[::1]", "http://host:80", "[]:1", "ho]st:1",
    ])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(throws: CommandFailure.self) { try ServerAddress(text, from: "--server") }
    }

    @Test(arguments: [
        "127.0.0.1:7400", "localhost:1", "[::1]:65535", "tollgate.example:7400",
        "unix:/run/tollgate.sock",
    ])
    func addressesAreTaken(text: String) throws {
        #expect(try ServerAddress(text, from: "--server").description == text)
    }

    @Test func profilesKeepSessionsApart() throws {
        try keep(session, profile: "work")
        #expect(try settings().session == nil)
        #expect(try settings(["--profile", "work"]).session == session)
        #expect(try settings([], ["TOLLGATE_PROFILE": "work"]).session == session)
        #expect(try folder.mode(of: ".config/tollgate/work/session.json") == 0o600)
        #expect(try folder.mode(of: ".config/tollgate/work") == 0o700)
    }

    @Test(arguments: ["..", ".hidden", "a/b", "", "名", String(repeating: "a", count: 65)])
    func aProfileCannotLeaveItsFolder(name: String) {
        #expect(throws: CommandFailure.self) { try settings(["--profile", name]) }
    }

    @Test func theSessionIsSentToItsOwnServerOnlyAndWhileItLasts() throws {
        func refusal(_ arguments: [String], at now: Int64) -> CommandFailure? {
            #expect(throws: CommandFailure.self) {
                try settings(arguments).authorization(at: now)
            }
        }
        #expect(refusal([], at: 1)?.message == "You are not signed in.")
        try keep(session)
        #expect(try settings().authorization(at: 999) == "Bearer secret")
        #expect(refusal([], at: 1_000)?.message == "Your login session is over.")
        let elsewhere = refusal(["--server", "127.0.0.1:7400"], at: 1)
        #expect(
            elsewhere?.message == "You are signed in to 192.0.2.1:7400, not to 127.0.0.1:7400.")
        #expect(elsewhere?.status == .unauthenticated)
        #expect(elsewhere?.advice == "Send 登录 to the official account, then: tollgate login CODE")
    }

    @Test func theCredentialComesFromFlagThenEnvironmentThenDataFolder() throws {
        try folder.write("from-data\n", to: ".tollgate/credentials/cli")
        try folder.write("from-admin\n", to: ".tollgate/credentials/admin")
        try folder.write("from-web\n", to: ".tollgate/credentials/web")
        try folder.write("elsewhere\n", to: "other/credentials/cli")
        try folder.write("from-flag\n", to: "flag")
        try folder.write("from-variable\n", to: "variable")
        #expect(try settings().credential(for: .user) == "from-data")
        #expect(try settings().credential(for: .administrator) == "from-admin")
        #expect(try settings().credential(for: .service(.web)) == "from-web")
        let other = folder.path + "/other"
        #expect(
            try settings([], ["TOLLGATE_DATA": other]).credential(for: .connection) == "elsewhere")
        #expect(try settings(["--data", other]).credential(for: .connection) == "elsewhere")
        var variables = ["TOLLGATE_CREDENTIAL_FILE": folder.path + "/variable"]
        #expect(try settings([], variables).credential(for: .user) == "from-variable")
        variables["TOLLGATE_CREDENTIAL"] = "value"
        #expect(try settings([], variables).credential(for: .user) == "value")
        let flag = ["--credential-file", folder.path + "/flag"]
        #expect(try settings(flag, variables).credential(for: .user) == "from-flag")
    }

    @Test func aMissingCredentialSaysWhereItWasLookedFor() throws {
        let failure = #expect(throws: CommandFailure.self) {
            try settings().credential(for: .user)
        }
        #expect(failure?.status == .unauthenticated)
        #expect(failure?.message.contains("\(folder.path)/.tollgate/credentials/cli") == true)
        #expect(failure?.advice.contains("tollgate up") == true)
    }

    @Test func withoutAHomeItSaysWhatToSet() {
        let failure = #expect(throws: CommandFailure.self) {
            try Settings(ConnectionOptions.parse([]), variables: [:])
        }
        #expect(failure?.advice == "Set HOME, or TOLLGATE_HOME and TOLLGATE_DATA.")
    }

    @Test func theTimeoutIsInSeconds() throws {
        #expect(try settings().timeoutMilliseconds == nil)
        #expect(try settings(["--timeout", "5"]).timeoutMilliseconds == 5_000)
        #expect(throws: (any Error).self) { try settings(["--timeout", "0"]) }
    }
}
