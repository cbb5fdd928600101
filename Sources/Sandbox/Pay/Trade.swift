internal import GRDB
internal import TollgateKernel

/// A trade as WeChat Pay keeps it; a row of `trade`.
struct Trade: Codable, Hashable, Sendable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "trade"

    /// `trade_state`.
    enum State: String, Codable, Hashable, Sendable {
        case notPaid = "NOTPAY"
        case success = "SUCCESS"
        case closed = "CLOSED"

        /// `trade_state_desc`.
        var description: String {
            switch self {
            case .notPaid: "订单未支付"
            case .success: "支付成功"
            case .closed: "订单已关闭"
            }
        }
    }

    enum CodingKeys: String, CodingKey {
        case outTradeNumber = "out_trade_no"
        case request
        case description
        case attach
        case notifyURL = "notify_url"
        case totalFen = "total_fen"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case state
        case scannedBy = "scanned_by"
        case transactionID = "transaction_id"
        case paidAt = "paid_at"
    }

    var outTradeNumber: String
    var request: String
    var description: String
    var attach: String
    var notifyURL: String
    var totalFen: Int64
    /// Milliseconds, like every time of the file.
    var createdAt: Int64
    var expiresAt: Int64
    var state: State
    var scannedBy: String?
    var transactionID: String?
    var paidAt: Int64?

    /// The answer of a query, and the text of a notification.
    ///
    /// - Parameter changes: what a forged notification says instead.
    func json(appID: String, merchantID: String, changes: NotificationChanges? = nil) -> JSONValue {
        let total = JSONValue.integer(changes?.totalFen ?? totalFen)
        let currency = JSONValue.string(changes?.currency ?? "CNY")
        var members: [JSONValue.Member] = [
            .init(name: "appid", value: .string(changes?.appID ?? appID)),
            .init(name: "mchid", value: .string(changes?.merchantID ?? merchantID)),
            .init(name: "out_trade_no", value: .string(outTradeNumber)),
        ]
        if let transactionID, let paidAt {
            members += [
                .init(name: "transaction_id", value: .string(transactionID)),
                .init(name: "trade_type", value: "NATIVE"),
                .init(name: "bank_type", value: "OTHERS"),
                .init(
                    name: "success_time",
                    value: .string(RFC3339.text(Timestamp(milliseconds: paidAt)))),
                .init(name: "payer", value: ["openid": .optional(scannedBy)]),
                .init(
                    name: "amount",
                    value: [
                        "total": total, "payer_total": total, "currency": currency,
                        "payer_currency": currency,
                    ]),
            ]
        } else {
            members.append(
                .init(name: "amount", value: ["total": total, "payer_currency": currency]))
        }
        members += [
            .init(name: "trade_state", value: .string(state.rawValue)),
            .init(name: "trade_state_desc", value: .string(state.description)),
            .init(name: "attach", value: .string(attach)),
            .init(name: "promotion_detail", value: []),
        ]
        return .object(members)
    }
}

/// What a notification says or does otherwise than a right one, for testing its receiver.
package struct NotificationChanges: Codable, Hashable, Sendable {
    /// Another `amount.total`.
    package var totalFen: Int64?
    /// Another `amount.currency`.
    package var currency: String?
    /// Another `appid`.
    package var appID: String?
    /// Another `mchid`.
    package var merchantID: String?
    /// How old the signature pretends to be, in seconds; the signature is right.
    package var ageSeconds: Int64 = 0
    /// Change a byte of the body after signing.
    package var tampersWithBody = false
    /// Send it so many times at once.
    package var copies = 1

    /// Makes a right notification, sent once.
    package init() {}
}
