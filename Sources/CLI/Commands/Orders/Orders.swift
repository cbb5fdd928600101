package import ArgumentParser
import TollgateClient

/// `tollgate orders`.
package struct Orders: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "orders",
        abstract: "Your orders: listing them, and cancelling an unpaid one.",
        discussion: """
            EXAMPLES:
              tollgate orders
              tollgate orders --limit 100
              tollgate orders cancel 0H2K9QW3ZT4BM
            """,
        subcommands: [ListOrders.self, CancelOrder.self],
        defaultSubcommand: ListOrders.self)

    package init() {}

    /// The order that a response of the contract always carries.
    static func present(_ order: V1.Order?) throws -> V1.Order {
        guard let order else {
            throw CommandFailure(
                code: "internal_error", message: "The server answered without the order.")
        }
        return order
    }
}

/// `tollgate orders list`.
package struct ListOrders: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List your orders, newest first; what is asked for without a word.",
        discussion: """
            EXAMPLES:
              tollgate orders list
              tollgate orders list --limit 100
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.reads

    /// Orders on a page.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many orders, 1 to 100.", valueName: "number"))
    package var limit: Int64 = 20

    /// Where the page starts.
    @Option(help: ArgumentHelp("Only orders before this one.", valueName: "order"))
    package var before: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (1...100).contains(limit) else { throw ValidationError("--limit takes 1 to 100.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.ListOrdersRequest(limit: limit, beforeOrderId: before ?? "")
        let page = try await invocation.withClient { client, options in
            try await OrdersServiceClient(client).listOrders(request, options: options)
        }
        if invocation.isJSON {
            invocation.console.json(
                .object([
                    ("orders", .array(page.orders.map(\.json))),
                    ("nextBeforeOrderId", .text(page.nextBeforeOrderId)),
                ]))
            return
        }
        let made = invocation.moments.column("MADE", page.orders.map(\.createdAtMilliseconds))
        var table = TextTable([
            ("ORDER", .left), (made.title, .left), ("PRODUCT", .left), ("PRICE", .right),
            ("CREDITS", .right), ("STATE", .flexible),
        ])
        for (order, moment) in zip(page.orders, made.cells) {
            table.add([
                order.orderId, moment,
                order.productName, Amounts.yuan(order.totalFen),
                Amounts.credits(order.microCredits), OrderState(order).words,
            ])
        }
        invocation.console.table(table, ifEmpty: "You have ordered nothing yet.")
        if !page.nextBeforeOrderId.isEmpty {
            let next = TerminalText.line(page.nextBeforeOrderId)
            invocation.console.note("More: tollgate orders --before \(next)")
        }
    }
}
