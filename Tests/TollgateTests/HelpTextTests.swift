import Bench
import Foundation
import Testing

/// The help of every command of the program, those of the roles included, as its parser has it.
struct HelpTextTests {
    /// A command with what it is called, as the parser dumps it.
    private struct Command: Decodable, Sendable {
        struct Option: Decodable, Sendable {
            struct Name: Decodable, Sendable { var name: String }

            var preferredName: Name?
            var abstract: String?
        }

        var commandName: String
        var discussion: String?
        var shouldDisplay: Bool?
        var subcommands: [Command]?
        var arguments: [Option]?
    }

    private struct Dump: Decodable { var command: Command }

    /// Every command that is shown, by the words that people type.
    private func commands() async throws -> [String: Command] {
        let text = try await ChildProcess(
            RoleProcess.program.path, ["--experimental-dump-help"]
        ).result()
        var found: [String: Command] = [:]
        func walk(_ command: Command, _ words: [String]) {
            guard command.shouldDisplay != false else { return }
            let words = words + [command.commandName]
            found[words.joined(separator: " ")] = command
            // The parser's own `help` has no texts of ours.
            for child in command.subcommands ?? [] where child.commandName != "help" {
                walk(child, words)
            }
        }
        walk(try JSONDecoder().decode(Dump.self, from: Data(text.utf8)).command, [])
        return found
    }

    @Test func `Paragraphs break where the terminal ends, and examples fit into 80 columns`()
        async throws
    {
        let commands = try await commands()
        #expect(commands.count > 60)
        for (words, command) in commands {
            let lines = (command.discussion ?? "").split(
                separator: "\n", omittingEmptySubsequences: false)
            for (line, next) in zip(lines, lines.dropFirst() + [""]) {
                let isIndented = line.hasPrefix(" ")
                #expect(!isIndented || line.count <= 80, "\(words): \(line)")
                let goesOn = !line.isEmpty && !isIndented && !next.isEmpty && !next.hasPrefix(" ")
                #expect(!goesOn, "\(words) has a paragraph with line breaks of its own: \(line)")
            }
        }
    }

    /// What environment variable an option stands for.
    private static let variables: [(words: String, option: String, variable: String)] = [
        ("serve", "data", "DATA"), ("serve", "store", "STORE_ADDRESS"),
        ("serve", "listen", "SERVER_ADDRESS"), ("serve", "sandbox", "SANDBOX_ADDRESS"),
        ("serve", "web", "WEB_ADDRESS"), ("serve", "order-lifetime", "ORDER_LIFETIME_SECONDS"),
        ("serve", "first-payment-query", "ORDER_FIRST_QUERY_SECONDS"),
        ("serve", "store-log-mebibytes", "STORE_LOG_MEBIBYTES"),
        ("serve", "insecure", "SERVER_INSECURE"),
        ("serve", "tls-certificate", "SERVER_TLS_CERTIFICATE"),
        ("serve", "tls-key", "SERVER_TLS_KEY"), ("serve", "tls-client-ca", "SERVER_TLS_CLIENT_CA"),
        ("serve", "tls-client-roles", "SERVER_TLS_CLIENT_ROLES"),
        ("up", "server", "SERVER_ADDRESS"), ("up", "web", "WEB_ADDRESS"),
        ("up", "sandbox", "SANDBOX_ADDRESS"), ("up", "jobs", "JOBS_ADDRESS"),
        ("web", "listen", "WEB_ADDRESS"), ("web", "server", "SERVER_ADDRESS"),
        ("jobs serve", "listen", "JOBS_ADDRESS"), ("jobs run", "sandbox", "SANDBOX_ADDRESS"),
        ("jobs run", "first-payment-query", "ORDER_FIRST_QUERY_SECONDS"),
        ("sandbox serve", "listen", "SANDBOX_ADDRESS"), ("sandbox serve", "web", "WEB_ADDRESS"),
        ("sandbox serve", "minimum-expiry", "SANDBOX_MINIMUM_EXPIRY_SECONDS"),
        ("sandbox serve", "notify-scale", "SANDBOX_NOTIFY_SCHEDULE_SCALE"),
        ("sandbox serve", "tokens-per-second", "SANDBOX_TOKENS_PER_SECOND"),
        ("sandbox pay", "sandbox", "SANDBOX_ADDRESS"),
        ("admin reseal", "operator", "OPERATOR"),
        ("admin accounts freeze", "operator", "OPERATOR"),
    ]

    @Test func `Options that stand for an environment variable name it`() async throws {
        let commands = try await commands()
        for (words, option, variable) in Self.variables {
            let command = try #require(commands["tollgate \(words)"], "\(words)")
            let found = command.arguments?.first { $0.preferredName?.name == option }
            let help = try #require(found?.abstract, "\(words) --\(option)")
            #expect(help.contains("TOLLGATE_\(variable)"), "\(words) --\(option): \(help)")
        }
    }
}
