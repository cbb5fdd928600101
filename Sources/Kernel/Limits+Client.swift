extension Limits {
    /// Retries a client has in hand when it starts, and the most it saves up: enough for a server's
    /// restart under a few dozen callers.
    package static let clientRetriesInHand = 100

    /// A quarter of the pause before the first retry, in milliseconds; it doubles each time.
    package static let clientRetryPauseMilliseconds: Int64 = 5

    /// Methods whose meters a client has at hand without their names: a program calls few over and
    /// over, and the others cost it a look at a table.
    package static let clientRecentMethods = 16

    /// Addresses of one client: a tier of servers has dozens, and each costs a connection.
    package static let clientAddresses = 64

    /// Connections to one address: one carries thousands of calls; more serve large messages and
    /// servers with several event loops.
    package static let clientConnectionsPerAddress = 16

    /// How often names are resolved again, in milliseconds: the usual life of a record in a
    /// cluster's DNS.
    package static let clientResolveMilliseconds: Int64 = 30_000

    /// How soon names are resolved again after it failed or a call found nobody, in milliseconds.
    package static let clientResolveAgainMilliseconds: Int64 = 1_000

    /// Names that are looked up at the same time: a client has a name or two, and one whose name
    /// server is silent takes a thread for half a minute.
    package static let clientLookUpThreads = 4

    /// How long an address's slow answers are remembered, in nanoseconds: Finagle's ten seconds.
    package static let clientLatencyMemoryNanoseconds: Int64 = 10_000_000_000

    /// What a failed call counts as at least, in nanoseconds: failing fast is not being fast.
    package static let clientFailurePenaltyNanoseconds: Int64 = 100_000_000

    /// Failures in a row before an address is put aside: the number Envoy uses.
    package static let clientFailuresBeforeEjection = 5

    /// How long an address is put aside at first, in nanoseconds; it doubles each time.
    package static let clientAbsenceNanoseconds: Int64 = 500_000_000

    /// The longest that an address is put aside, in nanoseconds: a server that was away all night
    /// is used within half a minute.
    package static let clientAbsenceMaximumNanoseconds: Int64 = 30_000_000_000

    /// How long an address must answer after it came back before its past is forgotten, in
    /// nanoseconds.
    package static let clientForgivenessNanoseconds: Int64 = 10_000_000_000

    /// Places of one address on the ring: shares differ by a tenth or so.
    package static let clientRingPointsPerAddress = 160

    /// How much of the average a hashed address may carry, in percent, before the next one takes
    /// over.
    package static let clientHashLoadPercent = 125

    /// Shortest time after which the supervisor looks again for addresses to probe, in
    /// milliseconds, unless another one is put aside.
    package static let clientSuperviseMilliseconds: Int64 = 100

    /// How long a probe may take, in milliseconds: an address that needs longer is not well.
    package static let clientProbeMilliseconds: Int64 = 1_000

    /// Addresses one attempt of a call is moved through while none of them begins it.
    package static let clientMoves = 4

    /// Hedges a client has in hand when it starts, and the most it saves up; ten calls earn one.
    package static let clientHedgesInHand = 10
}
