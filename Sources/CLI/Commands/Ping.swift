package import ArgumentParser
import TollgateClient

/// `tollgate ping`.
package struct Ping: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Ask the server for a sign of life.",
        discussion: """
            Tells the server's version, its realm (sandbox or live) and how long the answer took.

            EXAMPLES:
              tollgate ping
              tollgate ping --count 5
              tollgate ping --server 192.0.2.10:7400 --credential-file ~/tollgate.key
            """)
    package static let caller = Caller.connection
    package static let nature = CallNature.probe

    /// How often to ask.
    @Option(help: ArgumentHelp("How often to ask, 1 to 100.", valueName: "number"))
    package var count = 1

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (1...100).contains(count) else { throw ValidationError("--count takes 1 to 100.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        try await invocation.withClient { client, options in
            let diagnostics = DiagnosticsServiceClient(client)
            for _ in 0..<count {
                let clock = ContinuousClock()
                let began = clock.now
                let pong = try await diagnostics.ping(V1.PingRequest(), options: options)
                try report(pong, microseconds: Self.microseconds(clock.now - began), invocation)
            }
        }
    }

    private func report(
        _ pong: V1.PingResponse, microseconds: Int64, _ invocation: Invocation
    ) throws {
        let isRead =
            if invocation.isJSON {
                invocation.console.json(
                    .object([
                        ("server", .text(invocation.settings.server.description)),
                        ("version", .text(pong.version)),
                        ("realm", .text(pong.realm)),
                        ("nowMilliseconds", .number(pong.nowMilliseconds)),
                        ("roundTripMicroseconds", .number(microseconds)),
                    ]))
            } else {
                invocation.console.line(
                    "\(invocation.settings.server) answers in \(Self.milliseconds(microseconds)): "
                        + "version \(TerminalText.line(pong.version)), "
                        + "realm \(TerminalText.line(pong.realm))")
            }
        if !isRead { throw OutputClosed() }
    }

    private static func microseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }

    /// Microseconds as milliseconds with one decimal: `0.4 ms`.
    private static func milliseconds(_ microseconds: Int64) -> String {
        let tenths = (microseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) ms"
    }
}
