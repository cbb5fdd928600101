import NIOCore
import TollgateKernel

/// Decides when an event loop looks for the next bytes itself for a moment instead of sleeping.
///
/// To put a thread to sleep and to wake it costs more than a short call: where the other end
/// answers within that time, a look at the socket is cheaper for both. Where it does not, the look
/// is lost, so it is taken only as long as it is rewarded, with a trial now and then: what is lost
/// that way is ``Limits/rpcLingerMicroseconds`` in every ``Limits/rpcLingerTrialEvery`` turns.
struct LingerPolicy: Hashable, Sendable {
    /// What rewarded looks have earned; one that is lost costs more than one earns.
    private(set) var credit = 0
    private var declined = 0
    private var declinesUntil = NIODeadline.uptimeNanoseconds(0)

    static let creditMaximum = 8
    private static let cost = 2

    /// Whether to look this time.
    mutating func wantsToLook(at now: NIODeadline) -> Bool {
        guard now >= declinesUntil else { return false }
        if credit > 0 { return true }
        declined += 1
        guard declined >= Limits.rpcLingerTrialEvery else { return false }
        declined = 0
        return true
    }

    /// Learns that a look was broken off because the loop was needed: others are faster here.
    mutating func interrupted() { credit = max(credit - 1, 0) }

    /// Learns that a look took many times what it may: somebody else wants this processor, and a
    /// thread that sleeps gets it back sooner than one that yields.
    mutating func overran(at now: NIODeadline) {
        credit = 0
        declinesUntil = now + .milliseconds(Limits.rpcLingerOverrunPauseMilliseconds)
    }

    /// Learns how a look ended.
    mutating func looked(isRewarded: Bool) {
        credit =
            isRewarded
            ? min(credit + 1, Self.creditMaximum) : max(credit - Self.cost, 0)
    }
}

/// Who alone uses an event loop: while several connections are busy, none of them may look for its
/// own next bytes, because the others' are late meanwhile.
struct SoleReader {
    private var reader: ObjectIdentifier?
    private var since = NIODeadline.uptimeNanoseconds(0)

    /// Notes that a connection has read.
    mutating func read(_ end: ObjectIdentifier, at now: NIODeadline) {
        guard reader != end else { return }
        reader = end
        since = now
    }

    /// Whether no other one has read for ``Limits/rpcLingerAloneMicroseconds``.
    func isAlone(_ end: ObjectIdentifier, at now: NIODeadline) -> Bool {
        reader == end && now - since >= .microseconds(Limits.rpcLingerAloneMicroseconds)
    }
}
