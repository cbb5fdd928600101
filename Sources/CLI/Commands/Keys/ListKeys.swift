package import ArgumentParser
import TollgateClient

/// `tollgate keys list`.
package struct ListKeys: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List your keys: what each may do, has spent, and when it was used last.",
        discussion: """
            Revoked keys stand at the end.

            EXAMPLES:
              tollgate keys list
              tollgate keys list --json
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let keys = try await invocation.withClient { client, options in
            try await ApiKeysServiceClient(client)
                .listApiKeys(V1.ListApiKeysRequest(), options: options).keys
        }
        if invocation.isJSON {
            invocation.console.json(.object([("keys", .array(keys.map(\.json)))]))
            return
        }
        var table = TextTable([
            ("KEY", .left), ("NAME", .flexible), ("STATE", .left), ("SPENT", .right),
            ("CAP", .right), ("A MINUTE", .right), ("USED LAST", .left), ("MODELS", .left),
        ])
        for key in keys {
            table.add([
                key.keyId, key.name,
                key.state(at: invocation.environment.now(), invocation.moments),
                Amounts.credits(key.spentMicroCredits),
                key.spendCapMicroCredits == 0 ? "-" : Amounts.credits(key.spendCapMicroCredits),
                key.requestsPerMinute == 0 ? "-" : String(key.requestsPerMinute),
                key.lastUsedAtMilliseconds == 0
                    ? "never" : invocation.moments.moment(key.lastUsedAtMilliseconds),
                key.models.isEmpty ? "all" : key.models.joined(separator: ", "),
            ])
        }
        invocation.console.table(
            table, ifEmpty: "You have no API keys. Make one: tollgate keys create NAME")
    }
}

extension V1.ApiKey {
    /// Whether it works, in a word or two.
    fileprivate func state(at nowMilliseconds: Int64, _ moments: Moments) -> String {
        if revokedAtMilliseconds != 0 { return "revoked" }
        if expiresAtMilliseconds == 0 { return "works" }
        return expiresAtMilliseconds > nowMilliseconds
            ? "until \(moments.day(expiresAtMilliseconds))" : "expired"
    }
}

/// `tollgate keys revoke`.
package struct RevokeKey: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "End a key for ever.",
        discussion: """
            No new call begins with it; those under way end and are charged. To revoke a key twice \
            changes nothing.

            EXAMPLES:
              tollgate keys revoke tg-0H2K9QW3ZT4BM
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The key.
    @Argument(help: ArgumentHelp("The key, as `tollgate keys list` shows it.", valueName: "key"))
    package var key: String

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        // A whole secret on a command line is in the shell's history: it is not asked for.
        guard key.hasPrefix("tg-"), key.utf8.count == 16 else {
            throw ValidationError("A key is named by tg- and 13 characters, as in the list.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let revoked = try await invocation.withClient { client, options in
            try await ApiKeysServiceClient(client)
                .revokeApiKey(V1.RevokeApiKeyRequest(keyId: key), options: options).key
        }
        guard let revoked else { return }
        if invocation.isJSON {
            invocation.console.json(revoked.json)
        } else {
            invocation.console.line(
                "Revoked \(revoked.keyId) (\(TerminalText.line(revoked.name))); it had spent "
                    + "\(Amounts.creditsWithUnit(revoked.spentMicroCredits)).")
        }
    }
}
