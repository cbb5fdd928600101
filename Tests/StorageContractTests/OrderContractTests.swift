import Accounts
import Application
import Orders
import Testing
import TollgateKernel

@testable import Storage

@Suite struct OrderContractTests {
    private let owner = AccountID(rawValue: 1)

    private func product(
        _ key: String, position: Int64 = 1, isEnabled: Bool = true, lifetimeDays: Int64? = nil
    ) -> Product {
        Product(
            key: ProductKey(rawValue: key), name: "name", summary: "summary",
            price: Money(fen: 100), credits: Credits(whole: 1), lifetimeDays: lifetimeDays,
            models: [], isEnabled: isEnabled, position: position)
    }

    @Test(arguments: Engine.all) func productsComeInTheOperatorsOrder(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            let products = [
                product("b", position: 2, lifetimeDays: 30), product("a", position: 2),
                product("c"), product("off", position: 0, isEnabled: false),
            ]
            for product in products { try tx.orders.save(product) }
            #expect(try tx.orders.enabledProducts() == [products[2], products[1], products[0]])
            #expect(
                try tx.orders.products(limit: 9)
                    == [products[3], products[2], products[1], products[0]])
            #expect(try tx.orders.products(limit: 2) == [products[3], products[2]])
            #expect(try tx.orders.product(products[3].key) == products[3])
            #expect(try tx.orders.product(ProductKey(rawValue: "none")) == nil)
            var changed = products[0]
            changed.price = Money(fen: 1)
            changed.models = [ModelName(rawValue: "m")]
            try tx.orders.save(changed)
            #expect(try tx.orders.product(changed.key) == changed)
            changed.price = .zero
            let free = changed
            #expect(try refused { try tx.orders.save(free) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func anOrderIsFoundByEachOfItsNames(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { [owner] tx throws in
            let stored = order(1)
            try tx.orders.insert(stored)
            #expect(try tx.orders.order(stored.id) == stored)
            #expect(try tx.orders.order(outTradeNumber: "trade-1") == stored)
            #expect(
                try tx.orders.order(of: owner, idempotencyKey: stored.idempotencyKey) == stored)
            #expect(try tx.orders.order(OrderID(rawValue: 2)) == nil)
            #expect(try tx.orders.order(outTradeNumber: "TRADE-1") == nil)
            #expect(
                try tx.orders.order(
                    of: AccountID(rawValue: 2), idempotencyKey: stored.idempotencyKey) == nil)
        }
    }

    @Test(arguments: Engine.all) func anOrdersNamesAreUnique(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.accounts.insert(account(2), openID: "openid-2")
            try tx.orders.insert(order(1, key: "same"))
            #expect(
                try refused { try tx.orders.insert(order(2, key: "same")) } == .constraint)
            try tx.orders.insert(order(3, of: 2, key: "same"))
            var twin = order(4)
            twin.outTradeNumber = "trade-1"
            let sameNumber = twin
            #expect(try refused { try tx.orders.insert(sameNumber) } == .constraint)
            #expect(try refused { try tx.orders.insert(order(1)) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func anAccountsOrdersArePages(_ engine: Engine) async throws {
        try await inTransaction(engine) { [owner] tx throws in
            try tx.accounts.insert(account(2), openID: "openid-2")
            for number in 1...4 as ClosedRange<Int64> { try tx.orders.insert(order(number)) }
            try tx.orders.insert(order(5, of: 2))
            func page(_ before: Int64?, _ limit: Int) throws -> [Int64] {
                try tx.orders.orders(
                    of: owner, before: before.map(OrderID.init(rawValue:)), limit: limit
                ).map(\.id.rawValue)
            }
            #expect(try page(nil, 2) == [4, 3])
            #expect(try page(3, 10) == [2, 1])
            #expect(try page(1, 10) == [])
        }
    }

    @Test(arguments: Engine.all) func anOrderIsSavedOverTheStateThatWasRead(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let created = order(1)
            try tx.orders.insert(created)
            var paid = created
            paid.state = .paid
            paid.codeURL = "weixin://pay"
            paid.paidAt = .after(5)
            paid.transactionID = "4200"
            paid.queryCount = 3
            paid.nextQueryAt = .after(9)
            paid.refusedAt = .after(7)
            paid.openAskings = 2
            try tx.orders.save(paid, replacing: created)
            #expect(try tx.orders.order(created.id) == paid)
            var closing = created
            closing.state = .closing
            let late = closing
            #expect(try refused { try tx.orders.save(late, replacing: created) } == .conflict)
            var asked = paid
            asked.queryCount = 2
            let stale = asked
            #expect(try refused { try tx.orders.save(paid, replacing: stale) } == .conflict)
            #expect(
                try refused { try tx.orders.save(order(9), replacing: order(9)) } == .conflict)
            #expect(try tx.orders.order(created.id) == paid)
        }
    }

    /// As every row was before calls were counted.
    @Test(arguments: Engine.all) func anOrderWhoseCallsNobodyCountedMayHaveBeenTaken(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.orders.insert(order(1))
            let before = """
                account, product, product_name, total_fen, credits, lifetime_days, models, state,
                code_url, created_at, expires_at, paid_at, transaction_id, query_count,
                next_query_at, refused_at
                """
            try connection(tx).execute(
                """
                INSERT INTO orders (id, out_trade_number, idempotency_key, \(before))
                SELECT 2, 'TG2', 'before', \(before) FROM orders
                """)
            let made = try #require(try tx.orders.order(OrderID(rawValue: 2)))
            #expect(made.openAskings == 1)
            #expect(made.asking().refusing(at: start).refusedAt == nil)
        }
    }

    @Test(arguments: Engine.all) func aTransactionBelongsToOneOrder(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for number in 1...2 as ClosedRange<Int64> {
                try tx.orders.insert(order(number))
                var paid = order(number)
                paid.state = .paid
                paid.transactionID = "4200"
                let new = paid
                let refusal = try refused {
                    try tx.orders.save(new, replacing: order(number))
                }
                #expect(refusal == (number == 1 ? nil : .constraint))
            }
        }
    }

    @Test(arguments: Engine.all) func ordersMoveAlongTheTablesEdgesOnly(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let allowed = Set(OrderEdge.all.map { [$0.from, $0.to] })
            var number: Int64 = 0
            for from in OrderState.allCases {
                for to in OrderState.allCases where to != from {
                    number += 1
                    let old = order(number, state: from)
                    try tx.orders.insert(old)
                    var moved = old
                    moved.state = to
                    let new = moved
                    let refusal = try refused { try tx.orders.save(new, replacing: old) }
                    #expect(
                        refusal == (allowed.contains([from, to]) ? nil : .constraint),
                        "\(from) to \(to)")
                    let event = OrderEvent(
                        order: old.id, from: from, to: to, cause: .accepted, evidence: "",
                        at: start)
                    #expect(
                        try refused { try tx.orders.insert(event) } == refusal,
                        "\(from) to \(to)")
                }
            }
        }
    }

    @Test(arguments: Engine.all) func whatWasBoughtNeverChanges(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.orders.insert(order(1))
            let direct = try connection(tx)
            for attempt in [
                "UPDATE orders SET total_fen = 1", "UPDATE orders SET credits = 1",
                "UPDATE orders SET out_trade_number = 'x'", "DELETE FROM orders",
                "UPDATE orders SET state = 'delivered'",
            ] {
                #expect(try refused { try direct.execute(attempt) } == .constraint)
            }
            #expect(try tx.orders.order(OrderID(rawValue: 1)) == order(1))
        }
    }

    @Test(arguments: Engine.all) func ordersToQueryAreDueAndInTime(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let orders = [
                order(1, nextQueryAt: .after(30)),
                order(2, state: .awaitingPayment, nextQueryAt: .after(20)),
                order(3, nextQueryAt: .after(31)), order(4, state: .paid, nextQueryAt: .after(1)),
                order(5, state: .closing, nextQueryAt: .after(1)),
                order(6, expiresAt: .after(30), nextQueryAt: .after(1)),
            ]
            for order in orders { try tx.orders.insert(order) }
            let due = try tx.orders.ordersToQuery(at: .after(30), limit: 10)
            #expect(due == [orders[1], orders[0]])
            #expect(try tx.orders.ordersToQuery(at: .after(30), limit: 1) == [orders[1]])
        }
    }

    @Test(arguments: Engine.all) func ordersToCloseAreOutOfTimeOrHalfClosed(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let orders = [
                order(1, expiresAt: .after(30)),
                order(2, state: .awaitingPayment, expiresAt: .after(20)),
                order(3, expiresAt: .after(31)), order(4, state: .paid, expiresAt: .after(1)),
                order(5, state: .closing, expiresAt: .after(10), nextQueryAt: .after(30)),
                order(6, state: .closing, expiresAt: .after(5), nextQueryAt: .after(31)),
                order(7, state: .closed, expiresAt: .after(1)),
            ]
            for order in orders { try tx.orders.insert(order) }
            let due = try tx.orders.ordersToClose(at: .after(30), limit: 10)
            #expect(due == [orders[4], orders[1], orders[0]])
            #expect(try tx.orders.ordersToClose(at: .after(30), limit: 1) == [orders[4]])
        }
    }

    @Test(arguments: Engine.all) func eventsAreKeptInOrderForEver(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for number in 1...2 as ClosedRange<Int64> { try tx.orders.insert(order(number)) }
            let id = OrderID(rawValue: 1)
            let events = [
                OrderEvent(
                    order: id, from: .created, to: .awaitingPayment, cause: .accepted,
                    evidence: "", at: .after(5)),
                OrderEvent(
                    order: id, from: .awaitingPayment, to: .paid, cause: .paymentBooked,
                    evidence: "EV-1", at: .after(4)),
            ]
            for event in events { try tx.orders.insert(event) }
            #expect(try tx.orders.events(of: id) == events)
            #expect(try tx.orders.events(of: OrderID(rawValue: 2)) == [])
            let direct = try connection(tx)
            for attempt in ["UPDATE order_events SET evidence = ''", "DELETE FROM order_events"] {
                #expect(try refused { try direct.execute(attempt) } == .constraint)
            }
        }
    }

    @Test(arguments: Engine.all) func aNotificationIsNewOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.orders.insertNotification(id: "EV", outTradeNumber: "t", at: start))
            #expect(try !tx.orders.insertNotification(id: "EV", outTradeNumber: "u", at: start))
            #expect(try tx.orders.insertNotification(id: "ev", outTradeNumber: "t", at: start))
        }
    }

    @Test(arguments: Engine.all) func aPaymentIsBookedOnceAndNeverChanges(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            try tx.orders.insert(order(1))
            let payment = PaymentRecord(
                transactionID: "4200", order: OrderID(rawValue: 1), total: Money(fen: 990),
                paidAt: .after(1), bookedAt: .after(2))
            try tx.orders.insert(payment)
            #expect(try tx.orders.payment(transactionID: "4200") == payment)
            #expect(try tx.orders.payment(transactionID: "4201") == nil)
            #expect(try refused { try tx.orders.insert(payment) } == .constraint)
            var orphan = payment
            orphan.transactionID = "4201"
            orphan.order = OrderID(rawValue: 9)
            let unknown = orphan
            #expect(try refused { try tx.orders.insert(unknown) } == .constraint)
            let direct = try connection(tx)
            for attempt in ["UPDATE payments SET total_fen = 1", "DELETE FROM payments"] {
                #expect(try refused { try direct.execute(attempt) } == .constraint)
            }
        }
    }
}
