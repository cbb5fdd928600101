/// The audit's queries about orders and the money that came for them.
extension AuditText {
    /// C7: what people and WeChat Pay were told is here.
    static let acknowledged = LedgerAudit.Checker(
        name: "C7",
        summary: "paid orders have their payment, money and credits; none stands alone",
        rows: SQL("SELECT COUNT(*) FROM orders"),
        violations: [paidOrders, deliveredOrders, payments, loneMoney, lonePurchases])

    /// C8: the history of orders.
    static let moves = LedgerAudit.Checker(
        name: "C8", summary: "orders moved along allowed edges, as their histories tell",
        rows: SQL("SELECT COUNT(*) FROM order_events"),
        violations: [edges, gaps, ends])

    private static let paidOrders = SQL(
        """
        SELECT 'order ' || orders.id || ' is ' || state || ' for ' || orders.total_fen
            || ' fen; its payment: ' || COALESCE(CAST(payments.total_fen AS TEXT), 'none')
        FROM orders LEFT JOIN payments ON payments.transaction_id = orders.transaction_id
            AND payments.order_id = orders.id
        WHERE state IN ('paid', 'paid_after_close', 'delivered', 'refunding', 'refunded')
            AND (payments.total_fen IS NULL OR payments.total_fen <> orders.total_fen)
        """)

    private static let deliveredOrders = SQL(
        """
        SELECT 'order ' || orders.id || ' is ' || state || ' for ' || credits
            || '; its purchase: ' || COALESCE(CAST(transfers.amount AS TEXT), 'none')
        FROM orders LEFT JOIN transfers
            ON transfers.transfer_key = 'order:' || \(crockford("orders.id"))
            AND transfers.kind = 'purchase' AND transfers.customer = orders.account
        WHERE state = 'delivered' AND (transfers.amount IS NULL OR transfers.amount <> credits)
        """)

    private static let payments = SQL(
        """
        SELECT 'payment ' || transaction_id || ' of ' || total_fen || ' fen; its transfer: '
            || COALESCE(CAST(transfers.amount AS TEXT), 'none')
        FROM payments LEFT JOIN transfers
            ON transfers.transfer_key = 'payment:' || transaction_id
            AND transfers.kind = 'payment' AND transfers.unit = 'fen'
        WHERE transfers.amount IS NULL OR transfers.amount <> total_fen
        """)

    /// Money that became a sale without a payment; what is owed back may have no order.
    private static let loneMoney = SQL(
        """
        SELECT 'transfer ' || transfers.id || ' of ' || amount || ' fen has no payment'
        FROM transfers LEFT JOIN payments
            ON payments.transaction_id = SUBSTR(transfers.transfer_key, 9)
        WHERE kind = 'payment' AND to_account = 'sales' AND payments.transaction_id IS NULL
            AND transfers.transfer_key LIKE 'payment:%'
        """)

    /// No purchase without its order: the sums agree, and each order was matched above.
    private static let lonePurchases = SQL(
        """
        SELECT 'purchases add up to ' || bought || ', those of paid orders to ' || paid
        FROM (SELECT COALESCE(SUM(amount), 0) AS bought FROM transfers
                WHERE kind = 'purchase' AND transfer_key LIKE 'order:%') AS purchases,
            (SELECT COALESCE(SUM(transfers.amount), 0) AS paid
                FROM orders JOIN transfers
                ON transfers.transfer_key = 'order:' || \(crockford("orders.id"))
                WHERE kind = 'purchase' AND orders.transaction_id IS NOT NULL) AS sales
        WHERE bought <> paid
        """)

    private static let edges = SQL(
        """
        SELECT 'order ' || order_id || ' moved from ' || order_events.from_state || ' to '
            || order_events.to_state
        FROM order_events LEFT JOIN order_edges
            ON order_edges.from_state = order_events.from_state
            AND order_edges.to_state = order_events.to_state
        WHERE order_edges.to_state IS NULL
        """)

    private static let gaps = SQL(
        """
        SELECT 'order ' || order_id || ': event ' || id || ' starts at ' || from_state
            || ', the one before it ends at ' || before
        FROM (
            SELECT id, order_id, from_state,
                LAG(to_state, 1, 'created') OVER (PARTITION BY order_id ORDER BY id) AS before
            FROM order_events) AS moves
        WHERE from_state <> before
        """)

    private static let ends = SQL(
        """
        SELECT 'order ' || orders.id || ' is ' || state || ', its history ends at '
            || COALESCE(last, 'created')
        FROM orders LEFT JOIN (
            SELECT order_id, to_state AS last FROM order_events
            WHERE id IN (SELECT MAX(id) FROM order_events GROUP BY order_id)) AS ends
            ON ends.order_id = orders.id
        WHERE state <> COALESCE(last, 'created')
        """)
}
