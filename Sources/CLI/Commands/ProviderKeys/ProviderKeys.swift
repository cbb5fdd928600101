package import ArgumentParser
import TollgateClient

/// `tollgate provider-keys`.
package struct ProviderKeys: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "provider-keys",
        abstract: "Keys of your own at the models' providers, in place of credits.",
        discussion: """
            With a key bound, your questions to that provider's models go there under it: the \
            provider bills you, and no credits are spent. The key is stored sealed and never shown.

            EXAMPLES:
              tollgate provider-keys list
              tollgate provider-keys bind openai --from openai.key
              tollgate provider-keys remove openai
            """,
        subcommands: [ListProviderKeys.self, BindProviderKey.self, RemoveProviderKey.self])

    package init() {}
}

/// `tollgate provider-keys list`.
package struct ListProviderKeys: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the providers, their models, and where a key of yours is bound.",
        discussion: """
            EXAMPLES:
              tollgate provider-keys list
              tollgate provider-keys list --json
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let providers = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client)
                .listProviderKeys(V1.ListProviderKeysRequest(), options: options).providers
        }
        if invocation.isJSON {
            invocation.console.json(.object([("providers", .array(providers.map(\.json)))]))
            return
        }
        var table = TextTable([
            ("PROVIDER", .flexible), ("YOUR KEY", .left), ("BOUND", .left), ("MODELS", .left),
        ])
        for provider in providers {
            table.add([
                provider.provider, provider.bound ? provider.hint : "-",
                provider.bound ? invocation.moments.moment(provider.boundAtMilliseconds) : "-",
                provider.models.isEmpty ? "-" : provider.models.joined(separator: ", "),
            ])
        }
        invocation.console.table(table, ifEmpty: "No model is offered just now.")
    }
}

/// `tollgate provider-keys bind`.
package struct BindProviderKey: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bind",
        abstract: "Bind a key of your own, in the place of one that is there.",
        discussion: """
            The key is read from a file that only you may read, or from standard input, where it \
            is not shown while you type; never from the command line, which others on this machine \
            can see.

            EXAMPLES:
              tollgate provider-keys bind openai --from openai.key
              pass show openai | tollgate provider-keys bind openai
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The provider.
    @Argument(help: "The provider, as `tollgate provider-keys list` names it.")
    package var provider: String

    /// The file with the key.
    @Option(help: ArgumentHelp("Read the key from this file.", valueName: "path"))
    package var from: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.BindProviderKeyRequest(
            provider: provider, key: try await invocation.providerKey(from: from))
        let bound = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client)
                .bindProviderKey(request, options: options).key ?? V1.ProviderKey()
        }
        if invocation.isJSON {
            invocation.console.json(bound.json)
        } else {
            invocation.console.line(
                "Bound your key \(TerminalText.line(bound.hint)) at "
                    + "\(TerminalText.line(bound.provider)); its models cost no credits now.")
        }
    }
}

/// `tollgate provider-keys remove`.
package struct RemoveProviderKey: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a key of your own; the provider's models cost credits again.",
        discussion: """
            EXAMPLES:
              tollgate provider-keys remove openai
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The provider.
    @Argument(help: "The provider, as `tollgate provider-keys list` names it.")
    package var provider: String

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.RemoveProviderKeyRequest(provider: provider)
        _ = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client).removeProviderKey(request, options: options)
        }
        if invocation.isJSON {
            invocation.console.json(.object([("removed", .text(provider))]))
        } else {
            invocation.console.line("Removed your key at \(TerminalText.line(provider)).")
        }
    }
}

extension V1.ProviderKey {
    /// The provider as programs read it.
    var json: JSONValue {
        .object([
            ("provider", .text(provider)),
            ("models", .array(models.map { .text($0) })),
            ("bound", .bool(bound)),
            ("hint", .text(hint)),
            ("boundAtMilliseconds", .number(boundAtMilliseconds)),
        ])
    }
}
