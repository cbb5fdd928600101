package import ArgumentParser
import TollgateClient

/// `tollgate sessions`.
package struct Sessions: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "Login sessions: where you are signed in, and ending that.",
        discussion: """
            EXAMPLES:
              tollgate sessions
              tollgate sessions end 0H2K9QW3ZT4BM
              tollgate sessions end --others
            """,
        subcommands: [ListSessions.self, EndSessions.self],
        defaultSubcommand: ListSessions.self)

    package init() {}

    /// A number of login sessions in words.
    static func counted(_ number: Int64) -> String {
        number == 1 ? "1 login session" : "\(number) login sessions"
    }
}

/// `tollgate sessions list`.
package struct ListSessions: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List where you are signed in; what is asked for without a word.",
        discussion: """
            USED LAST is when a session last began a chat, to within five minutes.

            EXAMPLES:
              tollgate sessions list
              tollgate sessions list --json
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let sessions = try await invocation.withClient { client, options in
            try await AuthServiceClient(client)
                .listLoginSessions(V1.ListLoginSessionsRequest(), options: options).sessions
        }
        if invocation.isJSON {
            invocation.console.json(.object([("sessions", .array(sessions.map(\.json)))]))
            return
        }
        let moments = invocation.moments
        // No more of a moment than a narrow terminal has room for beside a device's name.
        let used = moments.column(
            "USED LAST", sessions.map(\.lastUsedAtMilliseconds), toMinutes: true)
        var table = TextTable([
            ("SESSION", .left), ("DEVICE", .flexible), ("SIGNED IN", .left),
            (used.title, .left), ("UNTIL", .left),
        ])
        for (session, usedLast) in zip(sessions, used.cells) {
            let device = session.device.isEmpty ? "unknown" : session.device
            table.add([
                session.sessionId,
                // In front, where no narrow terminal cuts it off.
                session.own ? "this one: \(device)" : device,
                moments.day(session.createdAtMilliseconds), usedLast,
                moments.day(session.expiresAtMilliseconds),
            ])
        }
        invocation.console.table(table, ifEmpty: "You are signed in nowhere.")
    }
}

extension V1.LoginSession {
    /// The session as programs read it.
    fileprivate var json: JSONValue {
        .object([
            ("sessionId", .text(sessionId)),
            ("device", .text(device)),
            ("createdAtMilliseconds", .number(createdAtMilliseconds)),
            ("lastUsedAtMilliseconds", .number(lastUsedAtMilliseconds)),
            ("expiresAtMilliseconds", .number(expiresAtMilliseconds)),
            ("own", .bool(own)),
        ])
    }
}
