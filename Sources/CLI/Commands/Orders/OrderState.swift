import TollgateClient

/// An order's state as people read it.
struct OrderState {
    private let name: String

    init(_ order: V1.Order) { name = order.state }

    /// Whether nothing more will happen by itself.
    var isFinal: Bool { ["delivered", "closed", "refunded"].contains(name) }

    /// The state in a few words.
    var words: String {
        switch name {
        case "created": "being prepared"
        case "awaiting_payment": "waiting for payment"
        case "closing": "being closed"
        case "closed": "closed, nothing was charged"
        case "paid": "paid, credits are on their way"
        case "paid_after_close": "paid after it was closed, being looked at"
        case "delivered": "delivered, the credits are yours"
        case "refunding": "being refunded"
        case "refunded": "refunded"
        default: TerminalText.line(name)
        }
    }
}
