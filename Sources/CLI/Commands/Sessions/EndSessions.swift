package import ArgumentParser
import TollgateClient

/// `tollgate sessions end`.
package struct EndSessions: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "end",
        abstract: "Sign out elsewhere: one session, all others, or all.",
        discussion: """
            A session that is ended is refused from its next call on; chats under way end and are \
            charged. API keys go on: revoke them with tollgate keys revoke.

            EXAMPLES:
              tollgate sessions end 0H2K9QW3ZT4BM
              tollgate sessions end --others
              tollgate sessions end --all
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The session.
    @Argument(
        help: ArgumentHelp(
            "The session, as `tollgate sessions` shows it.", valueName: "session"))
    package var session: String?

    /// Whether all others are ended.
    @Flag(help: "End all sessions but this one.")
    package var others = false

    /// Whether all are ended.
    @Flag(help: "End all sessions, this one included.")
    package var all = false

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard [session != nil, others, all].count(where: \.self) == 1 else {
            throw ValidationError("Name one session, or say --others or --all.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let ended = try await invocation.withClient { client, options in
            let auth = AuthServiceClient(client)
            guard let session else {
                let answer = try await auth.endLoginSessions(
                    V1.EndLoginSessionsRequest(keepOwn: others), options: options)
                return (count: answer.endedSessions, own: all)
            }
            let answer = try await auth.endLoginSession(
                V1.EndLoginSessionRequest(sessionId: session), options: options)
            return (count: answer.ended ? 1 : 0, own: answer.ownEnded)
        }
        // The server has forgotten it: so does this machine.
        if ended.own { try invocation.settings.profile.forget() }
        if invocation.isJSON {
            invocation.console.json(
                .object([
                    ("endedSessions", .number(ended.count)), ("ownEnded", .bool(ended.own)),
                ]))
            return
        }
        invocation.console.line(sentence(ended.count))
        if ended.own { invocation.console.line("Signed out here as well.") }
    }

    private func sentence(_ count: Int64) -> String {
        if session != nil, count == 0 {
            return "No login session of this number is live; tollgate sessions lists yours."
        }
        return "Ended \(Sessions.counted(count))."
    }
}
