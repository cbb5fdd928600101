package import ArgumentParser
import Foundation
import TollgateClient

/// `tollgate login`.
package struct Login: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Sign in with a code from the official account, or by a QR code.",
        discussion: """
            Follow the official account and send it 登录. It answers with a code such as K7QM-4T2X, \
            which works once and for three minutes. Hyphens, blanks and letter case do not matter.

            With --scan a QR code is drawn. Who scans it with WeChat is asked there for the two \
            digits that are then shown here; answer only if it was you who began the login. Ctrl-C \
            gives it up. With --json one line is written when the QR code is there, one when it \
            was scanned, and one when you are signed in.

            The login session is kept in the profile's folder, in a file that only you may read.

            EXAMPLES:
              tollgate login                 asks for the code
              tollgate login K7QM-4T2X
              tollgate login --scan          draws a QR code and waits for your phone
              tollgate login --profile work K7QM-4T2X
            """)
    package static let caller = Caller.connection
    package static let nature = CallNature.changes

    /// The code; asked for if absent.
    @Argument(help: "The code that the official account gave you.")
    package var code: String?

    /// Whether to sign in by a QR code.
    @Flag(help: "Draw a QR code to scan with WeChat, instead of asking for a code.")
    package var scan = false

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard scan, code != nil else { return }
        throw ValidationError("--scan needs no code.")
    }

    package func perform(_ invocation: Invocation) async throws {
        let code = scan ? nil : try await codeOrAsk(invocation)
        let server = invocation.settings.server.description
        let response = try await invocation.withClient { client, options in
            let auth = AuthServiceClient(client)
            let response = try await signIn(code, auth, options, invocation)
            try invocation.settings.profile.keep(
                LoginSession(
                    server: server, token: response.sessionToken, account: response.accountId,
                    expiresAtMilliseconds: response.expiresAtMilliseconds))
            try await endReplacedSession(invocation, auth, options)
            return response
        }
        report(response, invocation)
    }

    /// Signs in with a code, or by a QR code if there is none.
    private func signIn(
        _ code: String?, _ auth: AuthServiceClient, _ options: CallOptions,
        _ invocation: Invocation
    ) async throws -> V1.LoginResponse {
        if let code {
            let request = V1.LoginRequest(code: code, device: Self.device)
            return try await auth.login(request, options: options)
        }
        return try await ScannedLogin(auth: auth, options: options, invocation: invocation)
            .signIn(device: Self.device)
    }

    private func codeOrAsk(_ invocation: Invocation) async throws -> String {
        if let code { return code }
        let console = invocation.console
        if invocation.environment.input.isTerminal {
            console.note("Follow the official account and send it 登录; it answers with a code.")
            console.prompt("Code: ")
        }
        let line = await invocation.environment.input.line() ?? ""
        try Task.checkCancellation()
        let code = line.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !code.isEmpty else {
            throw CommandFailure(.usage, "There is no code.", advice: Advice.signIn)
        }
        return code
    }

    /// Ends the session that the new one replaces: nobody can use it any more.
    ///
    /// That it could not be ended is no reason to fail a login which has succeeded.
    private func endReplacedSession(
        _ invocation: Invocation, _ auth: AuthServiceClient, _ options: CallOptions
    ) async throws {
        guard let old = try? invocation.settings.authorization(at: invocation.environment.now())
        else { return }
        var options = options
        options.authorization = old
        do {
            _ = try await auth.logout(V1.LogoutRequest(), options: options)
        } catch is TollgateError {}
    }

    private func report(_ response: V1.LoginResponse, _ invocation: Invocation) {
        let console = invocation.console
        if invocation.isJSON {
            console.json(
                .object([
                    ("accountId", .text(response.accountId)),
                    ("accountOpened", .bool(response.accountOpened)),
                    ("expiresAtMilliseconds", .number(response.expiresAtMilliseconds)),
                    ("server", .text(invocation.settings.server.description)),
                    ("profile", .text(invocation.settings.profile.name)),
                ]))
            return
        }
        if response.accountOpened { console.line("Welcome: an account was opened for you.") }
        let until = invocation.moments.moment(response.expiresAtMilliseconds)
        console.line("Signed in as \(TerminalText.line(response.accountId)) until \(until).")
        console.line("Next: tollgate quota, tollgate chat")
    }

    /// What a list of sessions calls this login.
    private static var device: String {
        var name = "tollgate on \(ProcessInfo.processInfo.hostName)"
        // The contract takes 64 bytes.
        while name.utf8.count > 64 { name.removeLast() }
        return name
    }
}
