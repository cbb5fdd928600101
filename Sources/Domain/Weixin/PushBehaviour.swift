/// What a push asks for, decided from its fields alone.
package enum PushBehaviour: String, Hashable, Sendable {
    /// A new follower: tell them what to send.
    case welcome
    /// The keyword: give a login code.
    case loginCode = "login_code"
    /// Any other text: tell them the keyword.
    case hint
    /// Nothing to show.
    case silence
    /// Somebody left: nothing to show, they cannot see it.
    case farewell

    /// Decides by the message's kind, event and text.
    ///
    /// - Parameter keywords: What asks for a login code, in lower case.
    package init(_ message: PushMessage, keywords: Set<String>) {
        switch (message.kind, message.event) {
        case ("event", "subscribe"): self = .welcome
        case ("event", "unsubscribe"): self = .farewell
        case ("text", _):
            let word = message.text.lowercased().filter { !$0.isWhitespace }
            self = keywords.contains(word) ? .loginCode : .hint
        default: self = .silence
        }
    }
}
