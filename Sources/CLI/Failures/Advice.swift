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
        case "unauthenticated": unauthenticated(caller, settings)
        case "forbidden" where caller == .administrator:
            "\(settings.credentialOrigin(for: caller)) holds another credential. \(adminCredential)"
        case "forbidden" where caller == .user && settings.apiKeyVariable != nil:
            settings.apiKeyVariable.map {
                "The API key comes from \($0); unset it to act yourself."
            }
                ?? ""
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

    /// The advice for a connection credential that the server does not know.
    package static func wrongCredential(of caller: Caller, _ settings: Settings) -> String {
        let origin = "It comes from \(settings.credentialOrigin(for: caller))."
        if caller == .administrator { return "\(origin) \(adminCredential)" }
        return "\(origin) Name the server's own with --credential-file, or its data folder with "
            + "--data."
    }

    private static let adminCredential =
        "This needs the admin credential: --credential-file, or the server's --data."

    private static func unauthenticated(_ caller: Caller, _ settings: Settings) -> String {
        switch caller {
        case .administrator, .service: return wrongCredential(of: caller, settings)
        case .user:
            guard let variable = settings.apiKeyVariable else { return signIn }
            return
                "The API key comes from \(variable). Its owner sees which are good with: tollgate "
                + "keys list. Unset it to go by your login session."
        case .connection, .person: return signIn
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
