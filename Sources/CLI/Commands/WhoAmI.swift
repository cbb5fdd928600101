package import ArgumentParser
import TollgateClient

/// `tollgate whoami`.
package struct WhoAmI: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Tell who is signed in, or whose API key it is, where and until when.",
        discussion: """
            EXAMPLES:
              tollgate whoami
              tollgate whoami --json
            """)
    package static let caller = Caller.user
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let person = try await invocation.withClient { client, options in
            try await AuthServiceClient(client).whoAmI(V1.WhoAmIRequest(), options: options)
        }
        let settings = invocation.settings
        if invocation.isJSON {
            invocation.console.json(
                .object([
                    ("accountId", .text(person.accountId)),
                    ("accountStatus", .text(person.accountStatus)),
                    ("openedAtMilliseconds", .number(person.openedAtMilliseconds)),
                    (
                        "sessionExpiresAtMilliseconds",
                        .number(person.sessionExpiresAtMilliseconds)
                    ),
                    ("keyId", .text(person.keyId)),
                    ("server", .text(settings.server.description)),
                    ("profile", .text(settings.profile.name)),
                ]))
            return
        }
        let moments = invocation.moments
        invocation.console.facts([
            ("Account", person.accountId),
            ("Status", person.accountStatus),
            ("Opened", moments.moment(person.openedAtMilliseconds)),
            person.keyId.isEmpty
                ? ("Signed in until", moments.moment(person.sessionExpiresAtMilliseconds))
                : ("API key", person.keyId),
            ("Server", settings.server.description),
            ("Profile", settings.profile.name),
        ])
    }
}
