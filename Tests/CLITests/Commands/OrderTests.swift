import CLI
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("buy, order, orders")
struct OrderTests {
    private func signedIn(isTerminal: Bool = false, columns: Int? = nil) throws -> CommandTest {
        let test = try CommandTest(isTerminal: isTerminal, columns: columns)
        try test.signIn(expiresIn: 86_400_000)
        return test
    }

    private static func order(_ state: String) -> V1.Order {
        V1.Order(
            orderId: "0H2K9QW3ZT4BM", productName: "入门套餐", totalFen: 990,
            microCredits: 10_000_000, state: state,
            codeUrl: state == "awaiting_payment" ? "weixin://wxpay/bizpayurl?pr=abc" : "",
            createdAtMilliseconds: CommandTest.began,
            expiresAtMilliseconds: CommandTest.began + 60_000,
            paidAtMilliseconds: state == "delivered" ? CommandTest.began + 5_000 : 0,
            outTradeNumber: "TG0001")
    }

    private func placing(_ keys: Keys = Keys(), state: String = "awaiting_payment")
        -> MethodRegistration
    {
        .unary(Methods.OrdersService.placeOrder) { (request: V1.PlaceOrderRequest, context) in
            #expect(context.authorization == "Bearer session-of-ann")
            #expect(request.productKey == "starter")
            keys.add(request.idempotencyKey)
            return V1.PlaceOrderResponse(order: Self.order(state))
        }
    }

    /// Answers with these states one after the other, then with the last for ever; nil is a server
    /// that is not there for a moment.
    private func states(_ states: String?...) -> MethodRegistration {
        let place = Mutex(0)
        return .unary(Methods.OrdersService.getOrder) { (request: V1.GetOrderRequest, _) in
            #expect(request.orderId == "0H2K9QW3ZT4BM")
            let state = place.withLock { place in
                defer { place += 1 }
                return states[min(place, states.count - 1)]
            }
            guard let state else { throw Failure(.unavailable, "Not now.") }
            return V1.GetOrderResponse(order: Self.order(state))
        }
    }

