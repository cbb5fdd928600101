import Foundation
import Glibc

/// Lines that a person or a pipe gives.
package protocol LineSource: Sendable {
    /// Whether a person types them.
    var isTerminal: Bool { get }

    /// Starts handing over lines without their ends, then nil once; to be called once at most.
    func start(_ deliver: @escaping @Sendable (String?) -> Void)

    /// Shows at a terminal what is typed there, or hides it.
    func echo(_ isShown: Bool)
}

/// Standard input, read on a thread of its own because a read blocks until somebody types.
package struct StandardInput: LineSource {
    package let isTerminal: Bool

    /// Looks at descriptor 0.
    package init() { isTerminal = isatty(STDIN_FILENO) == 1 }

    package func start(_ deliver: @escaping @Sendable (String?) -> Void) {
        let thread = Thread {
            while let line = readLine(strippingNewline: true) { deliver(line) }
            deliver(nil)
        }
        thread.name = "standard-input"
        thread.start()
    }

    package func echo(_ isShown: Bool) {
        var settings = termios()
        guard isTerminal, tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
        // The end of the line is shown all the same, so that what follows has a line of its own.
        settings.c_lflag |= tcflag_t(ECHONL)
        if isShown {
            settings.c_lflag |= tcflag_t(ECHO)
        } else {
            settings.c_lflag &= ~tcflag_t(ECHO)
        }
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }
}

extension LineSource {
    /// The next line; nil at the end.
    ///
    /// Nothing else may read from this source.
    package func line() async -> String? {
        let lines = AsyncStream<String> { continuation in
            start { line in
                if let line { continuation.yield(line) } else { continuation.finish() }
            }
        }
        for await line in lines { return line }
        return nil
    }

    /// The next line, which is not shown while it is typed; nil at the end.
    package func secretLine() async -> String? {
        echo(false)
        defer { echo(true) }
        return await line()
    }

    /// Everything up to the end, at most ``CommandLimits/inputBytes``.
    /// - Throws: A usage failure if there is more.
    package func all() async throws -> String {
        let lines = AsyncStream<String> { continuation in
            start { line in
                if let line { continuation.yield(line) } else { continuation.finish() }
            }
        }
        var text = ""
        for await line in lines {
            if !text.isEmpty { text += "\n" }
            text += line
            guard text.utf8.count <= CommandLimits.inputBytes else {
                throw CommandFailure(
                    .usage, "Standard input has more than \(CommandLimits.inputBytes) bytes.")
            }
        }
        return text
    }
}
