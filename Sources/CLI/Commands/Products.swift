package import ArgumentParser
import TollgateClient

/// `tollgate products`.
package struct Products: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "products",
        abstract: "List what can be bought.",
        discussion: """
            EXAMPLES:
              tollgate products
              tollgate buy starter           orders the product with that key
            """)
    package static let caller = Caller.connection
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let products = try await invocation.withClient { client, options in
            try await OrdersServiceClient(client)
                .listProducts(V1.ListProductsRequest(), options: options).products
        }
        if invocation.isJSON {
            invocation.console.json(.object([("products", .array(products.map(\.json)))]))
            return
        }
        var table = TextTable([
            ("KEY", .left), ("NAME", .left), ("PRICE", .right), ("CREDITS", .right),
            ("FOR", .right), ("MODELS", .left), ("WHAT IT IS", .flexible),
        ])
        for product in products {
            table.add([
                product.key, product.name, Amounts.yuan(product.priceFen),
                Amounts.credits(product.microCredits),
                product.lifetimeDays == 0 ? "ever" : Amounts.count(product.lifetimeDays, "day"),
                product.models.joined(separator: ", "), product.summary,
            ])
        }
        invocation.console.table(table, ifEmpty: "Nothing is on sale now.")
    }
}

extension V1.Product {
    fileprivate var json: JSONValue {
        .object([
            ("key", .text(key)),
            ("name", .text(name)),
            ("summary", .text(summary)),
            ("priceFen", .number(priceFen)),
            ("microCredits", .number(microCredits)),
            ("lifetimeDays", .number(lifetimeDays)),
            ("models", .array(models.map { .text($0) })),
        ])
    }
}
