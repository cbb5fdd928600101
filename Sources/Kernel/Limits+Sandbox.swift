extension Limits {
    /// The body of a request to the sandbox: a long conversation fits, a mistake does not.
    package static let sandboxRequestBytes = 2 * 1_024 * 1_024

    /// The answer to one of the sandbox's own calls: a reply is 2 KiB, a list of trades more.
    package static let sandboxResponseBytes = 8 * 1_024 * 1_024

    /// How long a stalled stream is held open: longer than any client's own time-out.
    package static let sandboxStallMilliseconds: Int64 = 600_000

    /// How often a waiting stream looks whether its client is still there.
    package static let sandboxClientCheckMilliseconds: Int64 = 25

    /// Calls of the model provider that are remembered for looking at.
    package static let sandboxRememberedCalls = 500

    /// Prompt tokens a model of the sandbox takes: what the models it stands in for take.
    package static let sandboxContextTokens = 128_000

    /// Notifications sent at one time: enough to show that they come in parallel.
    package static let sandboxParallelNotifications = 8

    /// Rows a listing of the control interface answers with.
    package static let sandboxListRows = 500
}
