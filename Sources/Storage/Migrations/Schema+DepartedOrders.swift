/// How many orders of a day a person had not paid outlasts the account they leave, for that day.
extension Schema {
    static let departedOrders = Migration(
        number: 23, name: "unpaid orders of who left",
        steps: [
            // So that who leaves and comes back has no second day's orders at once.
            .statement(
                """
                CREATE TABLE departed_orders (
                    person {bytes} NOT NULL PRIMARY KEY CHECK (length(person) = 32),
                    made {integer} NOT NULL CHECK (made > 0),
                    left_at {integer} NOT NULL
                ) {end}
                """),
            .statement("CREATE INDEX departed_orders_by_moment ON departed_orders (left_at)"),
        ])
}
