package import ArgumentParser
import TollgateClient

/// `tollgate admin products`.
package struct AdminProducts: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "products",
        abstract: "What is sold: prices, credits, and the models that a purchase permits.",
        discussion: """
            A change holds for orders from now on. An order keeps the price and the credits that \
            it was made with, and a product that was withdrawn keeps its row.

            EXAMPLES:
              tollgate admin products list
              tollgate admin products set starter --name 'Starter, 10 credits' \\
                --price 9.90 --credits 10 --reason 'Opening'
              tollgate admin products withdraw starter --reason 'Sold out'
            """,
        subcommands: [ListAllProducts.self, SetProduct.self, WithdrawProduct.self])

    package init() {}
}

/// `tollgate admin products list`.
package struct ListAllProducts: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List every product, on sale or withdrawn, in the order that buyers see.",
        discussion: """
            EXAMPLES:
              tollgate admin products list
              tollgate admin products list --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let products = try await invocation.withClient { client, options in
            try await CatalogueServiceClient(client)
                .listAllProducts(V1.ListAllProductsRequest(), options: options).products
        }
        if invocation.isJSON {
            invocation.console.json(.object([("products", .array(products.map(\.json)))]))
        } else {
            invocation.console.products(products)
        }
    }
}

/// `tollgate admin products set`.
package struct SetProduct: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Make a product, or change one for orders from now on.",
        discussion: """
            What is not named stays as it is. A new product needs a name, a price and credits; it \
            is on sale at once, last in the list, permits no model, and its credits live for ever. \
            One that was withdrawn stays so, unless --offer says otherwise.

            EXAMPLES:
              tollgate admin products set starter --name 'Starter, 10 credits' \\
                --price 9.90 --credits 10 --days 365 --reason 'Opening'
              tollgate admin products set starter --price 8 --reason 'Spring offer'
              tollgate admin products set pro --models gpt-4o,glm-4 --reason 'Asked for'
              tollgate admin products set starter --offer --reason 'In stock again'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The product.
    @Argument(help: "The product's key: lower-case letters, digits and hyphens.")
    package var key: String

    /// Its name.
    @Option(
        help: ArgumentHelp(
            "What buyers and their receipts call it, at most 127 bytes.", valueName: "text"))
    package var name: String?

    /// A sentence about it.
    @Option(help: ArgumentHelp("A sentence about it, at most 200 bytes.", valueName: "text"))
    package var summary: String?

    /// The price.
    @Option(help: ArgumentHelp("The price in yuan, such as 9.90.", valueName: "yuan"))
    package var price: String?

    /// What it grants.
    @Option(help: ArgumentHelp("Credits that it grants.", valueName: "credits"))
    package var credits: String?

    /// How long they live.
    @Option(
        help: ArgumentHelp("How many days the credits live, or none: for ever.", valueName: "days"))
    package var days: String?

    /// What it permits.
    @Option(
        help: ArgumentHelp(
            "Models that it permits, with commas between them, or none.", valueName: "models"))
    package var models: String?

    /// Its place.
    @Option(help: ArgumentHelp("Its place in the list, from 0.", valueName: "number"))
    package var place: Int64?

    /// Whether it is put on sale again.
    @Flag(help: "Put it on sale again, if it was withdrawn.")
    package var offer = false

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        if let price, (Amounts.parseYuan(price) ?? 0) <= 0 {
            throw ValidationError("--price takes yuan, such as 12 or 9.90.")
        }
        if let credits, (Amounts.parseCredits(credits) ?? 0) <= 0 {
            throw ValidationError("--credits takes credits, such as 10 or 0.25.")
        }
        if let days, OrNone.number(days) == nil {
            throw ValidationError("--days takes a number from 1, or none.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let by = try act.actedBy(invocation)
        let product = try await invocation.withClient { client, options in
            let catalogue = CatalogueServiceClient(client)
            let products = try await catalogue.listAllProducts(
                V1.ListAllProductsRequest(), options: options
            ).products
            let request = V1.SetProductRequest(by: by, product: try changed(among: products))
            return try await catalogue.setProduct(request, options: options).product
        }
        guard let product else { return }
        invocation.show(product)
        if product.withdrawn {
            invocation.console.note("It stays withdrawn; --offer puts it on sale again.")
        }
    }

    private func changed(among products: [V1.CatalogueProduct]) throws -> V1.CatalogueProduct {
        let old = products.first { $0.key == key }
        guard old != nil || (name != nil && price != nil && credits != nil) else {
            throw CommandFailure(
                .usage, "There is no product \(TerminalText.line(key)) yet.",
                advice: "A new one needs --name, --price and --credits.")
        }
        let last = (products.map(\.position).max() ?? 0) + 1
        var product = old ?? V1.CatalogueProduct(key: key, position: last)
        product.name = name ?? product.name
        product.summary = summary ?? product.summary
        product.priceFen = price.flatMap(Amounts.parseYuan) ?? product.priceFen
        product.microCredits = credits.flatMap(Amounts.parseCredits) ?? product.microCredits
        product.lifetimeDays = days.flatMap(OrNone.number) ?? product.lifetimeDays
        product.models = models.map(OrNone.names) ?? product.models
        product.position = place ?? product.position
        if offer { product.withdrawn = false }
        return product
    }
}

/// `tollgate admin products withdraw`.
package struct WithdrawProduct: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "withdraw",
        abstract: "Take a product off sale; orders that were made can still be paid.",
        discussion: """
            What was sold stays what it was. `set KEY --offer` puts the product on sale again.

            EXAMPLES:
              tollgate admin products withdraw starter --reason 'Sold out'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The product.
    @Argument(help: "The product's key.")
    package var key: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.WithdrawProductRequest(by: try act.actedBy(invocation), key: key)
        let product = try await invocation.withClient { client, options in
            try await CatalogueServiceClient(client).withdrawProduct(request, options: options)
                .product
        }
        if let product { invocation.show(product) }
    }
}

extension Invocation {
    fileprivate func show(_ product: V1.CatalogueProduct) {
        if isJSON {
            console.json(product.json)
        } else {
            console.products([product])
        }
    }
}

extension Console {
    fileprivate func products(_ products: [V1.CatalogueProduct]) {
        var table = TextTable([
            ("PRODUCT", .left), ("STATE", .left), ("PRICE", .right), ("CREDITS", .right),
            ("FOR", .right), ("MODELS", .left), ("PLACE", .right), ("NAME", .left),
            ("WHAT IT IS", .flexible),
        ])
        for product in products {
            table.add([
                product.key, product.withdrawn ? "withdrawn" : "on sale",
                Amounts.yuan(product.priceFen), Amounts.credits(product.microCredits),
                product.lifetimeDays == 0 ? "ever" : Amounts.count(product.lifetimeDays, "day"),
                product.models.joined(separator: ", "), "\(product.position)", product.name,
                product.summary,
            ])
        }
        self.table(
            table,
            ifEmpty: "There are no products yet. Make one with: tollgate admin products set")
    }
}

extension V1.CatalogueProduct {
    fileprivate var json: JSONValue {
        .object([
            ("key", .text(key)),
            ("withdrawn", .bool(withdrawn)),
            ("name", .text(name)),
            ("summary", .text(summary)),
            ("priceFen", .number(priceFen)),
            ("microCredits", .number(microCredits)),
            ("lifetimeDays", .number(lifetimeDays)),
            ("models", .array(models.map { .text($0) })),
            ("position", .number(position)),
        ])
    }
}
