package import ArgumentParser
import Glibc
import TollgateClient

/// Parses a command line, runs the command and tells how it ended.
package enum CommandRunner {
    /// Runs this process's command line to the process's end.
    package static func main(_ root: any ParsableCommand.Type) async -> Never {
        let arguments = Array(CommandLine.arguments.dropFirst())
        exit(await run(root, arguments, in: CommandEnvironment.current))
    }

    /// Runs one command line.
    /// - Returns: The exit code.
    package static func run(
        _ root: any ParsableCommand.Type, _ arguments: [String],
        in environment: CommandEnvironment
    ) async -> Int32 {
        let isJSON = arguments.prefix { $0 != "--" }.contains("--json")
        let status = await outcome(root, arguments, isJSON, environment)
        guard let problem = environment.console.output.problem else { return status }
        environment.console.report(
            CommandFailure(.file, "Standard output cannot be written: \(problem)."),
            isJSON: isJSON)
        return status == ExitStatus.success.rawValue ? ExitStatus.failure.rawValue : status
    }

    private static func outcome(
        _ root: any ParsableCommand.Type, _ arguments: [String], _ isJSON: Bool,
        _ environment: CommandEnvironment
    ) async -> Int32 {
        do {
            try await CommandEnvironment.$current.withValue(environment) {
                try await execute(root, arguments)
            }
            return ExitStatus.success.rawValue
        } catch {
            environment.console.endProgress()
            return report(
                error, of: arguments, root: root, isJSON: isJSON, console: environment.console)
        }
    }

    private static func execute(
        _ root: any ParsableCommand.Type, _ arguments: [String]
    ) async throws {
        if let failure = CommandSuggestion.failure(ofHelp: arguments, below: root) { throw failure }
        var command = try root.parseAsRoot(arguments)
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    }

    /// Says why it ended, and returns the exit code.
    private static func report(
        _ error: any Error, of arguments: [String], root: any ParsableCommand.Type, isJSON: Bool,
        console: Console
    ) -> Int32 {
        if let code = error as? ExitCode { return code.rawValue }
        if error is OutputClosed { return ExitStatus.success.rawValue }
        if let failure = CommandFailure(thrown: error) {
            console.report(failure, isJSON: isJSON)
            return failure.status.rawValue
        }
        switch root.exitCode(for: error) {
        case .success:
            let columns = console.output.columns ?? CommandLimits.columns
            console.line(UsageText.fitted(root.fullMessage(for: error), columns: columns))
            return ExitStatus.success.rawValue
        case .validationFailure:
            let suggestion = CommandSuggestion.sentence(for: arguments, below: root)
            if isJSON {
                let message = [root.message(for: error), suggestion].compactMap { $0 }
                console.report(
                    CommandFailure(.usage, message.joined(separator: " ")), isJSON: true)
            } else {
                let columns = console.errors.columns ?? CommandLimits.columns
                console.reportUsage(
                    UsageText.fitted(root.fullMessage(for: error), columns: columns),
                    suggestion: suggestion)
            }
            return ExitStatus.usage.rawValue
        case let code:
            let message = root.message(for: error)
            console.report(
                CommandFailure(code: "internal_error", message: message), isJSON: isJSON)
            return code.rawValue
        }
    }
}

extension CommandFailure {
    /// The failure that an error stands for; nil if it is none that commands throw.
    package init?(thrown error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let failure as TollgateError:
            self.init(
                code: failure.code, message: failure.message,
                retryAfterMilliseconds: failure.retryAfterMilliseconds)
        case is Interrupted, is CancellationError: self.init(.interrupted, "Stopped.")
        default: return nil
        }
    }
}

extension Console {
    /// Says on standard error why something was not done.
    package func report(_ failure: CommandFailure, isJSON: Bool) {
        if isJSON {
            note(failure.json.text)
            return
        }
        // To be stopped by a person is no error.
        let label = failure.status == .interrupted ? "" : errorStyle.red("error: ")
        note(label + TerminalText.line(failure.message))
        if !failure.advice.isEmpty { note(failure.advice) }
    }

    /// Says on standard error what is wrong with a command line, in the words of its parser but
    /// labelled as every other error is.
    func reportUsage(_ text: String, suggestion: String?) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let label = "Error: "
        if let first = lines.first, first.hasPrefix(label) {
            lines.removeFirst()
            note(errorStyle.red("error: ") + first.dropFirst(label.count))
        }
        if let suggestion { note(suggestion) }
        note(lines.joined(separator: "\n"))
    }
}

/// Nobody reads the results any more.
package struct OutputClosed: Error {
    /// Makes the news.
    package init() {}
}
