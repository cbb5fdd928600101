/// How a command ended, for scripts: the process's exit code.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    /// Done.
    case success = 0
    /// It failed in a way that has no number of its own.
    case failure = 1
    /// The command line or the request makes no sense.
    case usage = 2
    /// Nobody is signed in, or the credential is missing or wrong.
    case unauthenticated = 3
    /// Neither free calls nor credits are left.
    case quotaExhausted = 4
    /// Refused: a frozen account, a model or words not permitted, the wrong role.
    case refused = 5
    /// The thing is in a state that forbids it, or the key was used before.
    case conflict = 6
    /// Too many requests; wait.
    case rateLimited = 7
    /// The model's provider failed or cut the answer off, or the answer took longer than it might.
    case upstream = 8
    /// The server, a port or a file cannot be reached or used now.
    case unavailable = 9
    /// The thing named does not exist.
    case notFound = 10
    /// Stopped with Ctrl-C.
    case interrupted = 130

    /// The status for a stable error code of the service.
    package init(code: String) {
        self =
            switch code {
            case "usage", "invalid_request": .usage
            case "unauthenticated": .unauthenticated
            case "quota_exhausted": .quotaExhausted
            case "account_frozen", "model_not_permitted", "forbidden", "content_refused": .refused
            case "in_progress", "already_answered", "mismatch", "conflict": .conflict
            case "rate_limited": .rateLimited
            case "upstream_failed", "upstream_timed_out", "truncated": .upstream
            // A person's Ctrl-C is `interrupted`: what says `cancelled` was ended by the server.
            case "unavailable", "unreachable", "deadline_exceeded", "file", "cancelled":
                .unavailable
            case "not_found": .notFound
            case "interrupted": .interrupted
            default: .failure
            }
    }

    /// What it means, in a few words.
    package var meaning: String {
        switch self {
        case .success: "done"
        case .failure: "failed in a way that has no number of its own"
        case .usage: "the command line or the request makes no sense"
        case .unauthenticated: "not signed in, or the credential is missing or wrong"
        case .quotaExhausted: "neither free calls nor credits are left"
        case .refused: "refused: account frozen, model or words not permitted, wrong role"
        case .conflict: "the thing's state forbids it, or its key was used before"
        case .rateLimited: "too many requests; the message says how long to wait"
        case .upstream: "the model's provider failed, or the answer was cut off or took too long"
        case .unavailable: "the server, a port or a file cannot be reached or used now"
        case .notFound: "the thing named does not exist"
        case .interrupted: "stopped with Ctrl-C"
        }
    }

    /// The table of all of them, for `tollgate --help` and the documents.
    package static let explanation: String = {
        let lines = allCases.map { status in
            let number = String(status.rawValue)
            return
                "  \(String(repeating: " ", count: 3 - number.count))\(number)  \(status.meaning)"
        }
        return "EXIT CODES:\n" + lines.joined(separator: "\n")
    }()
}
