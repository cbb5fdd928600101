/// Why a command did not do what was asked: one calm sentence, and what to do next.
package struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stable code that `--json` shows.
    package let code: String
    /// One sentence for a person.
    package let message: String
    /// What to do next; empty if there is nothing to say.
    package let advice: String
    /// How long to wait before trying again, if waiting helps.
    package let retryAfterMilliseconds: Int64?
    /// How the process ends.
    package let status: ExitStatus

    /// Makes a failure whose exit status follows from its code, unless it is said.
    package init(
        code: String, message: String, advice: String = "", retryAfterMilliseconds: Int64? = nil,
        status: ExitStatus? = nil
    ) {
        self.code = code
        self.message = message
        self.advice = advice
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.status = status ?? ExitStatus(code: code)
    }

    /// Makes a failure of the command line itself.
    package init(_ kind: Kind, _ message: String, advice: String = "") {
        self.init(code: kind.rawValue, message: message, advice: advice)
    }

    package var description: String { "\(code): \(message)" }

    /// Failures that arise on this side of the wire.
    package enum Kind: String, Hashable, Sendable {
        /// The command line makes no sense.
        case usage
        /// There is no session or credential to call with.
        case unauthenticated
        /// A file of ours cannot be read or written.
        case file
        /// The order ended without credits.
        case orderNotDelivered = "order_not_delivered"
        /// The books do not add up.
        case auditUnclean = "audit_unclean"
        /// The answer broke off.
        case truncated
        /// A person pressed Ctrl-C.
        case interrupted
    }

    /// The document that `--json` writes on standard error.
    package var json: JSONValue {
        var error: [(String, JSONValue)] = [
            ("code", .text(code)),
            ("message", .text(message)),
        ]
        if let retryAfterMilliseconds {
            error.append(("retryAfterMilliseconds", .number(retryAfterMilliseconds)))
        }
        return .object([("error", .object(error))])
    }
}
