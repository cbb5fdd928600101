import ArgumentParser
import CLI
import Foundation
import Testing

@Suite("Help")
struct HelpTests {
    /// Every command by the words that people type.
    private static let commands: [(words: String, type: any ParsableCommand.Type)] = {
        func walk(
            _ type: any ParsableCommand.Type, _ words: [String]
        ) -> [(String, any ParsableCommand.Type)] {
            [(words.joined(separator: " "), type)]
                + type.configuration.subcommands.flatMap { child in
                    walk(child, words + [child.configuration.commandName ?? "?"])
                }
        }
        return walk(TestRoot.self, ["tollgate"])
    }()

    private static let names = commands.map(\.words)

    /// Set to write the files anew; the difference is then looked at before it is committed.
    private static let isRecording =
        ProcessInfo.processInfo.environment["TOLLGATE_RECORD_SNAPSHOTS"] == "1"

    private func help(_ words: String) throws -> String {
        let command = try #require(Self.commands.first { $0.words == words })
        return TestRoot.helpMessage(for: command.type, columns: 90) + "\n"
    }

    @Test(arguments: names)
    func theHelpOfEveryCommandIsTheOneReviewed(words: String) throws {
        let name = words.replacing(" ", with: "-")
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Snapshots/\(name).txt")
        let text = try help(words)
        if Self.isRecording { try Data(text.utf8).write(to: file) }
        let reviewed = try String(contentsOf: file, encoding: .utf8)
        #expect(text == reviewed, "TOLLGATE_RECORD_SNAPSHOTS=1 writes \(file.path) anew")
    }

    @Test(arguments: names.dropFirst())
    func everyCommandShowsExamples(words: String) throws {
        let text = try help(words)
        #expect(text.contains("EXAMPLES:"))
        #expect(text.contains("  \(words)") || words == "tollgate admin")
        // The parser writes the usage on one line, however long it is.
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("USAGE:") }
        #expect(lines.allSatisfy { $0.count <= 90 })
    }

    @Test func theRootTellsSettingsAndExitCodes() async throws {
        let outcome = try await CommandTest().run("--help", against: [])
        #expect(outcome.status == 0)
        #expect(outcome.errors.isEmpty)
        for word in ["TOLLGATE_SERVER", "NO_COLOR", "EXIT CODES:", "130  stopped with Ctrl-C"] {
            #expect(outcome.output.contains(word))
        }
    }

    @Test func theRootTellsEveryVariableThatIsRead() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../Sources/CLI").standardizedFileURL.path
        let files = try #require(FileManager.default.enumerator(atPath: sources))
        var read: Set<String> = []
        for case let name as String in files where name.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(sources)/\(name)", encoding: .utf8)
            for match in text.matches(of: /"(TOLLGATE_[A-Z_]+)"/) { read.insert(String(match.1)) }
        }
        #expect(read.count > 8)
        let help = try help("tollgate")
        // The connector puts their names together.
        for end in ["CA", "SERVER_NAME", "CERTIFICATE", "KEY"] {
            read.insert("TOLLGATE_TLS_\(end)")
        }
        #expect(read.filter { !help.contains("  \($0) ") } == [])
    }

    @Test(arguments: [60, 80, 200]) func theUsageFitsTheTerminal(columns: Int) async throws {
        let test = try CommandTest(isTerminal: true, columns: columns)
        let outcome = try await test.run("chat", "--help", against: [])
        let lines = outcome.lines
        let first = try #require(lines.firstIndex { $0.hasPrefix("USAGE: tollgate chat ") })
        let usage = lines[first...].prefix { !$0.isEmpty }
        #expect(usage.allSatisfy { $0.count <= columns })
        #expect(usage.dropFirst().allSatisfy { $0.hasPrefix("       [--") })
        #expect(usage.contains { $0.contains("[--credential-file <path>]") })
        let wrong = try await CommandTest(isTerminal: true, columns: columns).run(
            "chat", "--colour", against: [])
        let told = wrong.errors.split(separator: "\n").drop { !$0.hasPrefix("Usage: ") }
        #expect(!told.isEmpty)
        #expect(told.allSatisfy { $0.count <= columns || $0.contains("See '") })
    }

    @Test func aWrongCommandLineEndsWithTwo() async throws {
        let outcome = try await CommandTest().run("quota", "--colour", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains("Unknown option '--colour'"))
    }

    @Test(arguments: [
        (["chta"], "chat"), (["admin", "audti"], "audit"), (["keys", "lst"], "list"),
        (["qutoa"], "quota"),
    ])
    func aMistypedCommandIsAnsweredWithTheNearest(words: [String], meant: String) async throws {
        let outcome = try await CommandTest().run(words, against: [])
        #expect(outcome.status == 2)
        #expect(outcome.errors.hasPrefix("error: "))
        #expect(outcome.errors.contains("Did you mean '\(meant)'?"))
    }

    @Test(arguments: [["frobnicate"], ["admin", "xyzzy"], ["chat", "--colour"]])
    func nothingIsGuessedWhereNothingIsNear(words: [String]) async throws {
        let outcome = try await CommandTest().run(words, against: [])
        #expect(outcome.status == 2)
        #expect(!outcome.errors.contains("Did you mean 'c"))
        #expect(!outcome.errors.contains("Did you mean 'a"))
    }

    @Test func aWrongCommandLineIsJSONIfAsked() async throws {
        let outcome = try await CommandTest().run("ledger", "--limit", "0", "--json", against: [])
        #expect(outcome.status == 2)
        #expect(
            outcome.errors
                == #"{"error":{"code":"usage","message":"--limit takes 1 to 200."}}"# + "\n")
    }
}
