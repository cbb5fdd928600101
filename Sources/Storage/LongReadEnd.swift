internal import TollgateKernel

/// Why a read that may take longer than others, an audit, was ended before it was done.
enum LongReadEnd: Sendable {
    /// Its time is out.
    case late
    /// Its caller was cancelled.
    case abandoned
    /// The store is closing.
    case closing

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
