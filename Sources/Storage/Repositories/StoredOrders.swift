internal import Orders
internal import TollgateKernel

/// Orders; products and payments are in `StoredOrders+Payments.swift`.
struct StoredOrders: OrderRepository {
    let connection: StoreConnection

    func insert(_ order: Order) throws(StoreError) {
        try connection.run(
            OrderText.insert, order.id.rawValue, order.account.rawValue,
            order.idempotencyKey.rawValue, order.outTradeNumber, order.product.rawValue,
            order.productName, order.total.fen, order.credits.micro, order.lifetimeDays,
            TextList.encode(order.models.map(\.rawValue)), order.state.rawValue, order.codeURL,
            order.createdAt.milliseconds, order.expiresAt.milliseconds,
            order.paidAt?.milliseconds, order.transactionID, order.queryCount,
            order.nextQueryAt.milliseconds, order.refusedAt?.milliseconds, order.openAskings)
    }

    func order(_ id: OrderID) throws(StoreError) -> Order? {
        try connection.first(OrderText.byID, id.rawValue, decode: Self.order)
    }

    func order(outTradeNumber: String) throws(StoreError) -> Order? {
        try connection.first(OrderText.byNumber, outTradeNumber, decode: Self.order)
    }

    func order(
        of account: AccountID, idempotencyKey: IdempotencyKey
    ) throws(StoreError) -> Order? {
        try connection.first(
            OrderText.byKey, account.rawValue, idempotencyKey.rawValue, decode: Self.order)
    }

    func orders(
        of account: AccountID, before id: OrderID?, limit: Int
    ) throws(StoreError) -> [Order] {
        try connection.all(
            OrderText.ofAccount, account.rawValue, id?.rawValue ?? .max, bounded(limit),
            decode: Self.order)
    }

    func unsettledOrder(of account: AccountID) throws(StoreError) -> Order? {
        try connection.first(OrderText.unsettled, account.rawValue, decode: Self.order)
    }

    func unpaidOrders(of account: AccountID, at now: Timestamp) throws(StoreError) -> Int {
        Int(
            try connection.first(OrderText.unpaid, account.rawValue, now.milliseconds) {
                $0.integer(0)
            } ?? 0)
    }

    func unpaidOrderMade(
        of account: AccountID, number: Int, since: Timestamp, until: Timestamp
    ) throws(StoreError) -> Timestamp? {
        try connection.first(
            OrderText.unpaidMade, account.rawValue, since.milliseconds, until.milliseconds,
            max(number, 1) - 1
        ) { $0.moment(0) }
    }

    func countUnpaidOrdersMade(
        of account: AccountID, since: Timestamp, until: Timestamp
    ) throws(StoreError) -> Int64 {
        try connection.first(
            OrderText.countUnpaidMade, account.rawValue, since.milliseconds, until.milliseconds
        ) { $0.integer(0) } ?? 0
    }

    func save(_ new: Order, replacing old: Order) throws(StoreError) {
        let changed = try connection.run(
            OrderText.save, new.state.rawValue, new.codeURL, new.paidAt?.milliseconds,
            new.transactionID, new.queryCount, new.nextQueryAt.milliseconds,
            new.refusedAt?.milliseconds, new.openAskings, old.id.rawValue, old.state.rawValue,
            old.queryCount)
        guard changed == 1 else { throw .conflict("order \(old.id) has moved on") }
    }

    func ordersToQuery(
        dueBy due: Timestamp, at now: Timestamp, limit: Int
    ) throws(StoreError) -> [Order] {
        try connection.all(
            OrderText.toQuery, due.milliseconds, now.milliseconds, bounded(limit),
            decode: Self.order)
    }

    func ordersToClose(at now: Timestamp, limit: Int) throws(StoreError) -> [Order] {
        try connection.all(
            OrderText.toClose, now.milliseconds, bounded(limit), decode: Self.order)
    }

    func insert(_ event: OrderEvent) throws(StoreError) {
        try connection.run(
            OrderText.insertEvent, event.order.rawValue, event.from.rawValue, event.to.rawValue,
            event.cause.rawValue, event.evidence, event.at.milliseconds)
    }

    func events(of order: OrderID) throws(StoreError) -> [OrderEvent] {
        try connection.all(OrderText.events, order.rawValue, bounded(.max)) {
            row throws(StoreError) in
            OrderEvent(
                order: order, from: try row.word(0), to: try row.word(1), cause: try row.word(2),
                evidence: row.text(3), at: row.moment(4))
        }
    }

