import TollgateKernel

/// How far a stream's sender may be ahead of its reader (rpc-wire, 1.8, flow control; E5).
///
/// The sender writes while `produced < consumed + size`, so one message may overshoot.
struct StreamWindow: Hashable, Sendable {
    private(set) var size: Int64
    private(set) var produced: Int64 = 0
    private(set) var consumed: Int64 = 0
    /// Each message takes room of its own too, as the receiver knows (E5).
    var chargesMessages = false

    /// Makes a window of so many bytes.
    init(size: Int64 = Limits.rpcStreamWindowBytes) { self.size = size }

    /// Whether a message may be written now.
    var isOpen: Bool { produced < consumed + size }

    /// The receiver keeps less than we would send.
    mutating func limit(to bytes: Int64) { size = min(size, bytes) }

    /// Counts a written message.
    mutating func wrote(_ bytes: Int) {
        produced += Int64(bytes + (chargesMessages ? Limits.rpcStreamMessageBytes : 0))
    }

    /// Takes in the peer's FEEDBACK; a smaller value than before is stale, a larger one than was
    /// ever written is a lie, and both are ignored.
    mutating func peerConsumed(_ total: Int64) {
        guard total > consumed, total <= produced else { return }
        consumed = total
    }
}
