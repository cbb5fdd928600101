package import ArgumentParser

/// `tollgate account`.
package struct AccountCommands: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Your account as a whole: leave for good.",
        discussion: """
            EXAMPLES:
              tollgate account delete
            """,
        subcommands: [DeleteMyAccount.self])

    package init() {}
}
