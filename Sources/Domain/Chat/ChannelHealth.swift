package import TollgateKernel

/// How well a channel has been doing: a breaker as a pure value.
///
/// Closed, it lets calls through; some failures in a row open it for a cool-down that doubles up to
/// ``Limits/channelLongestCoolDownMilliseconds``; after it one probe goes through, whose end closes
/// it or opens it again.
package struct ChannelHealth: Hashable, Sendable {
    /// Failures since the last success.
    package private(set) var failuresInRow: Int64 = 0
    /// Cool-downs since the last success.
    package private(set) var coolDowns: Int64 = 0
    /// When the cool-down ends; nil while closed.
    package private(set) var coolDownEndsAt: Timestamp?
    private var probeUntil: Timestamp?

    /// A channel nothing bad is known of.
    package init() {}

    /// Whether a call may be routed here at `now`.
    package func admits(at now: Timestamp) -> Bool { waitMilliseconds(at: now) == 0 }

    /// How long until a call may be routed here; zero if it may now.
    ///
    /// Never longer than the longest cool-down, so a clock that steps back locks no channel out.
    package func waitMilliseconds(at now: Timestamp) -> Int64 {
        let until = max(
            coolDownEndsAt?.milliseconds ?? now.milliseconds,
            probeUntil?.milliseconds ?? now.milliseconds)
        let left = until - now.milliseconds
        return (0...Limits.channelLongestCoolDownMilliseconds).contains(left) ? left : 0
    }

    /// Takes a call's turn just before it is made; false if another took the only probe.
    package mutating func begin(at now: Timestamp) -> Bool {
        guard admits(at: now) else { return false }
        if coolDownEndsAt != nil {
            probeUntil = now.adding(milliseconds: Limits.channelProbeMilliseconds)
        }
        return true
    }

    /// Notes a call that was given up before its channel showed anything good or bad.
    package mutating func recordAbandoned() { probeUntil = nil }

    /// Notes an answer: all is well.
    package mutating func recordSuccess() { self = ChannelHealth() }

    /// Notes a failure.
    ///
    /// A refused request says nothing about the channel, nor does a model that is not known there
    /// about its others. A rejected key or an overload opens it at once: the next call would fare
    /// alike. What the provider asks to wait is waited, within bounds.
    package mutating func recordFailure(_ failure: ModelGatewayFailure, at now: Timestamp) {
        let wasProbe = probeUntil != nil
        probeUntil = nil
        guard failure.kind != .invalidRequest, failure.kind != .unknownModel else { return }
        failuresInRow += 1
        // Calls that were under way when the cool-down began tell nothing new.
        guard wasProbe || admits(at: now) else { return }
        let opensAtOnce = failure.kind == .rejectedKey || failure.kind == .overloaded
        guard
            coolDownEndsAt != nil || opensAtOnce
                || failuresInRow >= Limits.channelFailuresBeforeCoolDown
        else { return }
        // 2^6 first cool-downs are above the longest one.
        let doubled = Limits.channelFirstCoolDownMilliseconds << min(coolDowns, 6)
        let coolDown = min(
            max(doubled, failure.retryAfterMilliseconds ?? 0),
            Limits.channelLongestCoolDownMilliseconds)
        coolDowns += 1
        coolDownEndsAt = now.adding(milliseconds: coolDown)
    }
}
