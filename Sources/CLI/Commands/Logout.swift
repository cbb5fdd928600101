package import ArgumentParser
import TollgateClient

/// `tollgate logout`.
package struct Logout: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "End the login session.",
        discussion: """
            The server forgets the session, then this machine does. If the server cannot be \
            reached the session is kept, so that it can still be ended; --local forgets it here \
            all the same.

            EXAMPLES:
              tollgate logout
              tollgate logout --local
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// Whether the server is left alone.
    @Flag(help: "Forget the session here without telling the server.")
    package var local = false

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let profile = invocation.settings.profile
        guard let session = invocation.settings.session else {
            report("You are not signed in.", wasSignedIn: false, invocation)
            return
        }
        let isOver = session.expiresAtMilliseconds <= invocation.environment.now()
        if !local, !isOver { try await endAtServer(invocation) }
        try profile.forget()
        report("Signed out.", wasSignedIn: true, invocation)
    }

    private func endAtServer(_ invocation: Invocation) async throws {
        do {
            try await invocation.withClient(checksAccount: false) { client, options in
                _ = try await AuthServiceClient(client).logout(V1.LogoutRequest(), options: options)
            }
        } catch let error as TollgateError where error.code == "unauthenticated" {
            // The server has forgotten it before us.
        }
    }

    private func report(_ sentence: String, wasSignedIn: Bool, _ invocation: Invocation) {
        if invocation.isJSON {
            invocation.console.json(.object([("wasSignedIn", .bool(wasSignedIn))]))
        } else {
            invocation.console.line(sentence)
        }
    }
}
