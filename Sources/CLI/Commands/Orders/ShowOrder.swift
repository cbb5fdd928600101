package import ArgumentParser
import TollgateClient

/// `tollgate order`.
package struct ShowOrder: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Tell how one order stands.",
        discussion: """
            While payment is awaited the QR code is drawn again. With --wait it goes on until the \
            order is delivered or closed.

            EXAMPLES:
              tollgate order 0H2K9QW3ZT4BM
              tollgate order 0H2K9QW3ZT4BM --wait --json
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.reads

    /// The order.
    @Argument(help: "The order, as `tollgate orders` lists it.")
    package var order: String

    /// Whether the command goes on until the order is delivered or closed.
    @Flag(help: "Wait until the order is delivered or closed.")
    package var wait = false

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        try await invocation.withClient { client, options in
            let orders = OrdersServiceClient(client)
            let request = V1.GetOrderRequest(orderId: order)
            let response = try await orders.getOrder(request, options: options)
            let order = try Orders.present(response.order)
            if invocation.isJSON {
                invocation.console.json(.object([("order", order.json)]))
            } else {
                invocation.console.show(order, invocation)
                if !order.codeUrl.isEmpty {
                    invocation.console.showPaymentCode(order, invocation.environment.variables)
                }
            }
            guard wait, !OrderState(order).isFinal else { return }
            let watch = OrderWatch(orders: orders, options: options, invocation: invocation)
            try await watch.untilFinal(order)
        }
    }
}
