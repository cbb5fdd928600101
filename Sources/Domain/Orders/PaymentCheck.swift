internal import TollgateKernel

/// Whether a trade that WeChat Pay calls paid is the payment of an order.
package enum PaymentCheck: Hashable, Sendable {
    /// It is: book it.
    case matches
    /// It is not: an incident, with a sentence for the operator.
    case mismatch(String)

    /// Judges a trade's number, state, currency and amount; appid and mchid were judged before.
    ///
    /// What is left out matches nothing: WeChat tells all of it of a paid trade.
    package static func judge(trade: RemoteTrade, order: Order) -> PaymentCheck {
        guard trade.outTradeNumber == order.outTradeNumber else {
            return .mismatch(
                "The trade is of number \(trade.outTradeNumber), the order's is "
                    + "\(order.outTradeNumber).")
        }
        guard trade.state == .success || trade.state == .refunded else {
            return .mismatch("The trade is \(trade.state.rawValue), which is not paid.")
        }
        guard let transactionID = trade.transactionID, !transactionID.isEmpty else {
            return .mismatch("The trade is paid but has no transaction id.")
        }
        guard trade.currency == "CNY" else {
            return .mismatch("The trade is in \(trade.currency ?? "no currency"), not in CNY.")
        }
        guard let total = trade.total, total == order.total else {
            let told = trade.total.map(\.description) ?? "nothing"
            return .mismatch("The trade tells \(told), the order costs \(order.total).")
        }
        return .matches
    }
}
