/// How many calls that were to make an order at WeChat Pay may have made it.
extension Schema {
    static let openAskings = Migration(
        number: 22, name: "calls that may have made an order",
        steps: [
            // Nobody counted for rows of before: one of theirs may have, so that no later refusal
            // says that WeChat never took them.
            .statement(
                """
                ALTER TABLE orders ADD COLUMN open_askings {integer} NOT NULL DEFAULT 1
                CHECK (open_askings >= 0)
                """),
            // Of an order that WeChat refused no call is open.
            .statement("UPDATE orders SET open_askings = 0 WHERE refused_at IS NOT NULL"),
        ])
}
