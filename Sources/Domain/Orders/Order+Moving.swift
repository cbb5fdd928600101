package import TollgateKernel

extension Order {
    /// The order after a cause, with the event that tells of it.
    ///
    /// The edges table decides. The caller sets what else the cause brings (payment, code) and
    /// stores both in one transaction.
    ///
    /// - Parameters:
    ///   - evidence: what told us; longer than ``Limits/orderEvidenceBytes`` it is cut.
    ///   - origin: for `refund_failed` only: the state the refund came from, as the history has it.
    /// - Throws: `conflict` if the table has no such edge from here.
    package func moving(
        cause: OrderCause, at now: Timestamp, evidence: String, backTo origin: OrderState? = nil
    ) throws(Failure) -> (Order, OrderEvent) {
        guard let next = destination(after: cause, backTo: origin) else {
            throw Failure(
                .conflict,
                "The order is \(state.rawValue); \(cause.rawValue) cannot happen to it now.")
        }
        var moved = self
        moved.state = next
        let event = OrderEvent(
            order: id, from: state, to: next, cause: cause, evidence: Self.cut(evidence), at: now)
        return (moved, event)
    }

    /// The order when one more call is about to make it at WeChat Pay.
    ///
    /// It is stored before the call, since of a caller who hangs up nobody hears.
    package func asking() -> Order {
        var asked = self
        asked.openAskings += 1
        asked.refusedAt = nil
        return asked
    }

    /// The order after WeChat Pay refused one of those calls.
    ///
    /// That it was never taken is certain only when every other call was refused as well.
    package func refusing(at now: Timestamp) -> Order {
        var refused = self
        refused.openAskings = max(0, openAskings - 1)
        if refused.openAskings == 0, codeURL == nil { refused.refusedAt = now }
        return refused
    }

    private func destination(after cause: OrderCause, backTo origin: OrderState?) -> OrderState? {
        guard let origin else { return state.next(after: cause) }
        let isEdge = OrderEdge.all.contains {
            $0.from == state && $0.cause == cause && $0.to == origin
        }
        return isEdge ? origin : nil
    }

    /// The longest prefix of whole characters that fits.
    private static func cut(_ text: String) -> String {
        var kept = ""
        var bytes = 0
        for scalar in text.unicodeScalars {
            bytes += UTF8.width(scalar)
            guard bytes <= Limits.orderEvidenceBytes else { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept
    }
}

/// Our numbers at WeChat Pay: 6 to 32 of `[0-9A-Za-z_|*-]`, unique for the merchant.
package enum OrderNumber {
    private static let prefix = "TG"

    /// The order's number: `TG` and its identifier's 13 characters.
    package static func outTradeNumber(for order: OrderID) -> String { "\(prefix)\(order)" }
}
