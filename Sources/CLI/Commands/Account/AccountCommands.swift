package import ArgumentParser

/// `tollgate account`.
package struct AccountCommands: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Your account as a whole: what is kept about you, and leaving.",
        discussion: """
            EXAMPLES:
              tollgate account export --output tollgate.json
              tollgate account delete
            """,
        subcommands: [ExportMyAccount.self, DeleteMyAccount.self])

    package init() {}
}
