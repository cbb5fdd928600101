package import NIOCore
import TollgateKernel

/// The moment by which a call must be answered, on this machine's monotonic clock.
package struct CallDeadline: Hashable, Sendable, Comparable {
    /// The moment, as event loops count time.
    package let moment: NIODeadline

    /// Wraps a moment.
    package init(_ moment: NIODeadline) { self.moment = moment }

    /// The moment so many milliseconds from `start`; what is not positive has passed already, and
    /// more than ``Limits/rpcDeadlineMilliseconds`` is cut to it.
    package init(milliseconds: Int64, from start: NIODeadline = .now()) {
        let bounded = min(max(0, milliseconds), Limits.rpcDeadlineMilliseconds)
        moment = start + .milliseconds(bounded)
    }

    /// The deadline of the call that runs now; calls made while it runs inherit what is left.
    package static var current: CallDeadline? { CallScope.current?.deadline }

    package static func < (left: CallDeadline, right: CallDeadline) -> Bool {
        left.moment < right.moment
    }

    /// What is left, in milliseconds rounded up; 0 once it has passed.
    package var remainingMilliseconds: Int64 {
        let left = (moment - .now()).nanoseconds
        return left <= 0 ? 0 : (left + 999_999) / 1_000_000
    }
}
