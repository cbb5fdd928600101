package import ArgumentParser
import TollgateClient

/// `tollgate admin accounts`.
package struct AdminAccounts: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "accounts",
        abstract: "One account: how it stands, its statements, tier, freezing, leaving.",
        discussion: """
            EXAMPLES:
              tollgate admin accounts show 0H2K9QW3ZT4BM
              tollgate admin accounts statement 0H2K9QW3ZT4BM --month 2026-11
              tollgate admin accounts set-tier 0H2K9QW3ZT4BM partner --reason 'Signed today'
              tollgate admin accounts freeze 0H2K9QW3ZT4BM --reason 'Disputed payment'
              tollgate admin accounts sign-out 0H2K9QW3ZT4BM --reason 'Lost laptop'
              tollgate admin accounts adjust 0H2K9QW3ZT4BM --give 5 --reason 'Outage'
            """,
        subcommands: [
            ShowAccount.self, AccountStatement.self, SetAccountTier.self, FreezeAccount.self,
            UnfreezeAccount.self, SignOutAccount.self, AdjustCredits.self, DeleteAccount.self,
        ])

    package init() {}
}

/// `tollgate admin accounts show`.
package struct ShowAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Tell how an account stands.",
        discussion: """
            EXAMPLES:
              tollgate admin accounts show 0H2K9QW3ZT4BM
              tollgate admin accounts show 0H2K9QW3ZT4BM --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let standing = try await invocation.withClient { client, options in
            try await AdminServiceClient(client).getAccount(
                V1.GetAccountRequest(accountId: account), options: options
            ).account
        }
        invocation.show(standing)
    }
}

/// `tollgate admin accounts set-tier`.
package struct SetAccountTier: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set-tier",
        abstract: "Put an account into a tier.",
        discussion: """
            EXAMPLES:
              tollgate admin accounts set-tier 0H2K9QW3ZT4BM partner --reason 'Signed today'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

    /// The tier.
    @Argument(help: "The tier, as `tollgate admin tiers list` shows it.")
    package var tier: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.SetAccountTierRequest(
            by: try act.actedBy(invocation), accountId: account, tier: tier)
        let standing = try await invocation.withClient { client, options in
            try await AdminServiceClient(client).setAccountTier(request, options: options).account
        }
        invocation.show(standing)
    }
}

/// `tollgate admin accounts freeze`.
package struct FreezeAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "freeze",
        abstract: "Stop an account from spending; it can still receive.",
        discussion: """
            Its chats are refused from now on; those under way end and are charged.

            EXAMPLES:
              tollgate admin accounts freeze 0H2K9QW3ZT4BM --reason 'Disputed payment'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        try await invocation.setStatus(
            "frozen", of: account, by: try act.actedBy(invocation))
    }
}

/// `tollgate admin accounts unfreeze`.
package struct UnfreezeAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "unfreeze",
        abstract: "Let a frozen account spend again.",
        discussion: """
            EXAMPLES:
              tollgate admin accounts unfreeze 0H2K9QW3ZT4BM --reason 'Dispute settled'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        try await invocation.setStatus(
            "active", of: account, by: try act.actedBy(invocation))
    }
}

/// `tollgate admin accounts sign-out`.
package struct SignOutAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "sign-out",
        abstract: "End every login session of an account; its API keys go on.",
        discussion: """
            EXAMPLES:
              tollgate admin accounts sign-out 0H2K9QW3ZT4BM --reason 'Lost laptop'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.SignOutAccountRequest(
            by: try act.actedBy(invocation), accountId: account)
        let ended = try await invocation.withClient { client, options in
            try await AdminServiceClient(client).signOutAccount(request, options: options)
                .endedSessions
        }
        if invocation.isJSON {
            invocation.console.json(.object([("endedSessions", .number(ended))]))
        } else {
            invocation.console.line("Ended \(Sessions.counted(ended)) of \(account).")
        }
    }
}

extension Invocation {
    fileprivate func setStatus(_ status: String, of account: String, by: V1.ActedBy) async throws {
        let request = V1.SetAccountStatusRequest(by: by, accountId: account, status: status)
        let standing = try await withClient { client, options in
            try await AdminServiceClient(client).setAccountStatus(request, options: options)
                .account
        }
        show(standing)
    }

    /// Writes how an account stands.
    func show(_ standing: V1.AccountStanding?) {
        guard let standing else { return }
        if isJSON {
            console.json(standing.json)
            return
        }
        var facts = [
            ("Account", standing.accountId),
            ("Status", standing.status),
            ("Tier", standing.tier),
            ("White-listed", standing.whiteListed ? "yes" : "no"),
            ("Opened", moments.moment(standing.openedAtMilliseconds)),
            ("Credits", Amounts.creditsWithUnit(standing.postedMicroCredits)),
            ("Reserved for calls", Amounts.creditsWithUnit(standing.heldMicroCredits)),
            ("Chats under way", String(standing.openChats)),
        ]
        if standing.deletedAtMilliseconds != 0 {
            facts.append(("Deleted", moments.moment(standing.deletedAtMilliseconds)))
        }
        console.facts(facts.map { (name: $0.0, value: $0.1) })
    }
}

extension V1.AccountStanding {
    /// The account as programs read it.
    var json: JSONValue {
        .object([
            ("accountId", .text(accountId)),
            ("status", .text(status)),
            ("tier", .text(tier)),
            ("whiteListed", .bool(whiteListed)),
            ("openedAtMilliseconds", .number(openedAtMilliseconds)),
            ("postedMicroCredits", .number(postedMicroCredits)),
            ("heldMicroCredits", .number(heldMicroCredits)),
            ("openChats", .number(openChats)),
            ("deletedAtMilliseconds", .number(deletedAtMilliseconds)),
        ])
    }
}
