/// Counts of login attempts by QR code, in rows that are found by their key alone.
extension Schema {
    static let loginCounts = Migration(
        number: 18, name: "counts of login attempts",
        steps: [
            .statement(
                """
                CREATE TABLE login_attempt_counts (
                    counted {bytes} NOT NULL PRIMARY KEY,
                    began_at {integer} NOT NULL,
                    attempts {integer} NOT NULL CHECK (attempts > 0)
                ) {end}
                """),
            .statement(
                "CREATE INDEX login_attempt_counts_by_age ON login_attempt_counts (began_at)"),
            // Attempts were counted along it.
            .statement("DROP INDEX login_attempts_of_source"),
        ])
}
