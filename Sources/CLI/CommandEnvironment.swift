package import Foundation

/// Everything of the outside world that commands use; a test gives its own.
package struct CommandEnvironment: Sendable {
    /// The environment variables.
    package var variables: [String: String]
    /// Where results and errors go.
    package var console: Console
    /// Standard input.
    package var input: any LineSource
    /// Ctrl-C.
    package var interrupts: Interrupts
    /// Starts delivering the process's SIGINT.
    package var takeSignals: @Sendable (Interrupts) -> Void
    /// Connects to servers.
    package var servers: any ServerConnector
    /// The zone in which moments are shown.
    package var timeZone: TimeZone
    /// The present moment, in milliseconds since 1970.
    package var now: @Sendable () -> Int64
    /// Waits so many milliseconds, or throws `CancellationError`.
    package var sleep: @Sendable (Int64) async throws -> Void
    /// A fresh idempotency key: 1 to 64 visible ASCII characters.
    package var newKey: @Sendable () -> String
    /// The name of whom the process runs as; nil if the system knows none.
    package var userName: @Sendable () -> String?

    /// Makes an environment.
    package init(
        variables: [String: String], console: Console, input: any LineSource,
        interrupts: Interrupts, takeSignals: @escaping @Sendable (Interrupts) -> Void,
        servers: any ServerConnector, timeZone: TimeZone,
        now: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Int64) async throws -> Void,
        newKey: @escaping @Sendable () -> String,
        userName: @escaping @Sendable () -> String?
    ) {
        self.variables = variables
        self.console = console
        self.input = input
        self.interrupts = interrupts
        self.takeSignals = takeSignals
        self.servers = servers
        self.timeZone = timeZone
        self.now = now
        self.sleep = sleep
        self.newKey = newKey
        self.userName = userName
    }

    /// The environment of the command that runs: ArgumentParser makes commands itself, so that it
    /// cannot be handed to them.
    @TaskLocal package static var current = CommandEnvironment.process()

    /// This process's own.
    package static func process() -> CommandEnvironment {
        let variables = ProcessInfo.processInfo.environment
        return CommandEnvironment(
            variables: variables,
            console: Console(
                output: FileDescriptorSink(descriptor: 1),
                errors: FileDescriptorSink(descriptor: 2), variables: variables),
            input: StandardInput(), interrupts: Interrupts(),
            takeSignals: { ProcessSignals.deliver(to: $0) },
            servers: SocketConnector(variables: variables),
            timeZone: .current,
            now: { Int64(Date().timeIntervalSince1970 * 1_000) },
            sleep: { try await Task.sleep(for: .milliseconds($0)) },
            newKey: { UUID().uuidString.lowercased() }, userName: { OperatorName.ofProcess() })
    }
}
