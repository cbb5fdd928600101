/// What statements of an account need: a history that is ordered in time as it is in its places.
extension Schema {
    static let lastMoves = Migration(
        number: 12, name: "when an account's credits last moved",
        steps: [
            .statement(
                """
                ALTER TABLE customer_ledgers ADD COLUMN last_moved_at {integer} NOT NULL DEFAULT 0
                """),
            .statement(
                """
                UPDATE customer_ledgers SET last_moved_at = COALESCE(
                    (SELECT MAX(occurred_at) FROM transfers
                    WHERE customer = customer_ledgers.account), 0)
                """),
        ])
}
