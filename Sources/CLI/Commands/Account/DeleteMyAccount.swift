package import ArgumentParser
import Foundation
import TollgateClient

/// `tollgate account delete`.
package struct DeleteMyAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete your account for ever.",
        discussion: """
            What you have not used is forfeited; login sessions, API keys and keys of your own \
            stop working at once, and who you are is erased. Records of money stay, as the law \
            wants them, under the account's number alone. While an order can still be paid or a \
            chat is under way, nothing is deleted. Should you come back, you get a new account, \
            but no second welcome.

            EXAMPLES:
              tollgate account delete
              tollgate account delete --yes
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The word that has to be typed: nobody types it by habit.
    static let word = "delete"

    /// Whether nobody is asked.
    @Flag(help: "Do not ask; delete.")
    package var yes = false

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        try checkWhoseAccount(invocation)
        if !yes { try await ask(invocation) }
        let deleted = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client)
                .deleteMyAccount(V1.DeleteMyAccountRequest(), options: options)
        }
        // The server knows the session no more.
        try invocation.settings.profile.forget()
        if invocation.isJSON {
            invocation.console.json(deleted.json)
        } else {
            let forfeited = Amounts.creditsWithUnit(deleted.forfeitedMicroCredits)
            invocation.console.line(
                "Your account \(deleted.accountId) is closed: who you are is erased, and nothing "
                    + "signs in to it any more. Forfeited: \(forfeited).")
            invocation.console.line(
                "What else it left is erased now or within the hour; records of money stay, under "
                    + "its number alone.")
        }
    }

    /// What reads acts for an API key's owner where there is one: who deletes must not have to know
    /// that this one goes by the login session, not even if both are of one account.
    private func checkWhoseAccount(_ invocation: Invocation) throws {
        guard let variable = invocation.settings.apiKeyVariable else { return }
        throw CommandFailure(
            .usage,
            "An API key cannot delete an account, and one is set: nothing was deleted.",
            advice: "Unset \(variable); the account of your login session is then deleted. See "
                + "whose that is with: tollgate whoami")
    }

    private func ask(_ invocation: Invocation) async throws {
        invocation.console.prompt(
            "This cannot be undone. Type “\(Self.word)” to delete your account: ")
        let line = await invocation.environment.input.line() ?? ""
        try Task.checkCancellation()
        guard line.trimmingCharacters(in: .whitespacesAndNewlines) == Self.word else {
            throw CommandFailure(
                .usage, "Nothing was deleted.",
                advice: "Type “\(Self.word)” when asked, or give --yes.")
        }
    }
}

extension V1.DeleteMyAccountResponse {
    /// The deletion as programs read it.
    var json: JSONValue {
        .object([
            ("accountId", .text(accountId)),
            ("forfeitedMicroCredits", .number(forfeitedMicroCredits)),
            ("deletedAtMilliseconds", .number(deletedAtMilliseconds)),
        ])
    }
}
