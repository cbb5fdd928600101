internal import Synchronization
internal import TollgateKernel

/// What ends a read that may take longer than others, an audit: one deadline for all of its
/// statements, its caller's leaving, the store's end.
///
/// The thread that waits for a statement's answer asks, and cancels the statement itself: so no
/// cancellation can meet a statement of somebody else on the same connection.
final class LongRead: Sendable {
    /// Why a read ends.
    enum End: Sendable {
        /// Its time is out.
        case late
        /// Its caller was cancelled.
        case abandoned
        /// The store is closing.
        case closing
    }

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
    var end: End? {
        if environment.isClosing { return .closing }
        if isAbandoned.load(ordering: .relaxed) { return .abandoned }
        return leftMilliseconds == 0 ? .late : nil
    }
}

extension LongRead.End {
    /// What the caller is told.
    var failure: Failure {
        switch self {
        case .late:
            Failure(
                .deadlineExceeded,
                "The audit took longer than it may and was stopped; run it when less is written, "
                    + "and look what the database waits for if that does not help.")
        case .abandoned:
            Failure(.cancelled, "The audit was stopped, because nobody waited for it any more.")
        case .closing:
            Failure(
                .unavailable, "The audit was stopped, because the store is closing; ask again.",
                retryAfterMilliseconds: Limits.auditRetryMilliseconds)
        }
    }
}
