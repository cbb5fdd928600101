extension Limits {
    /// A packet's meta: a credential and a few dozen user fields fit many times over.
    package static let rpcMetaBytes = 64 * 1_024

    /// A packet's body after its header: larger messages belong into a stream.
    package static let rpcBodyBytes = 16 * 1_024 * 1_024

    /// Metadata entries of one packet: callers use a handful, and each is copied.
    package static let rpcUserFields = 64

    /// Numbers of further streams that are read of one call: any makes it refused, and as numbers
    /// they take eight times the bytes that were sent.
    package static let rpcExtraStreamIDs = 64

    /// Bytes of an error's text that are sent: room for a long sentence, which may repeat what its
    /// caller sent; a meta above ``rpcMetaBytes`` would end every call of the connection.
    package static let rpcErrorTextBytes = 1_024

    /// What may be decoded of protobuf on an event loop, in bytes: 50 µs at 1.3 GB/s.
    package static let rpcInlineDecodeBytes = 64 * 1_024

    /// Memory that a request may keep by lying in what was read with it, in bytes.
    ///
    /// A socket's longest read is half of it, and what goes on in the next one doubles that: short
    /// calls that come densely are not copied.
    package static let rpcSharedReadBytes = 128 * 1_024

    /// How many times its own size a request may keep beyond that: room is made by doubling, once
    /// for a long packet and once for what it begins behind.
    package static let rpcSharedReadTimes = 4

    /// How long a new connection may wait with its first bytes, in milliseconds: clients connect
    /// when they have something to say.
    package static let rpcFirstBytesMilliseconds: Int64 = 10_000

    /// How long a connection may take for its page, from the fourth byte to the last of the answer,
    /// in milliseconds: metrics are some hundred KiB, and whoever reads them is near.
    package static let rpcPageMilliseconds: Int64 = 10_000

    /// Calls running at once for one connection: 16 times what the benchmark's 64 callers need, and
    /// at 64 KiB a request still only 64 MiB.
    package static let rpcCallsInFlightPerConnection = 1_024

    /// Requests held back while a connection's credential is checked: a client may send a burst
    /// before its first answer, not a flood.
    package static let rpcRequestsAwaitingCredential = 128

    /// Connections at once: each costs a descriptor and some tens of KiB; the usual descriptor
    /// limit is 1,024 soft and far higher hard.
    package static let rpcConnections = 10_000

    /// A stream's DATA frame: a long message does not hold up other streams for more than this.
    package static let rpcFragmentBytes = 64 * 1_024

    /// Bytes of one stream that may be on their way: bRPC's default buffer, which its readers must
    /// be ready for (rpc-wire, 1.8).
    package static let rpcStreamWindowBytes: Int64 = 2 * 1_024 * 1_024

    /// Unread messages of one stream at which a sender is reset that counts their bytes alone: a
    /// window of messages of eight bytes, and shorter ones, which cost more memory than they count,
    /// do not come unread so many.
    package static let rpcStreamUnreadMessages = 262_144

    /// What a message of a stream takes of its window beside its bytes, between ends of ours, and
    /// of its reader's budget always.
    ///
    /// About what it costs its keeper: 65,536 messages without a byte fill two MiB. Both ends count
    /// it, so it is part of the wire and stays what it is.
    package static let rpcStreamMessageBytes = 32

    /// Bytes of one stream that wait to be sent before its writer does: two fragments, so that the
    /// connection always finds one while the next is made.
    package static let rpcStreamUnsentBytes = 128 * 1_024

    /// What a frame costs beside its payload, in bytes, about: messages without bytes have to count
    /// too, or as many as their writer likes would wait.
    package static let rpcFrameOverheadBytes = 32

    /// Bytes that may wait on a client's connection for a server that does not read, before further
    /// calls are refused: bRPC's 64 MiB, four of the longest requests.
    package static let rpcClientQueuedBytes = 64 * 1_024 * 1_024

    /// Frames of a server that are answered although so much waits for it, about a MiB of answers:
    /// one that reads slowly may go on sending for minutes, one that does not read is left.
    package static let rpcAnswersWhileCrowded = 32_768

    /// Bytes of all streams that a connection hands to its socket at once: what is behind them,
    /// such as the answer of a short call, waits for no more than this.
    package static let rpcStreamBytesInFlight = 128 * 1_024

    /// Memory that a connection keeps for its next writes: a few fragments.
    package static let rpcOutboundKeptBytes = 256 * 1_024

    /// A payload that is worth compressing, in bytes: shorter ones gain less than they cost.
    package static let rpcCompressFromBytes = 1_024

    /// What may be compressed on an event loop, in bytes: 50 µs at the 100 MB/s of zlib's fastest
    /// level.
    package static let rpcInlineDeflateBytes = 4 * 1_024

    /// What may come out of decompressing on an event loop, in bytes: 50 µs at 300 MB/s.
    package static let rpcInlineInflateBytes = 16 * 1_024

    /// What may be read for a checksum on an event loop, in bytes: 50 µs at the 5 GB/s of the
    /// processor's instruction.
    package static let rpcInlineChecksumBytes = 256 * 1_024

    /// How long a peer may be silent before it is asked to show that it lives, in milliseconds:
    /// often enough to keep a NAT's entry, which some drop after a minute.
    package static let rpcSilenceMilliseconds: Int64 = 30_000

    /// Bytes that a peer was behind with for what it takes to show that it reads: its kernel takes
    /// and confirms a ping also for a process that is stuck.
    package static let rpcBehindBytes = 4 * 1_024

    /// How long a peer may then take to say anything, in milliseconds: more than a busy machine or
    /// a lost packet needs.
    package static let rpcProbePatienceMilliseconds: Int64 = 10_000

    /// A call whose caller and method name no deadline ends after this, in milliseconds.
    package static let rpcStreamDeadlineMilliseconds: Int64 = 600_000

    /// The longest deadline a caller can ask for, in milliseconds: one day.
    package static let rpcDeadlineMilliseconds: Int64 = 86_400_000

    /// How long a loop runs tasks that keep waking each other before its sockets get a turn, in
    /// microseconds: a caller's cancel is read soon whatever its handler does.
    package static let rpcTurnMicroseconds: Int64 = 500

    /// How long a loop then leaves its tasks, in microseconds: longer than it takes to look for
    /// due tasks, or the look would find them due already.
    package static let rpcTurnPauseMicroseconds: Int64 = 100

    /// From this size on an attachment is not copied beside its packet but sent from where it is;
    /// shorter ones cost less copied than as a buffer of their own.
    package static let rpcAttachmentInPlaceBytes = 16 * 1_024

    /// How long a loop looks for its only busy connection's next bytes before it sleeps, in
    /// microseconds: about what sleeping and waking cost both ends of a short call on one machine.
    package static let rpcLingerMicroseconds: Int64 = 50

    /// A loop whose looks are not rewarded tries again in one of so many turns: about a
    /// microsecond of processor time in each, unless ``rpcLingerOverrunMicroseconds`` ends it.
    package static let rpcLingerTrialEvery = 64

    /// A look that took so long, in microseconds, lost the processor to somebody for a turn of the
    /// scheduler's; a stall of a tenth of it is common on virtual machines, and nobody's turn.
    package static let rpcLingerOverrunMicroseconds: Int64 = 1_000

    /// How long a loop does not look after such a look, in milliseconds: who wanted the processor
    /// will want it again.
    package static let rpcLingerOverrunPauseMilliseconds: Int64 = 1_000

    /// How long no other connection of a loop may have read before one is looked at, in
    /// microseconds: twenty of those looks.
    package static let rpcLingerAloneMicroseconds: Int64 = 1_000

    /// How many packets a read or a batch of tasks writes before the first of them leave: the other
    /// end works on these while the rest is written, for one more system call in so many packets.
    package static let rpcPacketsPerFlush = 16

    /// How often a loop looks for passed deadlines, in milliseconds: a call overruns by no more.
    package static let rpcDeadlineTickMilliseconds: Int64 = 10

    /// Bytes queued for a slow peer before its writers wait, and where they go on.
    package static let rpcOutboundHighWaterBytes = 512 * 1_024

    /// Bytes queued for a slow peer at which waiting writers go on.
    package static let rpcOutboundLowWaterBytes = 128 * 1_024

    /// How long a drain waits for running calls before it cancels them, in milliseconds: most
    /// supervisors kill after 30 s.
    package static let rpcDrainGraceMilliseconds: Int64 = 20_000

    /// How long a closing connection waits for its peer to close too, once it has everything, in
    /// milliseconds: a round trip with room to spare.
    package static let rpcCloseMilliseconds: Int64 = 1_000

    /// How long a closing connection's peer may take nothing of what is left, in milliseconds: some
    /// lost packets, or a window that opens a large piece at a time.
    package static let rpcCloseStallMilliseconds: Int64 = 4_000

    /// How long a closing connection's peer may take in all, in milliseconds, where no drain says
    /// less: the largest answers over a slow line.
    package static let rpcCloseMaximumMilliseconds: Int64 = 30_000

    /// How often a closing connection is looked at, in milliseconds.
    package static let rpcCloseLookMilliseconds: Int64 = 50

    /// How long making a connection may take, in milliseconds.
    package static let rpcConnectTimeoutMilliseconds: Int64 = 3_000

    /// Calls waiting on one client connection: above what a server admits, so that it says so.
    package static let rpcPendingCallsPerConnection = 4_096

    /// The first pause after a failed connect, in milliseconds; it doubles up to the next limit.
    package static let rpcReconnectPauseMilliseconds: Int64 = 50

    /// The longest pause between connects, in milliseconds: a restarted server is found soon.
    package static let rpcReconnectPauseMaximumMilliseconds: Int64 = 2_000

    /// Attempts of one call, the first included.
    package static let rpcAttempts = 3
}
