internal import ArgumentParser

/// What somebody probably meant by a command that does not exist.
enum CommandSuggestion {
    /// `Did you mean '…'?` for the first word that should name a command and does not; nil if
    /// every such word names one, or if nothing is near.
    static func sentence(
        for arguments: [String], below root: any ParsableCommand.Type
    ) -> String? {
        guard let stranger = stranger(in: arguments, below: root) else { return nil }
        return nearest(to: stranger.word, among: stranger.names).map { "Did you mean '\($0)'?" }
    }

    /// The failure of `help WORD …` whose words name no command, which the parser answers with the
    /// help of the last one that they do name; nil for any other command line.
    static func failure(
        ofHelp arguments: [String], below root: any ParsableCommand.Type
    ) -> CommandFailure? {
        guard arguments.first == "help",
            let stranger = stranger(in: arguments.dropFirst(), below: root)
        else { return nil }
        let near = nearest(to: stranger.word, among: stranger.names)
        return CommandFailure(
            .usage, "There is no command '\(stranger.word)'.",
            advice: near.map { "Did you mean '\($0)'?" } ?? "See all of them: tollgate --help")
    }

    /// The first word that should name a command and does not, with the names it could have been.
    private static func stranger(
        in arguments: some Sequence<String>, below root: any ParsableCommand.Type
    ) -> (word: String, names: [String])? {
        var command = root
        for word in arguments {
            let names = subcommands(of: command)
            guard !names.isEmpty, !word.hasPrefix("-") else { return nil }
            guard let next = names.first(where: { $0.name == word }) else {
                return (word, names.map(\.name))
            }
            command = next.type
        }
        return nil
    }

    private static func subcommands(
        of command: any ParsableCommand.Type
    ) -> [(name: String, type: any ParsableCommand.Type)] {
        command.configuration.subcommands.compactMap { type in
            type.configuration.commandName.map { ($0, type) }
        }
    }

    /// The name with the fewest changes, at most one for every three letters of the word.
    static func nearest(to word: String, among names: [String]) -> String? {
        let bounded = word.prefix(longestWord)
        let scored = names.map { (name: $0, changes: changes(from: bounded, to: $0)) }
        guard let best = scored.min(by: { $0.changes < $1.changes }),
            best.changes <= max(1, bounded.count / 3)
        else { return nil }
        return best.name
    }

    /// No command has a longer name; what a person pastes may be of any length.
    private static let longestWord = 32

    /// Letters to insert, delete, replace or swap with their neighbour (Damerau 1964, as optimal
    /// string alignment).
    private static func changes(from: Substring, to: String) -> Int {
        let source = Array(from)
        let target = Array(to)
        var before: [Int] = []
        var last = Array(0...target.count)
        for (row, letter) in source.enumerated() {
            var line = [row + 1]
            for (column, other) in target.enumerated() {
                var cost = min(last[column + 1], line[column]) + 1
                cost = min(cost, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == target[column - 1], source[row - 1] == other {
                    cost = min(cost, before[column - 1] + 1)
                }
                line.append(cost)
            }
            (before, last) = (last, line)
        }
        return last[target.count]
    }
}
