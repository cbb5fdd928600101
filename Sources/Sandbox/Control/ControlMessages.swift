/// What came of something a person did on a phone.
package struct PhoneOutcome: Codable, Hashable, Sendable {
    /// The person's openid at the account.
    package var openID: String
    /// How often the push was sent, up to three times.
    package var attempts: Int
    /// The account's answer, if it had one.
    package var reply: String?
    /// Why the person sees that the account's service is broken, if so.
    package var fault: String?

    /// Makes an outcome without an answer.
    init(openID: String, attempts: Int) {
        self.openID = openID
        self.attempts = attempts
    }
}

/// A person's phone.
package struct PhoneState: Codable, Hashable, Sendable {
    /// The name it was first used under.
    package var name: String
    /// The person's openid at the account.
    package var openID: String
    /// Whether the person follows the account.
    package var isFollowing: Bool
}

/// A trade and its notifications, for looking at.
package struct TradeState: Codable, Hashable, Sendable {
    /// One notification of the trade.
    package struct Notification: Codable, Hashable, Sendable {
        /// Its id, the same in every repetition.
        package var id: String
        /// `pending`, `delivered`, `lost` or `abandoned`.
        package var state: String
        /// How often it was sent.
        package var attempts: Int
        /// What the merchant's server last said.
        package var lastResult: String?
        /// When it is sent again, in milliseconds since 1970.
        package var nextAttemptAtMilliseconds: Int64?
    }

    /// The merchant's number.
    package var outTradeNumber: String
    /// What the payer sees.
    package var description: String
    /// The price in fen.
    package var totalFen: Int64
    /// `NOTPAY`, `SUCCESS` or `CLOSED`.
    package var state: String
    /// WeChat's number, once paid.
    package var transactionID: String?
    /// The payer's openid, once scanned.
    package var payer: String?
    /// When it was made, in milliseconds since 1970.
    package var createdAtMilliseconds: Int64
    /// When paying ends.
    package var expiresAtMilliseconds: Int64
    /// When it was paid.
    package var paidAtMilliseconds: Int64?
    /// Its notifications, oldest first.
    package var notifications: [Notification]

    init(_ trade: Trade, notifications: [PendingNotification]) {
        outTradeNumber = trade.outTradeNumber
        description = trade.description
        totalFen = trade.totalFen
        state = trade.state.rawValue
        transactionID = trade.transactionID
        payer = trade.scannedBy
        createdAtMilliseconds = trade.createdAt
        expiresAtMilliseconds = trade.expiresAt
        paidAtMilliseconds = trade.paidAt
        self.notifications = notifications.map { notification in
            Notification(
                id: notification.id, state: notification.state.rawValue,
                attempts: notification.attempts, lastResult: notification.lastResult,
                nextAttemptAtMilliseconds: notification.nextAttemptAt)
        }
    }
}

/// Every switch of the sandbox.
package struct SandboxSwitches: Codable, Hashable, Sendable {
    /// Which of the coming notifications are lost.
    package var notificationLoss: NotificationLoss
    /// The model channels' behaviour by name; `/openai/v1` is called `default`.
    package var channels: [String: ChannelSwitches]
}

/// What the merchant's server said to a notification that was sent by hand.
package struct NotificationAnswer: Codable, Hashable, Sendable {
    /// The HTTP status.
    package var status: Int
    /// The body.
    package var body: String
}

/// The bodies of the control interface's requests.
enum ControlRequest {
    struct Follow: Codable, Sendable {
        var phone: String
        var scene: String?
    }
    struct Leave: Codable, Sendable {
        var phone: String
    }
    struct Scan: Codable, Sendable {
        var phone: String
        /// The code's text or ticket, or the scene of one that was printed.
        var scene: String
    }
    struct Send: Codable, Sendable {
        var phone: String
        var text: String
    }
    struct Pay: Codable, Sendable {
        var phone: String
        /// A `code_url` or the merchant's number.
        var code: String
    }
    struct Notify: Codable, Sendable {
        var outTradeNumber: String
        var changes: NotificationChanges?
    }
    struct Empty: Codable, Sendable {}
}

/// What the control interface answers when it does not do what was asked.
struct ControlRefusal: Codable, Error, Hashable, Sendable {
    var error: String
    var status = 400

    enum CodingKeys: CodingKey {
        case error
    }
}
