package import ArgumentParser
import TollgateClient

/// `tollgate admin accounts delete`.
package struct DeleteAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete an account on its person's behalf, for ever.",
        discussion: """
            As if its person had done it, and a frozen account as well: credits are forfeited, \
            who the person is is erased, records of money stay under the account's number. While \
            an order is not settled or a chat is under way, nothing is deleted.

            EXAMPLES:
              tollgate admin accounts delete 0H2K9QW3ZT4BM --reason 'Asked by letter'
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
        let request = V1.DeleteAccountRequest(by: try act.actedBy(invocation), accountId: account)
        let deleted = try await invocation.withClient { client, options in
            try await AdminServiceClient(client).deleteAccount(request, options: options)
        }
        if invocation.isJSON {
            invocation.console.json(deleted.json)
            return
        }
        if !deleted.doneNow { invocation.console.note("It was deleted before; nothing changed.") }
        invocation.show(deleted.account)
        guard deleted.account?.status == "deleting" else { return }
        invocation.console.note(
            "Nobody can use it any more, and who its person was is erased. It has so many rows "
                + "that the rest follows within the hour: the job hold-expire erases it.")
    }
}

extension V1.DeleteAccountResponse {
    /// The deletion as programs read it.
    var json: JSONValue {
        .object([
            ("account", (account ?? V1.AccountStanding()).json),
            ("forfeitedMicroCredits", .number(forfeitedMicroCredits)),
            ("doneNow", .bool(doneNow)),
        ])
    }
}
