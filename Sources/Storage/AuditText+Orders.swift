/// The audit's queries about orders and the money that came for them.
extension AuditText {
    /// C7: what people and WeChat Pay were told is here.
    static let acknowledged = LedgerAudit.Checker(
        name: "C7",
        summary: "paid orders have their payment, money and credits; none stands alone",
        rows: SQL("SELECT COUNT(*) FROM orders"),
        violations: [paidOrders, deliveredOrders, payments])

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

    /// Fen between our own accounts that no payment explains, of transfers from one number to
    /// another.
    ///
    /// A sale is the price of the order that its transaction paid, what was accepted was owed back
    /// before, and what is owed back has its payment or the incident of an order that is not here.
    ///
    /// All that is looked up has a key. Other movements in fen are none that anything makes
    /// (``TransferAudit``), and amounts are held against payments above.
    static let loneMoney = SQL(
        """
        SELECT 'transfer ' || moved.id || ' of ' || moved.amount || ' fen to '
            || moved.to_account || ' has no payment that explains it'
        FROM transfers AS moved
        LEFT JOIN payments ON payments.transaction_id = CASE
            WHEN moved.kind = 'payment' AND SUBSTR(moved.transfer_key, 1, 8) = 'payment:'
                THEN SUBSTR(moved.transfer_key, 9)
            WHEN moved.kind = 'adjustment' AND SUBSTR(moved.transfer_key, 1, 9) = 'accepted:'
                THEN SUBSTR(moved.transfer_key, 10) END
        LEFT JOIN orders ON orders.id = payments.order_id
            AND orders.transaction_id = payments.transaction_id
        WHERE moved.id BETWEEN $1 AND $2
            AND (moved.kind = 'payment' AND moved.to_account IN ('sales', 'refunds')
                OR moved.kind = 'adjustment' AND moved.to_account = 'sales')
            AND CASE
                WHEN moved.kind = 'adjustment' THEN orders.id IS NULL
                    OR moved.amount <> payments.total_fen
                    OR NOT EXISTS (SELECT 1 FROM transfers AS owed
                        WHERE owed.transfer_key = 'payment:' || payments.transaction_id
                            AND owed.kind = 'payment' AND owed.to_account = 'refunds')
                WHEN moved.to_account = 'sales' THEN orders.id IS NULL
                WHEN payments.transaction_id IS NULL THEN
                    SUBSTR(moved.transfer_key, 1, 8) <> 'payment:'
                    OR NOT EXISTS (SELECT 1 FROM incidents
                        WHERE incident_key = 'unknown_order:' || moved.reference)
                ELSE orders.id IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM transfers AS accepted
                        WHERE accepted.transfer_key = 'accepted:' || payments.transaction_id
                            AND accepted.kind = 'adjustment' AND accepted.to_account = 'sales')
                END
        """)

    /// What the purchases of paid orders add up to.
    static let paidPurchases = SQL(
        """
        SELECT COALESCE(SUM(transfers.amount), 0)
        FROM orders JOIN transfers
            ON transfers.transfer_key = 'order:' || \(crockford("orders.id"))
        WHERE kind = 'purchase' AND orders.transaction_id IS NOT NULL
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
