package import ArgumentParser
import TollgateClient

/// `tollgate orders cancel`.
package struct CancelOrder: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel an order that you have not paid.",
        discussion: """
            Nothing is charged for it, and its QR code cannot be paid any more. A payment made \
            just before that is kept, and delivered as ever. Repeating it is safe.

            EXAMPLES:
              tollgate orders cancel 0H2K9QW3ZT4BM
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The order.
    @Argument(help: "The order, as `tollgate orders` lists it.")
    package var order: String

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let response = try await invocation.withClient { client, options in
            try await OrdersServiceClient(client).cancelOrder(
                V1.CancelOrderRequest(orderId: order), options: options)
        }
        let shown = try Orders.present(response.order)
        let console = invocation.console
        if invocation.isJSON {
            console.json(.object([("order", shown.json)]))
            return
        }
        let number = TerminalText.line(shown.orderId)
        if OrderState(shown).isFinal {
            console.line("Order \(number) is cancelled; nothing was charged.")
        } else {
            console.line("Order \(number) is being closed; WeChat Pay has not confirmed it yet.")
            console.note("Look how it stands: tollgate order \(number)")
        }
    }
}
