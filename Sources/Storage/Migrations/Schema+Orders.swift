extension Schema {
    static let orders = Migration(
        number: 2, name: "products, orders, payments",
        steps: [
            products, edges, edgeRows, orderTable, ordersOfAccount, ordersToQuery, ordersToClose,
            ordersByMaking,
        ]
            + [
                .refuse(
                    .update, of: "orders", named: "orders_move_along_edges",
                    when: """
                        OLD.state <> NEW.state AND NOT EXISTS (
                            SELECT 1 FROM order_edges
                            WHERE from_state = OLD.state AND to_state = NEW.state)
                        """),
                .refuse(
                    .update, of: "orders", named: "orders_keep_what_was_bought",
                    when: """
                        OLD.account <> NEW.account OR OLD.product <> NEW.product
                        OR OLD.total_fen <> NEW.total_fen OR OLD.credits <> NEW.credits
                        OR OLD.out_trade_number <> NEW.out_trade_number
                        """),
                .refuse(.delete, of: "orders", named: "orders_are_never_deleted", when: nil),
                events, eventsOfOrder,
            ] + Migration.insertOnly("order_events") + [notifications, payments]
            + [paymentsByBooking] + Migration.insertOnly("payments"))

    private static let products = Migration.Step.statement(
        """
        CREATE TABLE products (
            product_key TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            summary TEXT NOT NULL,
            price_fen {integer} NOT NULL CHECK (price_fen > 0),
            credits {integer} NOT NULL CHECK (credits > 0),
            lifetime_days {integer} CHECK (lifetime_days > 0),
            models TEXT NOT NULL,
            is_enabled {integer} NOT NULL CHECK (is_enabled IN (0, 1)),
            position {integer} NOT NULL
        ) {end}
        """)

    private static let edges = Migration.Step.statement(
        """
        CREATE TABLE order_edges (
            from_state TEXT NOT NULL,
            to_state TEXT NOT NULL,
            PRIMARY KEY (from_state, to_state)
        ) {end_clustered}
        """)

    private static let edgeRows = Migration.Step.statement(
        """
        INSERT INTO order_edges (from_state, to_state) VALUES
            ('created', 'awaiting_payment'),
            ('created', 'paid'),
            ('created', 'closing'),
            ('awaiting_payment', 'paid'),
            ('awaiting_payment', 'closing'),
            ('closing', 'paid'),
            ('closing', 'closed'),
            ('closed', 'paid_after_close'),
            ('paid_after_close', 'delivered'),
            ('paid_after_close', 'refunding'),
            ('paid', 'delivered'),
            ('paid', 'refunding'),
            ('delivered', 'refunding'),
            ('refunding', 'refunded'),
            ('refunding', 'paid'),
            ('refunding', 'paid_after_close'),
            ('refunding', 'delivered')
        """)

    private static let orderTable = Migration.Step.statement(
        """
        CREATE TABLE orders (
            id {key},
            account {integer} NOT NULL REFERENCES accounts (id),
            idempotency_key TEXT NOT NULL,
            out_trade_number TEXT NOT NULL UNIQUE,
            product TEXT NOT NULL,
            product_name TEXT NOT NULL,
            total_fen {integer} NOT NULL CHECK (total_fen > 0),
            credits {integer} NOT NULL CHECK (credits > 0),
            lifetime_days {integer} CHECK (lifetime_days > 0),
            models TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('created', 'awaiting_payment', 'closing', 'closed',
                'paid', 'paid_after_close', 'delivered', 'refunding', 'refunded')),
            code_url TEXT,
            created_at {integer} NOT NULL,
            expires_at {integer} NOT NULL,
            paid_at {integer},
            transaction_id TEXT UNIQUE,
            query_count {integer} NOT NULL CHECK (query_count >= 0),
            next_query_at {integer} NOT NULL,
            CONSTRAINT orders_once_for_a_key UNIQUE (account, idempotency_key)
        ) {end}
        """)

    private static let ordersOfAccount = Migration.Step.statement(
        "CREATE INDEX orders_of_account ON orders (account, id)")
    private static let ordersByMaking = Migration.Step.statement(
        "CREATE INDEX orders_by_making ON orders (created_at)")
    private static let ordersToQuery = Migration.Step.statement(
        """
        CREATE INDEX orders_to_query ON orders (next_query_at, id)
        WHERE state IN ('created', 'awaiting_payment', 'closing')
        """)
    private static let ordersToClose = Migration.Step.statement(
        """
        CREATE INDEX orders_to_close ON orders (expires_at, id)
        WHERE state IN ('created', 'awaiting_payment', 'closing')
        """)

    private static let events = Migration.Step.statement(
        """
        CREATE TABLE order_events (
            id {serial},
            order_id {integer} NOT NULL REFERENCES orders (id),
            from_state TEXT NOT NULL,
            to_state TEXT NOT NULL,
            cause TEXT NOT NULL,
            evidence TEXT NOT NULL,
            occurred_at {integer} NOT NULL,
            CONSTRAINT order_events_follow_edges
                FOREIGN KEY (from_state, to_state) REFERENCES order_edges (from_state, to_state)
        ) {end}
        """)
    private static let eventsOfOrder = Migration.Step.statement(
        "CREATE INDEX order_events_of_order ON order_events (order_id, id)")

    private static let notifications = Migration.Step.statement(
        """
        CREATE TABLE payment_notifications (
            id TEXT NOT NULL PRIMARY KEY,
            out_trade_number TEXT NOT NULL,
            received_at {integer} NOT NULL
        ) {end_clustered}
        """)

    private static let paymentsByBooking = Migration.Step.statement(
        "CREATE INDEX payments_by_booking ON payments (booked_at)")

    private static let payments = Migration.Step.statement(
        """
        CREATE TABLE payments (
            transaction_id TEXT NOT NULL PRIMARY KEY,
            order_id {integer} NOT NULL REFERENCES orders (id),
            total_fen {integer} NOT NULL CHECK (total_fen > 0),
            paid_at {integer} NOT NULL,
            booked_at {integer} NOT NULL
        ) {end}
        """)
}
