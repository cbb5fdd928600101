import Metrics
import NIOCore
import Synchronization
import TollgateKernel

/// What all connections of a server share of its limits; safe from any thread.
final class ServerEdge: Sendable {
    let limits: ServerLimits
    private let state: Mutex<State>
    private let unverified = Atomic(0)
    private let inFlight = Atomic(0)
    private let unsent = Atomic(0)
    private let unfinished = Atomic(0)
    private let pinned = Atomic(0)

    private struct State {
        var table: ConnectionTable
        var nextNumber: UInt64 = 0
        /// Spare connections, to close the one that makes room.
        var spare: [UInt64: any Channel] = [:]
    }

    init(_ limits: ServerLimits = ServerLimits()) {
        self.limits = limits
        state = Mutex(State(table: ConnectionTable(limits)))
    }

    // MARK: Connections

    /// Gives a new channel its place; nil if it is to be closed.
    func open(_ channel: any Channel) -> ConnectionBudget? {
        let address = PeerAddress(channel.remoteAddress)
        let (number, verdict, evicted) = state.withLock { state in
            let number = state.nextNumber
            state.nextNumber += 1
            let verdict = state.table.open(number, from: address)
            var evicted: (any Channel)?
            if case .spare(let oldest) = verdict {
                state.spare[number] = channel
                evicted = oldest.flatMap { state.spare.removeValue(forKey: $0) }
            }
            return (number, verdict, evicted)
        }
        evicted?.close(promise: nil)
        if verdict == .close {
            Self.refused("connection")
            return nil
        }
        channel.closeFuture.whenComplete { _ in self.close(number) }
        let isSpare = verdict != .admit
        if isSpare { Self.refused("connection") }
        return ConnectionBudget(self, number: number, peer: address, isSpare: isSpare)
    }

    /// A spare connection is being answered and is not closed for another.
    func spoke(_ number: UInt64) { state.withLock { $0.table.spoke(number) } }

    private func close(_ number: UInt64) {
        state.withLock { state in
            state.table.close(number)
            state.spare[number] = nil
        }
    }

    /// How many connections are served.
    var connectionCount: Int { state.withLock { $0.table.count } }

    // MARK: Bytes

    /// Counts bytes of a peer without a checked credential; false if there are too many.
    func addUnverified(_ bytes: Int) -> Bool {
        if Self.add(bytes, to: unverified, atMost: limits.unverifiedBytes) { return true }
        Self.refused("unverified_bytes")
        return false
    }

    func removeUnverified(_ bytes: Int) {
        if bytes > 0 { unverified.subtract(bytes, ordering: .relaxed) }
    }

    /// Counts bytes of a request that is not whole; false if there are too many.
    func addUnfinished(_ bytes: Int) -> Bool {
        if Self.add(bytes, to: unfinished, atMost: limits.unfinishedBytes) { return true }
        Self.refused("unfinished_bytes")
        return false
    }

    func removeUnfinished(_ bytes: Int) { unfinished.subtract(bytes, ordering: .relaxed) }

    /// Counts bytes of a request that is being worked on; false if there are too many.
    func addInFlight(_ bytes: Int) -> Bool {
        Self.add(bytes, to: inFlight, atMost: limits.bytesInFlight)
    }

    /// Counts bytes, unless there would be more than `limit`.
    private static func add(
        _ bytes: Int, to counter: borrowing Atomic<Int>, atMost limit: Int
    ) -> Bool {
        let total = counter.add(bytes, ordering: .relaxed).newValue
        guard total > limit else { return true }
        counter.subtract(bytes, ordering: .relaxed)
        return false
    }

    /// Counts more or fewer bytes of answers that their callers leave unread.
    ///
    /// They are made already, so that they are never refused, but new requests are.
    func noteUnsent(_ bytes: Int) { unsent.add(bytes, ordering: .relaxed) }

    /// Whether callers leave as much unread as all requests may take: then whoever is behind gets
    /// no more, and nobody else is the worse for it.
    var isFullOfUnsent: Bool { unsent.load(ordering: .relaxed) >= limits.bytesInFlight }

    func removeInFlight(_ bytes: Int) { inFlight.subtract(bytes, ordering: .relaxed) }

    /// Counts the memory of a read that waiting calls lie in, or takes it back.
    func notePinned(_ bytes: Int) { pinned.add(bytes, ordering: .relaxed) }

    /// Whether waiting calls keep as much memory of what was read with them as they may: further
    /// ones are copied, and none is refused.
    var isFullOfPinned: Bool { pinnedBytes >= limits.pinnedBytes }

    /// Memory of reads that waiting calls lie in.
    var pinnedBytes: Int { pinned.load(ordering: .relaxed) }

    /// Bytes of requests that are not whole, beyond what each peer has free.
    var unfinishedBytes: Int { unfinished.load(ordering: .relaxed) }

    /// Bytes that are counted now, for tests of leaks.
    var countedBytes: (unverified: Int, inFlight: Int) {
        (
            unverified.load(ordering: .relaxed),
            inFlight.load(ordering: .relaxed) + unsent.load(ordering: .relaxed)
        )
    }

    // MARK: Refusals

    /// Counts what was refused, by the limit that was in its way.
    static func refused(_ limit: String) {
        Counter(label: "tollgate_rpc_refusals_total", dimensions: [("limit", limit)]).increment()
    }
}

extension RPCError {
    /// ELIMIT (2004): nothing was done, and trying again after a pause is safe.
    static func overLimit(_ text: String) -> RPCError {
        RPCError(
            code: Code.limit, text: text,
            userFields: [Field.retryAfter: String(Limits.rpcRetryAfterMilliseconds)],
            isNotProcessed: true)
    }
}
