import ArgumentParser
import CLI

/// The commands under the name that people type.
struct TestRoot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate", abstract: "Metered access to AI chat.",
        discussion: UserCommands.discussion,
        groupedSubcommands: [
            CommandGroup(name: "People", subcommands: UserCommands.people),
            CommandGroup(name: "Operators", subcommands: UserCommands.operators),
        ])
}
