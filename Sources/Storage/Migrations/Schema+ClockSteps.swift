/// Where histories of before schema 12 step back in time, so that statements can be cut by places
/// there too.
extension Schema {
    static let clockSteps = Migration(
        number: 15, name: "where histories of before schema 12 step back",
        steps: [
            .statement(
                """
                CREATE TABLE clock_steps (
                    customer {integer} NOT NULL REFERENCES accounts (id),
                    sequence {integer} NOT NULL,
                    reached_at {integer} NOT NULL,
                    PRIMARY KEY (customer, sequence)
                ) {end_clustered}
                """),
            // One row for each moment that a history had reached before it stepped back: the first
            // place behind it. Later movements are in order, so that nothing is ever added.
            .statement(
                """
                INSERT INTO clock_steps (customer, sequence, reached_at)
                SELECT customer, MIN(sequence), reached_at FROM (
                    SELECT customer, sequence, occurred_at, MAX(occurred_at) OVER (
                        PARTITION BY customer ORDER BY sequence) AS reached_at
                    FROM transfers WHERE customer IS NOT NULL) AS history
                WHERE occurred_at < reached_at GROUP BY customer, reached_at
                """),
        ] + Migration.insertOnly("clock_steps"))
}
