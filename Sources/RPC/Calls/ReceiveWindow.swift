import TollgateKernel

/// What a stream's receiver allows its sender: a window of unread bytes, and so much a message.
///
/// The sender may write while it is not a window ahead of what it was told to be read, so one
/// message may overshoot (rpc-wire, 1.8); a sender that goes further is reset.
struct ReceiveWindow: Hashable, Sendable {
    private(set) var sizeBytes: Int64
    private let maximumMessageBytes: Int
    /// What arrived so far, as the window counts it.
    private(set) var received: Int64 = 0
    private var consumed: Int64 = 0
    private var unreadMessages = 0

    /// Bytes of the message whose fragments are arriving.
    private(set) var partialBytes = 0

    /// Each message takes room of its own too, as its sender knows; else their number is bounded by
    /// itself.
    var chargesMessages: Bool

    /// What is to be done about a fragment.
    enum Verdict: Hashable {
        /// Keep it: its message goes on.
        case part
        /// Keep it: its message is whole.
        case whole
        /// The sender did not keep the window.
        case overrun
        /// The message is longer than one may be.
        case tooLarge
    }

    init(
        sizeBytes: Int64 = Limits.rpcStreamWindowBytes,
        maximumMessageBytes: Int = Limits.rpcBodyBytes, chargesMessages: Bool = false
    ) {
        self.sizeBytes = sizeBytes
        self.maximumMessageBytes = maximumMessageBytes
        self.chargesMessages = chargesMessages
    }

    /// The sender knows nothing of our window, so ours is at least what bRPC's senders have.
    mutating func widen() { sizeBytes = max(sizeBytes, Limits.rpcStreamWindowBytes) }

    /// Takes in a fragment.
    mutating func receive(_ bytes: Int, hasContinuation: Bool) -> Verdict {
        if partialBytes == 0 {
            guard received - consumed < sizeBytes,
                chargesMessages || unreadMessages < Limits.rpcStreamUnreadMessages
            else { return .overrun }
        }
        received += Int64(bytes)
        partialBytes += bytes
        guard partialBytes <= maximumMessageBytes else { return .tooLarge }
        if hasContinuation { return .part }
        partialBytes = 0
        unreadMessages += 1
        if chargesMessages { received += Int64(Limits.rpcStreamMessageBytes) }
        return .whole
    }

    /// Takes in how far the reader is.
    mutating func consume(upTo total: Int64, messages: Int) {
        guard total >= consumed, total <= received else { return }
        consumed = total
        unreadMessages = max(0, unreadMessages - messages)
    }
}
