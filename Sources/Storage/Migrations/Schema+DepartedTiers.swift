/// What an operator decided about a person outlasts the account they leave.
extension Schema {
    static let departedTiers = Migration(
        number: 16, name: "tiers of who left",
        steps: [
            // So that who leaves and comes back is where an operator had put them.
            .statement(
                """
                CREATE TABLE departed_tiers (
                    person {bytes} NOT NULL PRIMARY KEY CHECK (length(person) = 32),
                    tier TEXT NOT NULL REFERENCES tiers (name)
                ) {end}
                """)
        ])
}
