package import ArgumentParser
import TollgateClient

/// `tollgate buy`.
package struct Buy: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "buy",
        abstract: "Order a product and show the code to pay it with.",
        discussion: """
            Draws a QR code to be scanned with WeChat, then waits until the credits are on your \
            account or the order is closed. Ctrl-C stops the waiting, not the order.

            With --json one line is written when the order is placed and one whenever its state \
            changes.

            EXAMPLES:
              tollgate buy starter
              tollgate buy starter --no-wait
              tollgate buy starter --idempotency-key monday-1     safe to repeat: one order
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// The product's key.
    @Argument(help: "The product's key, as `tollgate products` lists it.")
    package var product: String

    /// Whether the command goes on until the order is delivered or closed.
    @Flag(inversion: .prefixedNo, help: "Wait until the order is delivered or closed.")
    package var wait = true

    /// The key that makes repeating safe.
    @Option(
        help: ArgumentHelp(
            "Repeating with the same key gives the same order (default: a fresh key).",
            valueName: "key"))
    package var idempotencyKey: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard let idempotencyKey else { return }
        let isVisible = idempotencyKey.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isVisible, (1...64).contains(idempotencyKey.utf8.count) else {
            throw ValidationError("--idempotency-key takes 1 to 64 visible ASCII characters.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let key = idempotencyKey ?? invocation.environment.newKey()
        try await invocation.withClient { client, options in
            let orders = OrdersServiceClient(client)
            let order = try await place(key, orders, options, invocation)
            try show(order, invocation)
            guard wait, !OrderState(order).isFinal else { return }
            let watch = OrderWatch(orders: orders, options: options, invocation: invocation)
            try await watch.untilFinal(order)
        }
    }

    /// Places the order.
    ///
    /// If nobody knows whether it was placed, the advice is to repeat it with the same key.
    private func place(
        _ key: String, _ orders: OrdersServiceClient, _ options: CallOptions,
        _ invocation: Invocation
    ) async throws -> V1.Order {
        do {
            let request = V1.PlaceOrderRequest(productKey: product, idempotencyKey: key)
            let response = try await orders.placeOrder(request, options: options)
            return try Orders.present(response.order)
        } catch let error as TollgateError {
            let unclear = [
                "unavailable", "deadline_exceeded", "unknown_outcome", "upstream_failed",
            ]
            guard unclear.contains(error.code) || error.code == "upstream_timed_out" else {
                throw error
            }
            throw CommandFailure(
                code: error.code, message: error.message,
                advice: "Repeating is safe: tollgate buy \(product) --idempotency-key \(key)",
                retryAfterMilliseconds: error.retryAfterMilliseconds)
        }
    }

    private func show(_ order: V1.Order, _ invocation: Invocation) throws {
        if invocation.isJSON {
            guard invocation.console.json(.object([("order", order.json)])) else {
                throw OutputClosed()
            }
            return
        }
        invocation.console.show(order, invocation)
        if !order.codeUrl.isEmpty {
            invocation.console.showPaymentCode(order, invocation.environment.variables)
        }
        if !wait {
            invocation.console.note("Look how it stands: tollgate order \(order.orderId)")
        }
    }
}
