package import ArgumentParser
import TollgateClient

/// `tollgate admin tiers`.
package struct AdminTiers: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "tiers",
        abstract: "Kinds of accounts: what their calls cost, and how many they may make.",
        discussion: """
            Every account is in a tier; in “standard”, unless it was put elsewhere. Limits hold \
            over all servers together.

            EXAMPLES:
              tollgate admin tiers list
              tollgate admin tiers set partner --price 4/5 --reason 'Spring offer'
            """,
        subcommands: [ListTiers.self, SetTier.self])

    package init() {}
}

/// `tollgate admin tiers list`.
package struct ListTiers: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the tiers.",
        discussion: """
            EXAMPLES:
              tollgate admin tiers list
              tollgate admin tiers list --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let tiers = try await invocation.withClient { client, options in
            try await AdminServiceClient(client).listTiers(V1.ListTiersRequest(), options: options)
                .tiers
        }
        if invocation.isJSON {
            invocation.console.json(.object([("tiers", .array(tiers.map(\.json)))]))
        } else {
            invocation.console.tiers(tiers)
        }
    }
}

/// `tollgate admin tiers set`.
package struct SetTier: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Make a tier, or change one for all of its accounts.",
        discussion: """
            What is not named stays as it is; of a new tier it is a price of 1 and no limits. The \
            price factor holds for calls that begin from now on.

            EXAMPLES:
              tollgate admin tiers set partner --price 4/5 --reason 'Spring offer'
              tollgate admin tiers set standard --requests 30 --at-once 4 --reason 'Crowded'
              tollgate admin tiers set partner --tokens none --reason 'As agreed'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The tier.
    @Argument(help: "The tier's name: lower-case letters, digits and hyphens.")
    package var name: String

    /// What prices are multiplied by.
    @Option(
        help: ArgumentHelp(
            "What every price is multiplied by, such as 1, 4/5 or 3/2.", valueName: "fraction"))
    package var price: String?

    /// Chats a minute.
    @Option(help: ArgumentHelp("Chats that begin in a minute, or none.", valueName: "number"))
    package var requests: String?

    /// Tokens a minute.
    @Option(help: ArgumentHelp("Tokens used in a minute, or none.", valueName: "number"))
    package var tokens: String?

    /// Chats at once.
    @Option(help: ArgumentHelp("Chats under way at once, or none.", valueName: "number"))
    package var atOnce: String?

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        if let price, Self.fraction(price) == nil {
            throw ValidationError("--price takes a fraction, such as 1, 4/5 or 3/2.")
        }
        for (flag, text) in [("requests", requests), ("tokens", tokens), ("at-once", atOnce)] {
            if let text, OrNone.number(text) == nil {
                throw ValidationError("--\(flag) takes a number from 1, or none.")
            }
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let by = try act.actedBy(invocation)
        let tier = try await invocation.withClient { client, options in
            let admin = AdminServiceClient(client)
            let tiers = try await admin.listTiers(V1.ListTiersRequest(), options: options).tiers
            let old = tiers.first { $0.name == name }
            let request = V1.SetTierRequest(by: by, tier: changed(old))
            return try await admin.setTier(request, options: options).tier
        }
        guard let tier else { return }
        if invocation.isJSON {
            invocation.console.json(tier.json)
        } else {
            invocation.console.tiers([tier])
        }
    }

    private func changed(_ old: V1.Tier?) -> V1.Tier {
        var tier = old ?? V1.Tier(name: name, priceNumerator: 1, priceDenominator: 1)
        if let fraction = price.flatMap(Self.fraction) {
            tier.priceNumerator = fraction.above
            tier.priceDenominator = fraction.below
        }
        tier.requestsPerMinute = requests.flatMap(OrNone.number) ?? tier.requestsPerMinute
        tier.tokensPerMinute = tokens.flatMap(OrNone.number) ?? tier.tokensPerMinute
        tier.concurrentChats = atOnce.flatMap(OrNone.number) ?? tier.concurrentChats
        return tier
    }

    private static func fraction(_ text: String) -> (above: Int64, below: Int64)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int64($0) }
        guard let above = parts.first ?? nil, above >= 0, parts.count <= 2 else { return nil }
        guard parts.count == 2 else { return (above, 1) }
        guard let below = parts[1], below > 0 else { return nil }
        return (above, below)
    }
}

extension Console {
    fileprivate func tiers(_ tiers: [V1.Tier]) {
        var table = TextTable([
            ("TIER", .left), ("PRICE", .right), ("CHATS A MINUTE", .right),
            ("TOKENS A MINUTE", .right), ("CHATS AT ONCE", .right),
        ])
        func limit(_ number: Int64) -> String {
            number == 0 ? "any" : Amounts.grouped(number.magnitude)
        }
        for tier in tiers {
            let below = tier.priceDenominator == 1 ? "" : "/\(tier.priceDenominator)"
            table.add([
                tier.name, "× \(tier.priceNumerator)\(below)", limit(tier.requestsPerMinute),
                limit(tier.tokensPerMinute), limit(tier.concurrentChats),
            ])
        }
        self.table(table, ifEmpty: "There are no tiers.")
    }
}

extension V1.Tier {
    fileprivate var json: JSONValue {
        .object([
            ("name", .text(name)),
            ("priceNumerator", .number(priceNumerator)),
            ("priceDenominator", .number(priceDenominator)),
            ("requestsPerMinute", .number(requestsPerMinute)),
            ("tokensPerMinute", .number(tokensPerMinute)),
            ("concurrentChats", .number(concurrentChats)),
        ])
    }
}
