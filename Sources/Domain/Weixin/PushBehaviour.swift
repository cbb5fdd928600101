/// What a push asks for, decided from its fields alone.
package enum PushBehaviour: String, Hashable, Sendable {
    /// A new follower: tell them what to send; the message has a scene if they came by one.
    case welcome
    /// A follower scanned a QR code with a scene.
    case scan
    /// A number, as a login attempt asks for one; any other text if none does.
    case number
    /// A no to a login attempt; any other text if there is none.
    case refusal
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
        case ("event", "SCAN"): self = .scan
        case ("text", _):
            let word = message.text.lowercased().filter { !$0.isWhitespace }
            if keywords.contains(word) {
                self = .loginCode
            } else if message.number != nil {
                self = .number
            } else {
                self = Self.noes.contains(word) ? .refusal : .hint
            }
        default: self = .silence
        }
    }

    private static let noes: Set<String> = ["no", "n", "否", "不", "不是", "拒绝", "取消"]
}
