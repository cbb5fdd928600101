import ArgumentParser
import CLI

/// The one program: five roles, and the commands of people and operators.
@main
struct Tollgate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate",
        abstract: "Metered access to AI chat, with books that always add up.",
        discussion: UserCommands.discussion,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Roles",
                subcommands: [
                    Up.self, Serve.self, JobsCommand.self, WebCommand.self, SandboxCommand.self,
                ]),
            CommandGroup(name: "People", subcommands: UserCommands.people),
            CommandGroup(
                name: "Operators",
                subcommands: [OperatorCommands.self]
                    + UserCommands.operators.filter { $0 != Admin.self } + [BenchCommand.self]),
        ])

    static func main() async {
        await CommandRunner.main(Self.self)
    }
}

/// Which build this is.
enum Version {
    /// Told by `--version` and by pings.
    static let text = "0.1.0"
}