    private static func order(_ row: Row) throws(StoreError) -> Order {
        Order(
            id: OrderID(rawValue: row.integer(0)), account: AccountID(rawValue: row.integer(1)),
            idempotencyKey: IdempotencyKey(rawValue: row.text(2)), outTradeNumber: row.text(3),
            product: ProductKey(rawValue: row.text(4)), productName: row.text(5),
            total: Money(fen: row.integer(6)), credits: Credits(micro: row.integer(7)),
            lifetimeDays: row.optionalInteger(8),
            models: TextList.decode(row.text(9)).map(ModelName.init(rawValue:)),
            state: try row.word(10), codeURL: row.optionalText(11), createdAt: row.moment(12),
            expiresAt: row.moment(13), paidAt: row.optionalMoment(14),
            transactionID: row.optionalText(15), queryCount: row.integer(16),
            nextQueryAt: row.moment(17), refusedAt: row.optionalMoment(18),
            openAskings: row.integer(19))
    }

    /// The statements; tests look at their query plans.
    enum OrderText {
        static let columns = """
            id, account, idempotency_key, out_trade_number, product, product_name, total_fen,
            credits, lifetime_days, models, state, code_url, created_at, expires_at, paid_at,
            transaction_id, query_count, next_query_at, refused_at, open_askings
            """
        static let insert = SQL(
            """
            INSERT INTO orders (\(columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                $12, $13, $14, $15, $16, $17, $18, $19, $20)
            """)
        static let byID = SQL("SELECT \(columns) FROM orders WHERE id = $1")
        static let byNumber = SQL("SELECT \(columns) FROM orders WHERE out_trade_number = $1")
        static let byKey = SQL(
            "SELECT \(columns) FROM orders WHERE account = $1 AND idempotency_key = $2")
        static let ofAccount = SQL(
            """
            SELECT \(columns) FROM orders WHERE account = $1 AND id < $2
            ORDER BY id DESC LIMIT $3
            """)
        static let save = SQL(
            """
            UPDATE orders SET state = $1, code_url = $2, paid_at = $3, transaction_id = $4,
                query_count = $5, next_query_at = $6, refused_at = $7,
                open_askings = $8
            WHERE id = $9 AND state = $10 AND query_count = $11
            """)
        // SQLite uses a partial index only for a WHERE that repeats the index's condition to the
        // letter: hence the three states in both.
        static let toQuery = SQL(
            """
            SELECT \(columns) FROM orders
            WHERE state IN ('created', 'awaiting_payment', 'closing') AND state <> 'closing'
                AND next_query_at <= $1 AND expires_at > $2
            ORDER BY next_query_at, id LIMIT $3
            """)
        static let toClose = SQL(
            """
            SELECT \(columns) FROM orders
            WHERE state IN ('created', 'awaiting_payment', 'closing')
                AND CASE state WHEN 'closing' THEN next_query_at ELSE expires_at END <= $1
            ORDER BY expires_at, id LIMIT $2
            """)
        static let unsettled = SQL(
            """
            SELECT \(columns) FROM orders WHERE account = $1 AND (\(Schema.unsettledOrders))
            ORDER BY id LIMIT 1
            """)
        static let unpaid = SQL(
            """
            SELECT COUNT(*) FROM orders WHERE account = $1 AND (\(Schema.unsettledOrders))
                AND state IN ('created', 'awaiting_payment', 'closing') AND expires_at > $2
            """)
        static let unpaidMade = SQL(
            """
            SELECT created_at FROM orders WHERE account = $1 AND created_at > $2
                AND created_at <= $3 AND paid_at IS NULL AND refused_at IS NULL
            ORDER BY created_at DESC LIMIT 1 OFFSET $4
            """)
        static let countUnpaidMade = SQL(
            """
            SELECT COUNT(*) FROM orders WHERE account = $1 AND created_at > $2
                AND created_at <= $3 AND paid_at IS NULL AND refused_at IS NULL
            """)
        static let insertEvent = SQL(
            """
            INSERT INTO order_events
                (order_id, from_state, to_state, cause, evidence, occurred_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """)
        static let events = SQL(
            """
            SELECT from_state, to_state, cause, evidence, occurred_at FROM order_events
            WHERE order_id = $1 ORDER BY id LIMIT $2
            """)
    }
}