    @Test func anOrderIsShownWithItsQRCode() async throws {
        let outcome = try await signedIn().run("buy", "starter", "--no-wait", against: [placing()])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines.prefix(9) == [
                "Order              0H2K9QW3ZT4BM",
                "Product            入门套餐",
                "Price              ¥9.90",
                "Credits            10",
                "State              waiting for payment",
                "Made               2026-01-31 06:05:09",
                "Pay before         2026-01-31 06:06:09",
                "WeChat Pay number  TG0001",
                "",
            ])
        let matrix = try #require(QRMatrix(encoding: "weixin://wxpay/bizpayurl?pr=abc"))
        #expect(
            Array(outcome.lines.dropFirst(9).dropLast())
                == QRDrawing.lines(matrix, style: Style(isColoured: false)))
        #expect(
            outcome.lines.last
                == "Scan it with WeChat, or open: weixin://wxpay/bizpayurl?pr=abc")
        #expect(outcome.errors == "Look how it stands: tollgate order 0H2K9QW3ZT4BM\n")
    }

    @Test func aNarrowTerminalGetsTheTextOfTheCode() async throws {
        let outcome = try await signedIn(isTerminal: true, columns: 30)
            .run("buy", "starter", "--no-wait", against: [placing()])
        #expect(!outcome.output.contains("█"))
        #expect(
            outcome.lines.suffix(2) == [
                "Open this with WeChat, or make a QR code of it:",
                "weixin://wxpay/bizpayurl?pr=abc",
            ])
    }

    @Test func waitingEndsWithTheDelivery() async throws {
        let test = try signedIn(isTerminal: true, columns: 80)
        let outcome = try await test.run(
            "buy", "starter",
            against: [placing(), states("awaiting_payment", nil, "paid", "delivered")])
        #expect(outcome.status == 0)
        #expect(outcome.lines.last == "Paid. 10 credits are on your account.")
        #expect(outcome.errors.contains("waiting for payment (1:00 left) … Ctrl-C stops waiting"))
        #expect(outcome.errors.contains("paid, credits are on their way … Ctrl-C stops waiting"))
        #expect(outcome.errors.hasSuffix("\r\u{1B}[2K"))
        // The pauses grow, and start small again when something happens.
        #expect(test.clock.sleeps == [500, 750, 1_000, 125, 500])
    }

    @Test func inJSONEachChangeIsALine() async throws {
        let outcome = try await signedIn().run(
            "buy", "starter", "--json",
            against: [placing(), states("awaiting_payment", "delivered")])
        #expect(outcome.status == 0)
        #expect(outcome.lines.count == 2)
        let first = [
            #"{"order":{"orderId":"0H2K9QW3ZT4BM","productName":"入门套餐","totalFen":990,"#,
            #""microCredits":10000000,"state":"awaiting_payment","#,
            #""codeUrl":"weixin://wxpay/bizpayurl?pr=abc","outTradeNumber":"TG0001","#,
            #""createdAtMilliseconds":1769839509000,"expiresAtMilliseconds":1769839569000,"#,
            #""paidAtMilliseconds":0}}"#,
        ].joined()
        #expect(outcome.lines.first == first)
        #expect(outcome.lines.last?.contains(#""state":"delivered""#) == true)
        #expect(outcome.errors.isEmpty)
    }

    @Test func aClosedOrderIsAFailure() async throws {
        let outcome = try await signedIn().run(
            "buy", "starter", against: [placing(), states("closing", "closed")])
        #expect(outcome.status == 1)
        #expect(
            outcome.errors
                == "error: The order was closed; nothing was charged.\n"
                + "Order anew: tollgate products, tollgate buy PRODUCT\n")
    }

    @Test func anOrderThatNobodyClosesIsNotWaitedForForever() async throws {
        let test = try signedIn()
        let outcome = try await test.run(
            "buy", "starter", against: [placing(), states("awaiting_payment")])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("The order is still waiting for payment."))
        // One minute to pay, two for the job that closes it, and the last pause.
        #expect((180_000...185_000).contains(test.clock.now - CommandTest.began))
    }

    @Test func aServerThatStaysAwayEndsTheWaiting() async throws {
        let test = try signedIn()
        let outcome = try await test.run("buy", "starter", against: [placing(), states(nil)])
        #expect(outcome.status == 9)
    }

    @Test func controlCStopsTheWaitingNotTheOrder() async throws {
        let test = try signedIn()
        let polls = MethodRegistration.unary(Methods.OrdersService.getOrder) {
            (_: V1.GetOrderRequest, _) in
            test.interrupts.deliver()
            return V1.GetOrderResponse(order: Self.order("awaiting_payment"))
        }
        let outcome = try await test.run("buy", "starter", against: [placing(), polls])
        #expect(outcome.status == 130)
    }

    @Test func theKeyIsFreshUnlessGiven() async throws {
        let keys = Keys()
        let test = try signedIn()
        _ = try await test.run("buy", "starter", "--no-wait", against: [placing(keys)])
        _ = try await test.run("buy", "starter", "--no-wait", against: [placing(keys)])
        _ = try await test.run(
            "buy", "starter", "--no-wait", "--idempotency-key", "mine", against: [placing(keys)])
        #expect(keys.all == ["key-1", "key-2", "mine"])
    }

    @Test(arguments: ["", "with blank", "名", String(repeating: "k", count: 65)])
    func aKeyThatTheContractRefusesIsRefusedHere(key: String) async throws {
        let outcome = try await signedIn().run(
            "buy", "starter", "--idempotency-key", key, against: [])
        #expect(outcome.status == 2)
    }

    @Test func anUnclearOutcomeSaysHowToRepeat() async throws {
        let method = MethodRegistration.unary(Methods.OrdersService.placeOrder) {
            (_: V1.PlaceOrderRequest, _) -> V1.PlaceOrderResponse in
            throw Failure(.unknownOutcome, "It is not known whether the order was placed.")
        }
        let outcome = try await signedIn().run("buy", "starter", against: [method])
        #expect(outcome.status == 1)
        #expect(
            outcome.errors.hasSuffix(
                "Repeating is safe: tollgate buy starter --idempotency-key key-1\n"))
    }

    @Test(
        arguments: [
            (Failure.Code.notFound, 10), (.mismatch, 6), (.accountFrozen, 5), (.rateLimited, 7),
            (.upstreamFailed, 8),
        ] as [(Failure.Code, Int32)])
    func refusalsHaveTheirExitCodes(code: Failure.Code, status: Int32) async throws {
        let method = MethodRegistration.unary(Methods.OrdersService.placeOrder) {
            (_: V1.PlaceOrderRequest, _) -> V1.PlaceOrderResponse in throw Failure(code, "No.")
        }
        let outcome = try await signedIn().run("buy", "starter", "--json", against: [method])
        #expect(outcome.status == status)
        #expect(outcome.errors.hasPrefix(#"{"error":{"code":"\#(code.rawValue)""#))
    }

    @Test func oneOrderIsShownAndWaitedFor() async throws {
        let shown = try await signedIn().run(
            "order", "0H2K9QW3ZT4BM", against: [states("delivered")])
        #expect(shown.lines.contains("Paid               2026-01-31 06:05:14"))
        #expect(shown.lines.contains("State              delivered, the credits are yours"))
        let waited = try await signedIn().run(
            "order", "0H2K9QW3ZT4BM", "--wait", "--json",
            against: [states("awaiting_payment", "paid", "paid", "delivered")])
        #expect(waited.status == 0)
        #expect(waited.lines.count == 3)
    }

    @Test func aForeignOrderIsNotFound() async throws {
        let method = MethodRegistration.unary(Methods.OrdersService.getOrder) {
            (_: V1.GetOrderRequest, _) -> V1.GetOrderResponse in
            throw Failure(.notFound, "There is no such order.")
        }
        let outcome = try await signedIn().run("order", "X", against: [method])
        #expect(outcome.status == 10)
        #expect(outcome.errors == "error: There is no such order.\n")
    }

    @Test(arguments: [
        ("closed", "Order 0H2K9QW3ZT4BM is cancelled; nothing was charged.", ""),
        (
            "closing",
            "Order 0H2K9QW3ZT4BM is being closed; WeChat Pay has not confirmed it yet.",
            "Look how it stands: tollgate order 0H2K9QW3ZT4BM\n"
        ),
    ])
    func aCancelledOrderSaysHowFarItCame(state: String, line: String, note: String) async throws {
        let method = MethodRegistration.unary(Methods.OrdersService.cancelOrder) {
            (request: V1.CancelOrderRequest, context) in
            #expect(context.authorization == "Bearer session-of-ann")
            #expect(request == V1.CancelOrderRequest(orderId: "0H2K9QW3ZT4BM"))
            return V1.CancelOrderResponse(order: Self.order(state))
        }
        let outcome = try await signedIn().run(
            "orders", "cancel", "0H2K9QW3ZT4BM", against: [method])
        #expect(outcome.status == 0)
        #expect(outcome.lines == [line])
        #expect(outcome.errors == note)
        let json = try await signedIn().run(
            "orders", "cancel", "0H2K9QW3ZT4BM", "--json", against: [method])
        #expect(json.output.contains(#""state":"\#(state)""#))
    }

    @Test func aPaidOrderIsNotCancelled() async throws {
        let method = MethodRegistration.unary(Methods.OrdersService.cancelOrder) {
            (_: V1.CancelOrderRequest, _) -> V1.CancelOrderResponse in
            throw Failure(.conflict, "It is paid.")
        }
        let outcome = try await signedIn().run("orders", "cancel", "X", against: [method])
        #expect(outcome.status == 6)
        #expect(outcome.errors.hasPrefix("error: It is paid.\n"))
    }

    @Test func ordersAreListedAlignedWithThePageAfter() async throws {
        let method = MethodRegistration.unary(Methods.OrdersService.listOrders) {
            (request: V1.ListOrdersRequest, _) in
            #expect(request == V1.ListOrdersRequest(limit: 2, beforeOrderId: "Z"))
            return V1.ListOrdersResponse(
                orders: [Self.order("delivered"), Self.order("closed")], nextBeforeOrderId: "Y")
        }
        let outcome = try await signedIn().run(
            "orders", "--limit", "2", "--before", "Z", against: [method])
        let facts = "0H2K9QW3ZT4BM  2026-01-31 06:05:09  入门套餐  ¥9.90       10  "
        let lines = [
            "ORDER          MADE (UTC)           PRODUCT   PRICE  CREDITS  STATE",
            facts + "delivered, the credits are yours",
            facts + "closed, nothing was charged",
        ]
        #expect(outcome.lines == lines)
        #expect(outcome.errors == "More: tollgate orders --before Y\n")
    }
}

/// Idempotency keys that handlers saw.
final class Keys: Sendable {
    private let list = Mutex<[String]>([])

    func add(_ key: String) { list.withLock { $0.append(key) } }

    var all: [String] { list.withLock { $0 } }
}
