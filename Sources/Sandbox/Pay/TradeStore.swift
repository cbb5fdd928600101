internal import GRDB
internal import TollgateKernel

/// What the trades' numbers and lives depend on.
struct TradeRules: Sendable {
    let minimumExpirySeconds: Int64
    let clock: any WallClock
    let random: any RandomSource

    /// Seven days, if the merchant names no time.
    private static let usualLifeMilliseconds: Int64 = 7 * 86_400_000
    /// Ninety days at most.
    private static let longestLifeMilliseconds: Int64 = 90 * 86_400_000
    /// A `code_url` can be scanned for two hours.
    static let codeLifeMilliseconds: Int64 = 2 * 3_600_000

    /// When an order ends that is made now: too short a life is lifted, too long a one is capped.
    func expiry(asked: Timestamp?, now: Timestamp) -> Timestamp {
        let asked = asked ?? now.adding(milliseconds: Self.usualLifeMilliseconds)
        let earliest = now.adding(milliseconds: minimumExpirySeconds * 1_000)
        let latest = now.adding(milliseconds: Self.longestLifeMilliseconds)
        return min(max(asked, earliest), latest)
    }

    /// A fresh `code_url`.
    func code() -> String { "weixin://wxpay/bizpayurl?pr=" + random.letters(9) }

    /// A fresh 28-digit number that begins with 4200.
    func transactionID(_ now: Timestamp) -> String {
        "420000" + random.digits(4) + RFC3339.digits(now).prefix(8) + random.digits(10)
    }
}

extension SandboxStore {
    /// Makes an order, or gives a known one a fresh `code_url`.
    func placeOrder(_ order: NativeOrder, by rules: TradeRules) async throws -> String {
        let now = rules.clock.now()
        let code = rules.code()
        try await database.write { database in
            if let known = try Trade.fetchOne(database, key: order.outTradeNumber) {
                switch known.state {
                case .success: throw PayError.orderPaid
                case .closed: throw PayError.orderClosed
                case .notPaid: break
                }
                guard known.request == order.canonicalText else { throw PayError.numberUsed }
                guard now.milliseconds < known.expiresAt else { throw PayError.orderExpired }
            } else {
                try Trade(
                    outTradeNumber: order.outTradeNumber, request: order.canonicalText,
                    description: order.description, attach: order.attach,
                    notifyURL: order.notifyURL, totalFen: order.totalFen,
                    createdAt: now.milliseconds,
                    expiresAt: rules.expiry(asked: order.expiresAt, now: now).milliseconds,
                    state: .notPaid
                ).insert(database)
            }
            try database.execute(
                sql: "INSERT INTO code_url (code, out_trade_no, made_at) VALUES (?, ?, ?)",
                arguments: [code, order.outTradeNumber, now.milliseconds])
        }
        return code
    }

    /// A trade by the merchant's number.
    func trade(outTradeNumber: String) async throws -> Trade? {
        try await database.read { try Trade.fetchOne($0, key: outTradeNumber) }
    }

    /// A paid trade by WeChat's number.
    func trade(transactionID: String) async throws -> Trade? {
        try await database.read { database in
            try Trade.fetchOne(
                database, sql: "SELECT * FROM trade WHERE transaction_id = ?",
                arguments: [transactionID])
        }
    }

    /// Every trade, newest first.
    func trades() async throws -> [Trade] {
        try await database.read { database in
            try Trade.fetchAll(
                database, sql: "SELECT * FROM trade ORDER BY created_at DESC, rowid DESC LIMIT ?",
                arguments: [Limits.sandboxListRows])
        }
    }

    /// Closes an unpaid trade; closing a closed one changes nothing.
    func closeTrade(outTradeNumber: String) async throws {
        try await database.write { database in
            guard var trade = try Trade.fetchOne(database, key: outTradeNumber) else {
                throw PayError.orderNotExist
            }
            guard trade.state != .success else { throw PayError.orderPaid }
            trade.state = .closed
            try trade.update(database)
        }
    }
}

/// Why a person's payment was refused; what the phone shows.
struct PaymentRefusal: Error, Hashable, Sendable {
    var reason: String
}

extension SandboxStore {
    /// The setting that says which notifications are lost.
    static let lossSetting = "lose_notifications"

    /// Pays a trade: by its code, as a camera would, or by its number.
    ///
    /// The payment and its notification are one transaction. A notification that is to be lost is
    /// lost with all its repetitions, as if the way to the merchant were cut.
    func pay(codeOrNumber: String, payer: String, by rules: TradeRules) async throws -> Trade {
        let now = rules.clock.now()
        return try await database.write { database in
            guard var trade = try Self.payable(database, codeOrNumber, now: now) else {
                throw PaymentRefusal(reason: "This QR code is not valid (此二维码无效).")
            }
            switch trade.state {
            case .success: throw PaymentRefusal(reason: "This order is paid already (订单已支付).")
            case .closed: throw PaymentRefusal(reason: "This order is closed (订单已关闭).")
            case .notPaid: break
            }
            guard now.milliseconds < trade.expiresAt else {
                throw PaymentRefusal(reason: "The time to pay this order is out (订单已过期).")
            }
            guard trade.scannedBy == nil || trade.scannedBy == payer else {
                throw PaymentRefusal(reason: "Another person has scanned this order (该订单已被其他用户扫码).")
            }
            trade.scannedBy = payer
            trade.state = .success
            trade.transactionID = rules.transactionID(now)
            trade.paidAt = now.milliseconds
            try trade.update(database)
            let isLost = try Self.takeLoss(database)
            try PendingNotification(
                id: "EV-" + RFC3339.digits(now) + rules.random.digits(8),
                outTradeNumber: trade.outTradeNumber, createdAt: now.milliseconds,
                state: isLost ? .lost : .pending, attempts: 0,
                nextAttemptAt: isLost ? nil : now.milliseconds
            ).insert(database)
            return trade
        }
    }

    private static func payable(_ database: Database, _ codeOrNumber: String, now: Timestamp)
        throws -> Trade?
    {
        if let trade = try Trade.fetchOne(database, key: codeOrNumber) { return trade }
        let oldest = now.milliseconds - TradeRules.codeLifeMilliseconds
        return try Trade.fetchOne(
            database,
            sql: """
                SELECT trade.* FROM trade JOIN code_url USING (out_trade_no)
                WHERE code = ? AND made_at > ?
                """, arguments: [codeOrNumber, oldest])
    }
}
