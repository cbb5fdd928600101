package import NIOCore
import TollgateKernel

/// How an end finds out that its peer is dead although the socket says nothing (E6).
package struct Keepalive: Hashable, Sendable {
    /// How long a peer may be silent before it is asked to show that it lives, in milliseconds.
    package var silenceMilliseconds: Int64
    /// How long it may then take to say anything, in milliseconds.
    package var patienceMilliseconds: Int64

    /// Makes the usual rule.
    package init(
        silenceMilliseconds: Int64 = Limits.rpcSilenceMilliseconds,
        patienceMilliseconds: Int64 = Limits.rpcProbePatienceMilliseconds
    ) {
        self.silenceMilliseconds = silenceMilliseconds
        self.patienceMilliseconds = patienceMilliseconds
    }
}

/// When a peer is asked and when it is given up.
package struct LivenessProbe: Hashable, Sendable {
    private let keepalive: Keepalive
    private var asked: NIODeadline?

    /// Follows a rule.
    package init(_ keepalive: Keepalive) { self.keepalive = keepalive }

    /// What is to be done now.
    package enum Action: Hashable, Sendable {
        /// Nothing.
        case wait
        /// Ask the peer to show that it lives.
        case ask
        /// The peer is dead.
        case giveUp
    }

    /// Decides; `lastHeard` is when anything last came from the peer.
    package mutating func check(_ now: NIODeadline, lastHeard: NIODeadline) -> Action {
        if let asked {
            if lastHeard >= asked {
                self.asked = nil
            } else {
                return now >= due(lastHeard: lastHeard) ? .giveUp : .wait
            }
        }
        guard now >= due(lastHeard: lastHeard) else { return .wait }
        asked = now
        return .ask
    }

    /// When ``check(_:lastHeard:)`` is worth calling next.
    package func due(lastHeard: NIODeadline) -> NIODeadline {
        if let asked, lastHeard < asked {
            return asked + .milliseconds(keepalive.patienceMilliseconds)
        }
        return lastHeard + .milliseconds(keepalive.silenceMilliseconds)
    }
}
