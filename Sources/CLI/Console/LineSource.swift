import Foundation
import Glibc

/// Lines that a person or a pipe gives.
package protocol LineSource: Sendable {
    /// Whether a person types them.
    var isTerminal: Bool { get }

    /// Starts handing over lines without their ends, then nil once; to be called once at most.
    func start(_ deliver: @escaping @Sendable (String?) -> Void)
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
