internal import Orders
internal import TollgateKernel

extension RemoteTrade {
    /// Reads a trade as queries and notifications have it; nil if it is none.
    ///
    /// A paid trade must have its transaction and its amount. An amount must be a whole number of
    /// fen, written as one, within ``Limits/paymentTotalFen``.
    init?(_ json: JSONValue) {
        guard let appID = json["appid"]?.text, let merchantID = json["mchid"]?.text,
            let outTradeNumber = json["out_trade_no"]?.text,
            let stateName = json["trade_state"]?.text
        else { return nil }
        let state = State(rawValue: stateName) ?? .other
        let transactionID = Self.present(json["transaction_id"])
        let currency = Self.present(json["amount"]?["currency"])
        let paidAtText = Self.present(json["success_time"])
        let paidAt = paidAtText.flatMap(Dates.parseRFC3339)
        guard paidAtText == nil || paidAt != nil else { return nil }
        var total: Money?
        if let amount = json["amount"]?["total"] {
            guard let fen = amount.integer, (1...Limits.paymentTotalFen).contains(fen) else {
                return nil
            }
            total = Money(fen: fen)
        }
        if state == .success || state == .refunded {
            guard transactionID != nil, total != nil, currency != nil else { return nil }
        }
        self.init(
            appID: appID, merchantID: merchantID, outTradeNumber: outTradeNumber,
            transactionID: transactionID, state: state, total: total, currency: currency,
            paidAt: paidAt)
    }

    /// The text of a member that is there and not empty, as some are for unpaid trades.
    private static func present(_ value: JSONValue?) -> String? {
        guard let text = value?.text, !text.isEmpty else { return nil }
        return text
    }
}
