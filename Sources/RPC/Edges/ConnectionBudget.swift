import NIOCore
import TollgateKernel

/// One connection's part of the server's limits.
///
/// `@unchecked Sendable`: touched on the connection's event loop alone.
final class ConnectionBudget: @unchecked Sendable {
    let edge: ServerEdge
    /// There is no room for the connection; it is told so and closed.
    let isSpare: Bool
    let peer: PeerAddress
    private let number: UInt64
    private(set) var isVerified = false
    private var waitingBytes = 0
    private var borrowedBytes = 0
    /// What counts of the request that is not whole.
    private(set) var unfinishedBytes = 0
    private var bytesInFlight = 0
    private var callsInFlight = 0
    private(set) var unsentBytes = 0
    private var lastCall = NIODeadline.now()

    init(_ edge: ServerEdge, number: UInt64, peer: PeerAddress, isSpare: Bool) {
        self.edge = edge
        self.number = number
        self.peer = peer
        self.isSpare = isSpare
    }

    /// A budget beside all connections: for a channel that a test makes.
    convenience init(_ edge: ServerEdge) {
        self.init(edge, number: .max, peer: .local, isSpare: false)
    }

    /// The peer has said what it speaks.
    func spoke() {
        if isSpare { edge.spoke(number) }
    }

    // MARK: Before the credential is checked

    /// Counts bytes that came; false if peers without a checked credential have sent too many.
    func received(_ bytes: Int) -> Bool {
        guard !isVerified else { return true }
        waitingBytes += bytes
        let beyond = waitingBytes - Limits.rpcUnverifiedFreeBytes - borrowedBytes
        guard beyond > 0 else { return true }
        guard edge.addUnverified(beyond) else { return false }
        borrowedBytes += beyond
        return true
    }

    /// The peer has shown a good credential, or needs none.
    func verified() {
        isVerified = true
        giveBack()
        lastCall = .now()
    }

    /// What a peer without a credential sent has been answered, and nothing of it waits.
    func consumed() { giveBack() }

    /// The connection is gone.
    func closed() {
        giveBack()
        forgetUnfinished()
        noteUnsent(0)
    }

    private func giveBack() {
        edge.removeUnverified(borrowedBytes)
        waitingBytes = 0
        borrowedBytes = 0
    }

    // MARK: Requests that are not whole

    /// Counts what a peer with a checked credential has sent of a request so far.
    /// - Throws: 2004 if all such peers have sent too many; then nothing of it counts.
    func noteUnfinished(_ bytes: Int) throws(RPCError) {
        let counted = max(0, bytes - Limits.rpcUnfinishedFreeBytes)
        if counted > unfinishedBytes {
            guard edge.addUnfinished(counted - unfinishedBytes) else {
                forgetUnfinished()
                throw .overLimit(
                    "Too many bytes of requests that are not whole wait in this server")
            }
        } else {
            edge.removeUnfinished(unfinishedBytes - counted)
        }
        unfinishedBytes = counted
    }

    /// The request is whole, or nothing of it is kept.
    func forgetUnfinished() {
        guard unfinishedBytes > 0 else { return }
        edge.removeUnfinished(unfinishedBytes)
        unfinishedBytes = 0
    }

    // MARK: Calls

    /// Counts a request that is to be worked on.
    /// - Throws: 2004 if the connection, or all of them, have too many bytes in work.
    func enter(_ bytes: Int) throws(RPCError) {
        try take(bytes)
        callsInFlight += 1
    }

    /// Counts bytes that a call which is being worked on turned out to need.
    /// - Throws: 2004 if the connection, or all of them, have too many bytes in work.
    func take(_ bytes: Int) throws(RPCError) {
        guard bytesInFlight + bytes <= edge.limits.bytesInFlightPerConnection else {
            ServerEdge.refused("connection_bytes")
            throw .overLimit("Too many bytes wait on this connection")
        }
        guard edge.addInFlight(bytes) else {
            ServerEdge.refused("bytes")
            throw .overLimit("Too many bytes wait in this server")
        }
        bytesInFlight += bytes
    }

    /// Gives back what ``take(_:)`` counted.
    func giveBack(_ bytes: Int) {
        bytesInFlight -= bytes
        edge.removeInFlight(bytes)
    }

    /// Gives back what ``enter(_:)`` counted, and what was taken since.
    func leave(_ bytes: Int) {
        giveBack(bytes)
        callsInFlight -= 1
        if callsInFlight == 0 { lastCall = .now() }
    }

    // MARK: Answers

    /// Counts what the peer leaves unread of its answers, beyond what every channel may keep.
    func noteUnsent(_ bytes: Int) {
        guard bytes != unsentBytes else { return }
        edge.noteUnsent(bytes - unsentBytes)
        unsentBytes = bytes
    }

    /// Refuses work whose answer nobody would read for a while.
    /// - Throws: 1011 if too many bytes of answers wait.
    func checkUnsent() throws(RPCError) {
        guard unsentBytes < edge.limits.unsentBytesPerConnection,
            unsentBytes == 0 || !edge.isFullOfUnsent
        else {
            ServerEdge.refused("unsent_bytes")
            throw ServerConnectionStateMachine.overcrowded
        }
    }

    /// Whether one more answer may wait: what was accepted has twice the room that new calls need
    /// to find.
    func hasRoom(forAnswer bytes: Int) -> Bool {
        unsentBytes + bytes <= 2 * edge.limits.unsentBytesPerConnection
            && (unsentBytes == 0 || !edge.isFullOfUnsent)
    }

    /// How long the connection has been without a call; nil while one runs.
    func idleTime(_ now: NIODeadline) -> TimeAmount? {
        callsInFlight == 0 ? now - lastCall : nil
    }
}
