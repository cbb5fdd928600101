internal import Synchronization
internal import TollgateKernel

/// What ends a read that may take longer than others, an audit: one deadline for all of its
/// statements, its caller's leaving, the store's end.
///
/// The thread that waits for a statement's answer asks, and cancels the statement itself: so no
/// cancellation can meet a statement of somebody else on the same connection.
final class LongRead: Sendable {
    private let environment: PostgreSQLEnvironment
    private let deadline: Duration
    private let isAbandoned = Atomic(false)

    /// A read that begins now.
    init(_ environment: PostgreSQLEnvironment) {
        self.environment = environment
        deadline =
            environment.elapsed() + .milliseconds(environment.patience.auditMilliseconds)
    }

    /// Nobody waits for it any more.
    func abandon() { isAbandoned.store(true, ordering: .relaxed) }

    /// What is left of its time.
    var leftMilliseconds: Int64 {
        max(0, Int64((deadline - environment.elapsed()) / .milliseconds(1)))
    }

    /// Why it is to end; nil while it may go on.
    var end: LongReadEnd? {
        if environment.isClosing { return .closing }
        if isAbandoned.load(ordering: .relaxed) { return .abandoned }
        return leftMilliseconds == 0 ? .late : nil
    }
}
