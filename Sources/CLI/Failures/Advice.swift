/// What to do next, where a code says it for every command.
package enum Advice {
    /// How to sign in.
    package static let signIn =
        "Send 登录 to the official account, then: tollgate login CODE"

    /// The advice for a failed call; empty if the failure's own sentence says it all.
    package static func after(
        code: String, caller: Caller, nature: CallNature, settings: Settings,
        retryAfterMilliseconds: Int64?
    ) -> String {
        switch code {
        case "unauthenticated":
            caller == .administrator
                ? "This needs the admin credential: --credential-file, or the server's --data."
                : signIn
        case "forbidden" where caller == .administrator:
            "This needs the admin credential: --credential-file, or the server's --data."
        case "quota_exhausted":
            "See what can be bought: tollgate products; then: tollgate buy PRODUCT"
        case "model_not_permitted":
            "See which models you may use: tollgate models"
        case "unavailable", "unreachable", "deadline_exceeded":
            unreachable(nature, settings)
        case "cancelled":
            "The server ended the call, as it does when it stops; what an answer delivered is "
                + "charged. Look before you repeat it: tollgate ledger"
        case "unknown_outcome" where caller == .administrator:
            "Look before you repeat it: tollgate admin log"
        case "unknown_outcome":
            "Look before you repeat it: tollgate orders, tollgate ledger"
        case "rate_limited":
            retryAfterMilliseconds.map { "Try again in \(Moments.duration(max($0, 1_000)))." }
                ?? "Try again in a minute."
        default: ""
        }
    }

    private static func unreachable(_ nature: CallNature, _ settings: Settings) -> String {
        let question =
            settings.isEncrypted
            ? "Is the server at \(settings.server) running, and does TOLLGATE_TLS_CA fit it?"
            : "Is the server at \(settings.server) running? If it wants TLS, set TOLLGATE_TLS_CA."
        return nature == .probe
            ? "\(question) Start one with: tollgate up; or name another with --server."
            : "\(question) Look with: tollgate ping"
    }
}
