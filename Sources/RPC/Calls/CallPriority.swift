/// How much a call matters when not all of them can be served (E7).
package enum CallPriority: Int32, Hashable, Sendable, Comparable, CaseIterable {
    /// Work that can wait: reports, exports, what a job does in the night.
    case background = -1
    /// What most calls are.
    case normal = 0
    /// What must go through before anything else: payments, an operator's hand.
    case critical = 1

    /// What a number on the wire stands for; one beyond ours is the nearest of ours.
    package init(wire number: Int32?) {
        self = CallPriority(rawValue: max(-1, min(1, number ?? 0))) ?? .normal
    }

    package static func < (left: CallPriority, right: CallPriority) -> Bool {
        left.rawValue < right.rawValue
    }
}
