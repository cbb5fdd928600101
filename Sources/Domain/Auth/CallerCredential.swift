/// What a call carries to say on whose behalf it is made.
package enum CallerCredential: Hashable, Sendable {
    /// A signed-in person.
    case session(SessionToken)
    /// A program.
    case apiKey(APIKeySecret)

    /// Reads an authorization header, `Bearer` and a text; nil for anything else.
    package static func parse(authorization header: String) -> CallerCredential? {
        let parts = header.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let text = String(parts[1])
        // A session's text may begin like a key's, but never has its length.
        if let secret = APIKeySecret(text: text) { return .apiKey(secret) }
        return SessionToken(text: text).map { .session($0) }
    }
}
