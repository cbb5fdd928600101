extension Limits {
    /// Retries a client has in hand when it starts, and the most it saves up: enough for a server's
    /// restart under a few dozen callers.
    package static let clientRetriesInHand = 100

    /// A quarter of the pause before the first retry, in milliseconds; it doubles each time.
    package static let clientRetryPauseMilliseconds: Int64 = 5
}
