import TollgateClient
package import TollgateKernel

/// What became of one chat of a load, as far as its caller was told.
///
/// As a line: outcome, request id, account, server, begin and end in milliseconds since 1970,
/// micro-credits charged, and a word on why not, with tabs between them.
package struct ChatRecord: Hashable, Sendable {
    /// What the caller may rely on.
    package enum Outcome: String, Sendable {
        /// The receipt arrived: the charge must be in the books for ever.
        case acknowledged
        /// Refused before anything was said: nothing may have been charged.
        case refused
        /// Anything else: it may have been charged, once.
        case unknown
    }

    /// What the caller may rely on.
    package var outcome: Outcome
    /// The idempotency key.
    package var requestID: String
    /// Who asked.
    package var account: AccountID
    /// Whom.
    package var server: String
    /// When the call was made.
    package var began: Timestamp
    /// When its end was known.
    package var ended: Timestamp
    /// What the receipt said.
    package var charged: Credits
    /// The error's stable code; `-` for none.
    package var reason: String

    /// The line, without its end.
    package var line: String {
        [
            outcome.rawValue, requestID, String(account.rawValue), server,
            String(began.milliseconds), String(ended.milliseconds), String(charged.micro), reason,
        ].joined(separator: "\t")
    }

    /// What an error leaves the caller with.
    ///
    /// - Parameter hasBegun: Whether something of the answer arrived before it.
    static func outcome(of code: String, hasBegun: Bool) -> Outcome {
        guard !hasBegun, let code = Failure.Code(rawValue: code) else { return .unknown }
        switch code {
        case .unknownOutcome, .deadlineExceeded, .cancelled, .internalError: return .unknown
        // A conflict says that an earlier call of the same key is or was under way.
        case .inProgress, .alreadyAnswered, .mismatch, .conflict: return .unknown
        default: return .refused
        }
    }
}
