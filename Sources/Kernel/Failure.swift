/// What went wrong with a request, in a form that is stable for programs and readable for people.
///
/// Domains, use cases and gateways throw this; the server puts it on the wire, the client turns it
/// back. The message is a calm sentence that says what to do; it never holds secrets, prompts or
/// openids.
package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stable code.
    package var code: Code
    /// One sentence for a person.
    package var message: String
    /// How long to wait before trying again, if waiting helps.
    package var retryAfterMilliseconds: Int64?
    /// Whether certainly nothing was begun, so that the same request may be made again, at another
    /// server above all.
    package var isNotProcessed: Bool

    /// Makes a failure.
    package init(
        _ code: Code, _ message: String, retryAfterMilliseconds: Int64? = nil,
        isNotProcessed: Bool = false
    ) {
        self.code = code
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.isNotProcessed = isNotProcessed
    }

    package var description: String { "\(code.rawValue): \(message)" }

    /// Every way a request can fail; the raw value is what programs compare.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The request makes no sense; repeating it will not help.
        case invalidRequest = "invalid_request"
        /// No valid login session, API key or signature.
        case unauthenticated = "unauthenticated"
        /// Neither free trial nor credits are left.
        case quotaExhausted = "quota_exhausted"
        /// The account is frozen by an operator.
        case accountFrozen = "account_frozen"
        /// The account may not use this model.
        case modelNotPermitted = "model_not_permitted"
        /// The caller's role may not do this.
        case forbidden = "forbidden"
        /// The thing named does not exist, or belongs to somebody else.
        case notFound = "not_found"
        /// The same request is being answered now.
        case inProgress = "in_progress"
        /// The same request was answered before.
        case alreadyAnswered = "already_answered"
        /// The idempotency key was used with other content.
        case mismatch = "mismatch"
        /// The thing is in a state that forbids this.
        case conflict = "conflict"
        /// The words of the request are refused.
        case contentRefused = "content_refused"
        /// Too many requests; wait.
        case rateLimited = "rate_limited"
        /// The upstream provider answered with an error.
        case upstreamFailed = "upstream_failed"
        /// The upstream provider did not answer in time.
        case upstreamTimedOut = "upstream_timed_out"
        /// The answer was cut off before its end.
        case truncated = "truncated"
        /// The service cannot do this now; trying again later may help.
        case unavailable = "unavailable"
        /// It is not known whether the change was made; ask before repeating it.
        case unknownOutcome = "unknown_outcome"
        /// The deadline passed.
        case deadlineExceeded = "deadline_exceeded"
        /// The caller cancelled.
        case cancelled = "cancelled"
        /// A defect of ours.
        case internalError = "internal_error"
    }
}

extension Failure.Code {
    /// The HTTP status a web tier answers with.
    package var httpStatus: Int {
        switch self {
        case .invalidRequest: 400
        case .unauthenticated: 401
        case .quotaExhausted: 402
        case .accountFrozen, .modelNotPermitted, .forbidden: 403
        case .notFound: 404
        case .inProgress, .alreadyAnswered, .mismatch, .conflict: 409
        case .contentRefused: 422
        case .rateLimited: 429
        case .cancelled: 499
        case .unknownOutcome, .internalError: 500
        case .upstreamFailed, .truncated: 502
        case .unavailable: 503
        case .upstreamTimedOut, .deadlineExceeded: 504
        }
    }

    /// The number in `RpcResponseMeta.error_code`: 10 × the HTTP status + 10,000 + the place among
    /// the codes with that status, so it stays clear of the transport's own (below 3,000).
    ///
    /// Cancellation and deadlines use the transport's numbers (rpc-wire: ECANCELED, ERPCTIMEDOUT).
    package var wireCode: Int32 {
        switch self {
        case .deadlineExceeded: return 1_008
        case .cancelled: return 125
        default:
            let peers = Self.allCases.filter { $0.httpStatus == httpStatus }
            let place = peers.firstIndex(of: self) ?? 0
            return Int32(10_000 + httpStatus * 10 + place)
        }
    }

    /// The code behind a number from the wire; nil if it is none of ours.
    package init?(wireCode: Int32) {
        guard let code = Self.allCases.first(where: { $0.wireCode == wireCode }) else { return nil }
        self = code
    }
}
