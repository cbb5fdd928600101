/// How far an order has come.
package enum OrderState: String, Hashable, Sendable, CaseIterable {
    /// Stored; WeChat Pay was not asked yet, or did not answer.
    case created
    /// WeChat Pay gave a `code_url`.
    case awaitingPayment = "awaiting_payment"
    /// Its time is out, or somebody gave it up; WeChat is being asked.
    case closing
    /// Closed unpaid, WeChat says so too.
    case closed
    /// Paid, but the account could not receive yet: an incident.
    case paid
    /// Money came for a closed order.
    case paidAfterClose = "paid_after_close"
    /// Paid, and the credits are on the account.
    case delivered
    /// A refund is under way.
    case refunding
    /// All money went back.
    case refunded
}

/// What moves an order along an edge.
package enum OrderCause: String, Hashable, Sendable, CaseIterable {
    /// WeChat Pay took the order and gave a `code_url`.
    case accepted
    /// A verified notification, or a query's answer, says it is paid.
    case paymentBooked = "payment_booked"
    /// The bought credits were put on the account.
    case delivered
    /// Its time is out.
    case expired
    /// The buyer or an operator gave it up.
    case abandoned
    /// A query says WeChat has closed it, or never knew it.
    case confirmedClosed = "confirmed_closed"
    /// A refund was asked for.
    case refundRequested = "refund_requested"
    /// The sum of refunds equals what was paid.
    case refundCompleted = "refund_completed"
    /// The refund came to nothing.
    case refundFailed = "refund_failed"
}

/// One allowed move.
///
/// The table is the whole truth: what is not in it cannot happen.
package struct OrderEdge: Hashable, Sendable {
    /// Where from.
    package let from: OrderState
    /// What happens.
    package let cause: OrderCause
    /// Where to.
    package let to: OrderState

    private init(_ from: OrderState, _ cause: OrderCause, _ to: OrderState) {
        self.from = from
        self.cause = cause
        self.to = to
    }

    /// Every allowed move.
    package static let all: [OrderEdge] = [
        OrderEdge(.created, .accepted, .awaitingPayment),
        // The notification may overtake the answer to our own call.
        OrderEdge(.created, .paymentBooked, .paid),
        OrderEdge(.created, .expired, .closing),
        OrderEdge(.created, .abandoned, .closing),
        OrderEdge(.awaitingPayment, .paymentBooked, .paid),
        OrderEdge(.awaitingPayment, .expired, .closing),
        OrderEdge(.awaitingPayment, .abandoned, .closing),
        OrderEdge(.closing, .paymentBooked, .paid),
        OrderEdge(.closing, .confirmedClosed, .closed),
        OrderEdge(.closed, .paymentBooked, .paidAfterClose),
        OrderEdge(.paidAfterClose, .delivered, .delivered),
        OrderEdge(.paidAfterClose, .refundRequested, .refunding),
        OrderEdge(.paid, .delivered, .delivered),
        OrderEdge(.paid, .refundRequested, .refunding),
        OrderEdge(.delivered, .refundRequested, .refunding),
        OrderEdge(.refunding, .refundCompleted, .refunded),
        // A failed refund goes back to the state it came from, which the event history knows.
        OrderEdge(.refunding, .refundFailed, .paid),
        OrderEdge(.refunding, .refundFailed, .paidAfterClose),
        OrderEdge(.refunding, .refundFailed, .delivered),
    ]
}

extension OrderState {
    /// Where a cause leads from here; nil if it is not allowed, or if (after a failed refund) the
    /// history has to say.
    package func next(after cause: OrderCause) -> OrderState? {
        let edges = OrderEdge.all.filter { $0.from == self && $0.cause == cause }
        return edges.count == 1 ? edges[0].to : nil
    }

    /// Whether nothing is expected of it any more: no payment, no credits, no refund under way.
    ///
    /// Money may come for a closed order all the same, and is an incident then. The store answers
    /// this in its own words, by an index (``OrderRepository/unsettledOrder(of:)``); a test holds
    /// the two together for every state.
    package var isSettled: Bool {
        switch self {
        case .closed, .delivered, .refunded: true
        case .created, .awaitingPayment, .closing, .paid, .paidAfterClose, .refunding: false
        }
    }

    /// Whether a payment may still arrive for it.
    package var acceptsPayment: Bool { next(after: .paymentBooked) != nil }
}
