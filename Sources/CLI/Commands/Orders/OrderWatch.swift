import TollgateClient

/// Looks at an order until it is delivered or closed.
struct OrderWatch: Sendable {
    let orders: OrdersServiceClient
    let options: CallOptions
    let invocation: Invocation

    private var console: Console { invocation.console }
    private var environment: CommandEnvironment { invocation.environment }

    /// Waits for the end and tells every change of state.
    /// - Throws: `order_not_delivered` if the order ended without credits or is still open long
    ///   after its time, the call's error if looking keeps failing, `interrupted` on Ctrl-C.
    func untilFinal(_ first: V1.Order) async throws {
        do {
            let last = try await environment.interrupts.interruptible {
                try await lookUntilFinal(first)
            }
            console.endProgress()
            try conclude(last)
        } catch is Interrupted {
            console.endProgress()
            throw CommandFailure(
                .interrupted, "Stopped waiting; the order stands.",
                advice: "Look how it stands: tollgate order \(first.orderId)")
        }
    }

    private func lookUntilFinal(_ first: V1.Order) async throws -> V1.Order {
        var order = first
        var pause = CommandLimits.orderPollMilliseconds
        var failures = 0
        while !OrderState(order).isFinal, isWorthWaiting(order) {
            try await sleep(pause, order)
            pause = min(pause * 3 / 2, CommandLimits.orderPollCeilingMilliseconds)
            do {
                let request = V1.GetOrderRequest(orderId: order.orderId)
                let seen = try Orders.present(
                    try await orders.getOrder(request, options: options).order)
                failures = 0
                if seen.state != order.state {
                    // Something happens: what follows comes soon.
                    pause = CommandLimits.orderPollMilliseconds
                    try tell(seen)
                }
                order = seen
            } catch let error as TollgateError where Self.isPassing(error) {
                failures += 1
                guard failures < CommandLimits.orderPollFailures else { throw error }
            }
        }
        return order
    }

    /// Whether the order can still move by itself.
    private func isWorthWaiting(_ order: V1.Order) -> Bool {
        environment.now()
            < order.expiresAtMilliseconds + CommandLimits.orderClosingMilliseconds
    }

    /// Waits, and counts down each second before a person's eyes.
    private func sleep(_ milliseconds: Int64, _ order: V1.Order) async throws {
        var rest = milliseconds
        while rest > 0 {
            let left = order.expiresAtMilliseconds - environment.now()
            let clock =
                order.state == "awaiting_payment" && left > 0
                ? " (\(Moments.countdown(left)) left)" : ""
            console.progress("\(OrderState(order).words)\(clock) … Ctrl-C stops waiting")
            let step = min(rest, 1_000)
            try await environment.sleep(step)
            rest -= step
        }
    }

    private func tell(_ order: V1.Order) throws {
        guard invocation.isJSON else { return }
        guard console.json(.object([("order", order.json)])) else { throw OutputClosed() }
    }

    private func conclude(_ order: V1.Order) throws {
        switch order.state {
        case "delivered":
            guard !invocation.isJSON else { return }
            console.line(
                console.outputStyle.green("Paid.")
                    + " \(Amounts.creditsWithUnit(order.microCredits)) are on your account.")
        case "closed":
            throw CommandFailure(
                .orderNotDelivered, "The order was closed; nothing was charged.",
                advice: "Order anew: tollgate products, tollgate buy PRODUCT")
        case "refunded":
            throw CommandFailure(.orderNotDelivered, "The order was refunded.")
        default:
            throw CommandFailure(
                .orderNotDelivered, "The order is still \(OrderState(order).words).",
                advice: "Look how it stands: tollgate order \(order.orderId)")
        }
    }

    /// Whether looking again may help.
    private static func isPassing(_ error: TollgateError) -> Bool {
        ["unavailable", "deadline_exceeded", "rate_limited"].contains(error.code)
    }
}
