/// A way to the orders that an account made and never paid, which are counted by their time.
extension Schema {
    static let unpaidOrders = Migration(
        number: 20, name: "unpaid orders by their time",
        steps: [
            .statement(
                """
                CREATE INDEX orders_unpaid ON orders (account, created_at)
                WHERE paid_at IS NULL AND (code_url IS NOT NULL OR state = 'created')
                """)
        ])
}
