/// What a server bears at its edge: connections, bytes, idle peers, overload.
extension Limits {
    /// Connections of one address that is not this machine: a web tier pools a few dozen, and
    /// eighty such addresses still share ``rpcConnections``.
    package static let rpcConnectionsPerAddress = 128

    /// Connections beyond the limits that are taken to be told so, and for `/health`: the oldest
    /// that says nothing makes room for the next.
    package static let rpcSpareConnections = 64

    /// Descriptors that connections leave free: the store, upstream calls, files and logs.
    package static let rpcOtherDescriptors = 512

    /// How long a connection beyond the limits may take to hear so, in milliseconds: one round trip
    /// with room to spare.
    package static let rpcSpareMilliseconds: Int64 = 1_000

    /// What a peer beyond a limit is asked to wait, in milliseconds: long against a burst, short
    /// against a person's patience.
    package static let rpcRetryAfterMilliseconds: Int64 = 500

    /// Bytes that each peer without a checked credential may have waiting outside the shared
    /// budget: a credential and a small first request, whatever others do.
    package static let rpcUnverifiedFreeBytes = 16 * 1_024

    /// Bytes of all peers without a checked credential beyond what each has free: four of the
    /// largest first requests.
    package static let rpcUnverifiedBytes = 64 * 1_024 * 1_024

    /// Bytes that each peer with a checked credential may have sent of a request that is not whole,
    /// outside the shared budget, and memory that a connection keeps of what it read: as much as
    /// strangers have.
    package static let rpcUnfinishedFreeBytes = 16 * 1_024

    /// Bytes of all such requests beyond what each has free: eight of the largest at once, and half
    /// of ``rpcBytesInFlight``, which they leave alone.
    package static let rpcUnfinishedBytes = 128 * 1_024 * 1_024

    /// How long a request may take to come once it takes from that budget, in milliseconds: twice
    /// ``rpcCloseMaximumMilliseconds``, and 16 MiB at 2.2 Mbit/s.
    package static let rpcUnfinishedMilliseconds: Int64 = 60_000

    /// Memory of a read that a waiting call may keep uncounted, in bytes: about what the call takes
    /// itself.
    package static let rpcPinnedFreeBytes = 4 * 1_024

    /// Memory of all reads that waiting calls lie in, in bytes, from which on packets are copied
    /// out of their reads: a quarter of ``rpcBytesInFlight``.
    package static let rpcPinnedBytes = 64 * 1_024 * 1_024

    /// Bytes of one connection's requests that are being worked on, with their metadata: four of
    /// the largest, and 64 KiB for each of ``rpcCallsInFlightPerConnection``.
    package static let rpcBytesInFlightPerConnection = 64 * 1_024 * 1_024

    /// Bytes of answers that one connection's peer leaves unread before its calls are refused: as
    /// many as bRPC allows (rpc-wire, 1.7: EOVERCROWDED).
    ///
    /// What was accepted before may take twice as much.
    package static let rpcUnsentBytesPerConnection = 64 * 1_024 * 1_024

    /// Bytes of all requests that are being worked on: a small machine has a GiB for the server.
    package static let rpcBytesInFlight = 256 * 1_024 * 1_024

    /// Calls of one method running at once: most wait for the store, which takes 256 a batch.
    package static let rpcCallsInFlightPerMethod = 8_192

    /// How long a connection may go without a call before the server ends it, in milliseconds:
    /// pools that breathe come back within minutes, forgotten ones never do.
    package static let rpcIdleMilliseconds: Int64 = 900_000

    /// Silence after which the kernel asks whether the peer lives, in seconds.
    package static let rpcKeepaliveIdleSeconds = 60

    /// Between two such questions, in seconds.
    package static let rpcKeepaliveIntervalSeconds = 10

    /// Unanswered questions after which the peer is dead: two minutes in all.
    package static let rpcKeepaliveProbes = 6

    /// How long bytes may stay unacknowledged, or a peer's window shut, before the kernel gives the
    /// connection up, in milliseconds: a dead or never-reading peer holds no answers for longer.
    package static let rpcUserTimeoutMilliseconds = 60_000

    /// How often the files of certificates are looked at, in milliseconds: whoever replaces them
    /// waits, and a look is three system calls.
    package static let rpcCertificateMilliseconds: Int64 = 2_000

    // MARK: HTTP

    /// A request's body over HTTP: questions and orders are far shorter; what is longer belongs on
    /// the binary wire.
    package static let rpcHTTPBodyBytes = 1_024 * 1_024

    /// JSON that is read or written on the event loop itself: longer takes over 50 µs, and goes to
    /// a thread of its own.
    package static let rpcHTTPInlineBytes = 4 * 1_024

    /// How long a request's body may take, in milliseconds.
    package static let rpcHTTPBodyMilliseconds: Int64 = 30_000

    /// How long a peer may take for an answer of which it always takes some more, in milliseconds:
    /// the longest JSON over a slow line, and nobody for ever.
    package static let rpcHTTPAnswerMilliseconds: Int64 = 300_000

    /// How long a connection is kept open for the next request, in milliseconds.
    package static let rpcHTTPIdleMilliseconds: Int64 = 60_000

    // MARK: Adaptive concurrency

    /// Calls of one method that run at once whatever their latency: two full batches of the
    /// store's usual load wait together without being overload.
    package static let rpcAdaptiveMinimum = 64

    /// Where a method's limit begins: one connection's worth, so that a start under load refuses
    /// nobody before anything was measured.
    package static let rpcAdaptiveInitial = rpcCallsInFlightPerConnection

    /// Calls of one method that the limit can grow to: as many as the fixed limit admits.
    package static let rpcAdaptiveMaximum = rpcCallsInFlightPerMethod

    /// How long a window of measurement lasts at least, in milliseconds: some batches of the store.
    package static let rpcAdaptiveWindowMilliseconds: Int64 = 100

    /// Calls that a window needs: fewer say nothing about an average.
    package static let rpcAdaptiveWindowCalls = 20

    /// A mean below this is no overload, in milliseconds: reading a burst takes as long.
    package static let rpcAdaptiveNoiseMilliseconds: Int64 = 5

    /// How many times its unloaded self a method's latency may be, in percent.
    package static let rpcAdaptiveTolerancePercent = 200

    /// Windows between two looks at what the latency is without a queue: half a minute under load.
    package static let rpcAdaptiveWindowsPerEra = 300

    /// Windows of an era whose measure may be wrong: a second, so that an overload from the first
    /// call on is found out within some seconds.
    package static let rpcAdaptiveWindowsPerShortEra = 10

    /// The part of a method's limit that background calls may fill, in percent.
    package static let rpcBackgroundSharePercent = 50

    /// The part of a method's limit that critical calls may fill, in percent: while
    /// ordinary calls fill all of it, half as many of these still find room.
    package static let rpcCriticalSharePercent = 150
}
