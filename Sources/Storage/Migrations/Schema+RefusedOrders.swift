/// Which orders WeChat Pay refused to make: of those that nobody paid, they alone do not count.
extension Schema {
    static let refusedOrders = Migration(
        number: 21, name: "orders that were refused",
        steps: [
            // Rows of before have none: they count until they are a day old.
            .statement("ALTER TABLE orders ADD COLUMN refused_at {integer}"),
            // That an order has no code does not say that it was not taken.
            .statement("DROP INDEX orders_unpaid"),
            .statement(
                """
                CREATE INDEX orders_unpaid ON orders (account, created_at)
                WHERE paid_at IS NULL AND refused_at IS NULL
                """),
        ])
}
