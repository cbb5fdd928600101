internal import Orders
internal import TollgateKernel

extension StoredOrders {
    func enabledProducts() throws(StoreError) -> [Product] {
        try connection.all(Text.enabledProducts, bounded(.max), decode: Self.product)
    }

    func products(limit: Int) throws(StoreError) -> [Product] {
        try connection.all(Text.products, bounded(limit), decode: Self.product)
    }

    func product(_ key: ProductKey) throws(StoreError) -> Product? {
        try connection.first(Text.product, key.rawValue, decode: Self.product)
    }

    func save(_ product: Product) throws(StoreError) {
        try connection.run(
            Text.saveProduct, product.key.rawValue, product.name, product.summary,
            product.price.fen, product.credits.micro, product.lifetimeDays,
            TextList.encode(product.models.map(\.rawValue)), product.isEnabled, product.position)
    }

    func insertNotification(
        id: String, outTradeNumber: String, at now: Timestamp
    ) throws(StoreError) -> Bool {
        try connection.run(Text.insertNotification, id, outTradeNumber, now.milliseconds) == 1
    }

    func insert(_ payment: PaymentRecord) throws(StoreError) {
        try connection.run(
            Text.insertPayment, payment.transactionID, payment.order.rawValue, payment.total.fen,
            payment.paidAt.milliseconds, payment.bookedAt.milliseconds)
    }

    func payment(transactionID: String) throws(StoreError) -> PaymentRecord? {
        try connection.first(Text.payment, transactionID) { row in
            PaymentRecord(
                transactionID: transactionID, order: OrderID(rawValue: row.integer(0)),
                total: Money(fen: row.integer(1)), paidAt: row.moment(2), bookedAt: row.moment(3))
        }
    }

    func payments(of order: OrderID, limit: Int) throws(StoreError) -> [PaymentRecord] {
        try connection.all(Text.ofOrder, order.rawValue, bounded(limit)) { row in
            PaymentRecord(
                transactionID: row.text(0), order: order, total: Money(fen: row.integer(1)),
                paidAt: row.moment(2), bookedAt: row.moment(3))
        }
    }

    private static func product(_ row: Row) throws(StoreError) -> Product {
        Product(
            key: ProductKey(rawValue: row.text(0)), name: row.text(1), summary: row.text(2),
            price: Money(fen: row.integer(3)), credits: Credits(micro: row.integer(4)),
            lifetimeDays: row.optionalInteger(5),
            models: TextList.decode(row.text(6)).map(ModelName.init(rawValue:)),
            isEnabled: row.truth(7), position: row.integer(8))
    }

    private enum Text {
        static let columns = """
            product_key, name, summary, price_fen, credits, lifetime_days, models, is_enabled,
            position
            """
        static let enabledProducts = SQL(
            """
            SELECT \(columns) FROM products WHERE is_enabled = 1
            ORDER BY position, product_key LIMIT $1
            """)
        static let products = SQL(
            "SELECT \(columns) FROM products ORDER BY position, product_key LIMIT $1")
        static let product = SQL("SELECT \(columns) FROM products WHERE product_key = $1")
        static let saveProduct = SQL(
            """
            INSERT INTO products (\(columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (product_key) DO UPDATE SET name = excluded.name,
                summary = excluded.summary, price_fen = excluded.price_fen,
                credits = excluded.credits, lifetime_days = excluded.lifetime_days,
                models = excluded.models, is_enabled = excluded.is_enabled,
                position = excluded.position
            """)
        static let insertNotification = SQL(
            """
            INSERT INTO payment_notifications (id, out_trade_number, received_at)
            VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING
            """)
        static let insertPayment = SQL(
            """
            INSERT INTO payments (transaction_id, order_id, total_fen, paid_at, booked_at)
            VALUES ($1, $2, $3, $4, $5)
            """)
        static let ofOrder = SQL(
            """
            SELECT transaction_id, total_fen, paid_at, booked_at FROM payments
            WHERE order_id = $1 ORDER BY booked_at, transaction_id LIMIT $2
            """)
        static let payment = SQL(
            """
            SELECT order_id, total_fen, paid_at, booked_at FROM payments
            WHERE transaction_id = $1
            """)
    }
}
