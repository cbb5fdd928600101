/// What keeps tables from growing for ever: counters of refusals, and ways to what is old.
extension Schema {
    static let retention = Migration(
        number: 17, name: "refusals counted by the hour, ways to old rows",
        steps: [
            .statement(
                """
                ALTER TABLE refusals ADD COLUMN times {integer} NOT NULL DEFAULT 1
                    CHECK (times > 0)
                """),
            // Rows of before have none, so that each of them stays one refusal of its own.
            .statement("ALTER TABLE refusals ADD COLUMN hour {integer}"),
            .statement(
                """
                CREATE UNIQUE INDEX refusals_of_hour ON refusals (account, hour, model, code)
                """),
            .statement(
                """
                CREATE INDEX payment_notifications_by_age ON payment_notifications (received_at)
                """),
            .statement(
                """
                CREATE INDEX outbox_ended ON outbox_messages (created_at, id)
                WHERE state <> 'waiting'
                """),
            // A key that is removed is looked for in every hold.
            .statement(
                "CREATE INDEX holds_of_api_key ON holds (api_key) WHERE api_key IS NOT NULL"),
            .statement(
                """
                CREATE INDEX api_keys_unused ON api_keys (COALESCE(revoked_at, expires_at))
                WHERE last_used_at IS NULL
                """),
        ])
}
