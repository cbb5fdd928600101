extension Schema {
    static let operators = Migration(
        number: 9, name: "tiers, limits, operators' acts",
        steps: [
            tiers,
            .statement(
                """
                INSERT INTO tiers (name, price_numerator, price_denominator, requests_per_minute,
                    tokens_per_minute, concurrent_chats)
                VALUES ('standard', 1, 1, 60, 200000, 8)
                """),
            // An account without a tier of its own has the standard one.
            .statement("ALTER TABLE accounts ADD COLUMN tier TEXT REFERENCES tiers (name)"),
            .statement(
                """
                ALTER TABLE customer_ledgers ADD COLUMN open_calls {integer} NOT NULL DEFAULT 0
                    CHECK (open_calls >= 0)
                """),
            .statement(
                """
                UPDATE customer_ledgers SET open_calls = (
                    SELECT COUNT(*) FROM holds
                    WHERE holds.account = customer_ledgers.account AND holds.state = 'held')
                """),
        ]
            + ["request_minute", "request_count", "token_minute", "token_count"].map { column in
                .statement(
                    """
                    ALTER TABLE customer_ledgers ADD COLUMN \(column) {integer} NOT NULL DEFAULT 0
                    """)
            }
            + ["price_numerator", "price_denominator"].map { column in
                .statement(
                    """
                    ALTER TABLE usage_records ADD COLUMN \(column) {integer} NOT NULL DEFAULT 1
                    """)
            }
            + [acts] + Migration.insertOnly("admin_acts"))

    private static let tiers = Migration.Step.statement(
        """
        CREATE TABLE tiers (
            name TEXT NOT NULL PRIMARY KEY,
            price_numerator {integer} NOT NULL CHECK (price_numerator >= 0),
            price_denominator {integer} NOT NULL CHECK (price_denominator > 0),
            requests_per_minute {integer} CHECK (requests_per_minute > 0),
            tokens_per_minute {integer} CHECK (tokens_per_minute > 0),
            concurrent_chats {integer} CHECK (concurrent_chats > 0)
        ) {end}
        """)

    private static let acts = Migration.Step.statement(
        """
        CREATE TABLE admin_acts (
            id {key},
            act_key TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            credential TEXT NOT NULL,
            person TEXT NOT NULL,
            reason TEXT NOT NULL,
            correlation_id {integer} NOT NULL,
            object TEXT NOT NULL,
            before TEXT NOT NULL,
            after TEXT NOT NULL,
            occurred_at {integer} NOT NULL
        ) {end}
        """)
}
