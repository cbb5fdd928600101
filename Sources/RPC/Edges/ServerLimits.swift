import TollgateKernel

/// What a server bears; each bound's reason stands with its default in `Limits`.
package struct ServerLimits: Hashable, Sendable {
    /// Connections at once, those inside the process included.
    package var connections = Limits.rpcConnections

    /// Connections of one address; of one /64 network in IPv6.
    package var connectionsPerAddress = Limits.rpcConnectionsPerAddress

    /// Whether this machine's own addresses are counted like others.
    ///
    /// Usually they are not: every process here shares one.
    package var countsLoopback = false

    /// Connections beyond the limits that are taken to be told so.
    package var spareConnections = Limits.rpcSpareConnections

    /// Bytes of all peers without a checked credential.
    package var unverifiedBytes = Limits.rpcUnverifiedBytes

    /// Bytes of all peers with a checked credential whose requests are not whole.
    package var unfinishedBytes = Limits.rpcUnfinishedBytes

    /// Memory of all reads that waiting calls lie in, in bytes, before packets are copied out of
    /// theirs.
    package var pinnedBytes = Limits.rpcPinnedBytes

    /// Bytes of one connection's requests that are being worked on.
    package var bytesInFlightPerConnection = Limits.rpcBytesInFlightPerConnection

    /// Bytes of answers that one connection's peer leaves unread before its calls are refused; what
    /// was accepted may take twice as much.
    package var unsentBytesPerConnection = Limits.rpcUnsentBytesPerConnection

    /// Bytes of all requests that are being worked on; as many may be left unread of answers.
    package var bytesInFlight = Limits.rpcBytesInFlight

    /// Calls of one method at once.
    package var callsInFlightPerMethod = Limits.rpcCallsInFlightPerMethod

    /// How long a connection may go without a call, in milliseconds.
    package var idleMilliseconds = Limits.rpcIdleMilliseconds

    /// How long a connection may wait with its first bytes, then with its handshake, then with a
    /// good credential, in milliseconds.
    package var firstBytesMilliseconds = Limits.rpcFirstBytesMilliseconds

    /// How a method's limit follows its latency; nil has the fixed limit alone.
    package var adaptive: GradientLimiter.Settings? = GradientLimiter.Settings()

    /// The usual limits.
    package init() {}
}
