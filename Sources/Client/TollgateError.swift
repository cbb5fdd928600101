package import TollgateKernel
package import TollgateRPC

/// Why a call failed: a code for programs, a sentence for people.
public struct TollgateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stable code, such as `quota_exhausted`.
    public let code: String

    /// One sentence that says what to do.
    public let message: String

    /// The HTTP status a web tier answers with.
    public let httpStatus: Int

    /// How long to wait before trying again, in milliseconds, if waiting helps.
    public let retryAfterMilliseconds: Int64?

    /// Whether the server does not know the credential of this client's connection; with the code
    /// `unauthenticated`, and whoever the call was made for.
    public let refusesConnection: Bool

    /// The code and the sentence.
    public var description: String { "\(code): \(message)" }

    /// Makes an error, for handlers of tests; a code that is not Tollgate's becomes
    /// `internal_error`.
    public init(code: String, message: String, retryAfterMilliseconds: Int64? = nil) {
        self.init(
            Failure(
                Failure.Code(rawValue: code) ?? .internalError, message,
                retryAfterMilliseconds: retryAfterMilliseconds))
    }

    /// What crosses the wire.
    var failure: Failure {
        Failure(
            Failure.Code(rawValue: code) ?? .internalError, message,
            retryAfterMilliseconds: retryAfterMilliseconds)
    }

    /// Wraps a failure that crossed the wire, or one of the way there.
    package init(_ failure: Failure) { self.init(failure, refusesConnection: false) }

    /// Wraps a failed call.
    package init(_ error: RPCError) {
        if error.code == RPCError.Code.unauthenticated {
            self.init(
                Failure(.unauthenticated, "The server does not know this connection's credential."),
                refusesConnection: true)
        } else {
            self.init(error.failure)
        }
    }

    private init(_ failure: Failure, refusesConnection: Bool) {
        self.refusesConnection = refusesConnection
        code = failure.code.rawValue
        message = failure.message
        httpStatus = failure.code.httpStatus
        retryAfterMilliseconds = failure.retryAfterMilliseconds
    }
}
