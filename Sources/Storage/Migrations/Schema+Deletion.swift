/// What the deletion of accounts needs.
extension Schema {
    static let deletion = Migration(
        number: 14, name: "deleted accounts",
        steps: [
            .widen(
                "accounts", column: "status", was: "status IN ('active', 'frozen')",
                becomes: compared("status", ["active", "frozen", "deleting", "deleted"])),
            .statement(
                """
                ALTER TABLE accounts ADD COLUMN deleted_at {integer} CHECK (
                    (deleted_at IS NOT NULL) = (status = 'deleting' OR status = 'deleted')
                    AND (deleted_at IS NULL OR openid = ''))
                """),
            .refuse(
                .update, of: "accounts", named: "accounts_stay_deleted",
                when: """
                    OLD.deleted_at IS NOT NULL
                    AND (NEW.deleted_at IS NULL OR NEW.deleted_at <> OLD.deleted_at
                        OR OLD.status = 'deleted' AND NEW.status <> 'deleted')
                    """),
            .statement(
                "CREATE INDEX accounts_deleting ON accounts (id) WHERE status = 'deleting'"),
            .widen(
                "transfers", column: "kind", was: "(\(compared("kind", kinds)))",
                becomes: "(\(compared("kind", kinds + ["forfeit"])))"),
            // So that who leaves and comes back has no second share of the same day.
            .statement(
                """
                CREATE TABLE departed_trials (
                    person {bytes} NOT NULL PRIMARY KEY CHECK (length(person) = 32),
                    day {integer} NOT NULL,
                    used {integer} NOT NULL CHECK (used > 0)
                ) {end}
                """),
            .statement("CREATE INDEX departed_trials_by_day ON departed_trials (day)"),
            .statement(
                """
                CREATE INDEX login_attempts_of_person ON login_attempts (openid)
                WHERE openid IS NOT NULL
                """),
            .statement("CREATE INDEX outbox_of_account ON outbox_messages (account, id)"),
            // What is kept about a person is listed for them by these two.
            .statement("CREATE INDEX payments_of_order ON payments (order_id)"),
            .statement("CREATE INDEX refusals_of_account ON refusals (account, id)"),
            .statement(
                """
                CREATE INDEX orders_unsettled ON orders (account, id)
                WHERE \(unsettledOrders)
                """),
        ])

    /// The states of ``OrderState`` that are not settled, as comparisons.
    static let unsettledOrders = compared(
        "state",
        ["created", "awaiting_payment", "closing", "paid", "paid_after_close", "refunding"]
    )

    private static let kinds = [
        "welcome", "payment", "purchase", "usage", "promotion", "overrun", "expiry", "adjustment",
        "refund",
    ]

    private static func compared(_ column: String, _ words: [String]) -> String {
        words.map { "\(column) = '\($0)'" }.joined(separator: " OR ")
    }
}
