import Accounts
import Application
import Auth
import Orders
import TestSupport
import Testing
import TollgateKernel

/// Orders that their buyers give up.
@Suite struct CancelOrderTests {
    private func cancel(_ order: Order, _ buying: Buying) async throws -> Order {
        try await buying.follow.cancel(order.id, of: buying.account)
    }

    private func causes(_ order: Order, _ buying: Buying) async throws -> [OrderCause] {
        try await buying.bench.store.read { tx in try tx.orders.events(of: order.id) }
            .map(\.cause)
    }

    private func refusal(_ body: () async throws -> Void) async -> Failure.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? Failure)?.code
        }
    }

    @Test func `It is closed at WeChat first, here last, and once`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            #expect(try await cancel(order, buying).state == .closed)
            #expect(buying.payments.trade(order.outTradeNumber)?.state == .closed)
            let number = order.outTradeNumber
            #expect(
                buying.payments.calls == [
                    "create \(number)", "query \(number)", "close \(number)", "query \(number)",
                ])
            #expect(try await cancel(order, buying).state == .closed)
            #expect(buying.payments.calls.count == 4)
            #expect(try await causes(order, buying) == [.accepted, .abandoned, .confirmedClosed])
            // The wish to buy stays what it was: its key finds the closed order.
            #expect(try await buying.order().state == .closed)
        }
    }

    @Test func `Nobody cancels what is not theirs, and what is not there`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            let other = try await buying.bench.signIn(openID: "o_bob").session.account
            #expect(
                await refusal { _ = try await buying.follow.cancel(order.id, of: other) }
                    == .notFound)
            #expect(
                await refusal {
                    _ = try await buying.follow.cancel(OrderID(rawValue: 7), of: other)
                } == .notFound)
            #expect(try await buying.state(of: order) == .awaitingPayment)
            #expect(buying.payments.calls.count == 1)
        }
    }

    @Test func `What is paid is not cancelled`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            _ = try await buying.book.book(buying.notification(of: buying.paid(order)))
            #expect(await refusal { _ = try await cancel(order, buying) } == .conflict)
            #expect(try await buying.state(of: order) == .delivered)
            #expect(buying.payments.calls.count == 1)
        }
    }

    @Test(arguments: [true, false])
    func `A payment that nobody told us of is booked in place of closing`(
        beforeTheQuery: Bool
    ) async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            if beforeTheQuery {
                _ = try buying.paid(order)
            } else {
                buying.payments.beforeClose { [payments = buying.payments] in
                    payments.pay(order.outTradeNumber)
                }
            }
            #expect(await refusal { _ = try await cancel(order, buying) } == .conflict)
            #expect(try await buying.state(of: order) == .delivered)
            #expect(try await buying.bought() == Credits(whole: 10))
            #expect(try await buying.incidents() == [])
        }
    }

    @Test func `A payment and a cancellation at one moment: one is true at WeChat and here`()
        async throws
    {
        var outcomes: Set<OrderState> = []
        for round in 0..<24 {
            try await Buying.with { buying in
                let order = try await buying.order()
                // Each round lets the payer in a little later.
                async let told: Void = {
                    for _ in 0..<(round * 4) { await Task.yield() }
                    guard let trade = buying.payments.pay(order.outTradeNumber) else { return }
                    _ = try await buying.book.book(buying.notification(of: trade))
                }()
                let refused = await refusal { _ = try await cancel(order, buying) }
                try await told
                let state = try #require(try await buying.state(of: order))
                let isPaid = buying.payments.trade(order.outTradeNumber)?.isPaid
                #expect(state == (isPaid == true ? .delivered : .closed))
                #expect(refused == (isPaid == true ? .conflict : nil))
                #expect(try await buying.bought() == (isPaid == true ? Credits(whole: 10) : .zero))
                #expect(try await buying.incidents() == [])
                outcomes.insert(state)
            }
        }
        #expect(outcomes.contains(.delivered))
    }

    @Test func `Unanswered it stays closing, asks no more for a while, and the job goes on`()
        async throws
    {
        try await Buying.with { buying in
            let order = try await buying.order()
            buying.payments.failNext(.unknownOutcome)
            #expect(try await cancel(order, buying).state == .closing)
            let calls = buying.payments.calls.count
            #expect(try await cancel(order, buying).state == .closing)
            #expect(buying.payments.calls.count == calls)
            #expect(try await buying.follow.ordersToClose(limit: 9).isEmpty)
            buying.bench.clock.advance(milliseconds: Limits.cancelledOrderPauseMilliseconds)
            let due = try #require(try await buying.follow.ordersToClose(limit: 9).first)
            #expect(due.id == order.id)
            #expect(try await buying.follow.close(due, fence: nil) == .closed)
            #expect(buying.payments.trade(order.outTradeNumber)?.state == .closed)
        }
    }

    @Test func `After the pause the buyer may try again as well`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            buying.payments.failNext(.misconfigured)
            #expect(try await cancel(order, buying).state == .closing)
            #expect(try await buying.incidents() == ["gateway_misconfigured"])
            buying.bench.clock.advance(milliseconds: Limits.cancelledOrderPauseMilliseconds)
            #expect(try await cancel(order, buying).state == .closed)
        }
    }

    @Test func `An order whose making is on its way to WeChat is not taken for unknown there`()
        async throws
    {
        try await Buying.with { buying in
            let arrived = Gate()
            let held = Gate()
            buying.payments.beforeCreate {
                arrived.open()
                try? await held.wait()
            }
            async let placed = buying.order()
            try await arrived.wait()
            let rows = try await buying.bench.store.read { [account = buying.account] tx in
                try tx.orders.orders(of: account, before: nil, limit: 9)
            }
            let order = try #require(rows.first)
            #expect(try await cancel(order, buying).state == .closing)
            held.open()
            // Nobody is given what could be paid.
            #expect(try await placed.codeURL == nil)
            #expect(buying.payments.trade(order.outTradeNumber)?.state == .notPaid)
            buying.bench.clock.advance(milliseconds: Limits.cancelledOrderPauseMilliseconds)
            #expect(try await cancel(order, buying).state == .closed)
            #expect(buying.payments.trade(order.outTradeNumber)?.state == .closed)
        }
    }
}
