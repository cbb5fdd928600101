import Accounts
import Application
import Auth
import Operations
import Orders
import Storage
import TestSupport
import Testing
import TollgateKernel

/// Orders, pays and books against a real store.
struct Buying {
    let bench: TestBench
    let payments = ScriptedPayments()
    let account: AccountID
    let place: PlaceOrder
    let book: BookPayment
    let follow: FollowUpOrders

    init(_ bench: TestBench) async throws {
        self.bench = bench
        account = try await bench.signIn().session.account
        place = PlaceOrder(bench.ports, payments: payments)
        book = BookPayment(bench.ports)
        follow = FollowUpOrders(bench.ports, payments: payments)
    }

    func order(_ key: String = "k") async throws -> Order {
        try await place.place(
            product: ProductKey(rawValue: "starter"), for: account,
            idempotencyKey: IdempotencyKey(rawValue: key))
    }

    func notification(of trade: RemoteTrade, id: String = "EV-1") -> VerifiedPaymentNotification {
        VerifiedPaymentNotification(
            notificationID: id, eventType: "TRANSACTION.SUCCESS", trade: trade)
    }

    func paid(_ order: Order) throws -> RemoteTrade {
        try #require(payments.pay(order.outTradeNumber))
    }

    func state(of order: Order) async throws -> OrderState? {
        try await bench.store.read { tx in try tx.orders.order(order.id) }?.state
    }

    func bought() async throws -> Credits {
        let quota = try await AccountQueries(bench.ports).quota(of: account)
        return quota.lots.filter { $0.origin == .order }
            .reduce(.zero) { $0 + Credits(micro: $1.granted) }
    }

    /// The fen that came in, by the account they stand on; none that is empty.
    func booked() async throws -> [String: Int64] {
        let balances = try await bench.store.read { tx in
            try tx.ledger.systemBalances(in: .fen)
        }
        return Dictionary(
            uniqueKeysWithValues: balances.filter { $0.key != .wechatClearing && $0.value != 0 }
                .map { ($0.key.rawValue, $0.value) })
    }

    func incidents() async throws -> [String] {
        try await OperatorQueries(bench.ports).incidents(limit: 100).map(\.kind.rawValue).sorted()
    }

    static func with(_ body: (Buying) async throws -> Void) async throws {
        try await TestBench.with { bench in
            try await bench.offer()
            try await body(Buying(bench))
            #expect(try await bench.violations() == [])
        }
    }
}

@Suite struct PlaceOrderTests {
    @Test func `An order gets its code, and its key finds it again without another order`()
        async throws
    {
        try await Buying.with { buying in
            let first = try await buying.order()
            #expect(first.state == .awaitingPayment)
            #expect(first.codeURL == "weixin://pay/\(first.outTradeNumber)")
            let second = try await buying.order()
            #expect(second.id == first.id)
            #expect(buying.payments.calls.count == 1)
            let mismatch = await #expect(throws: Failure.self) {
                try await buying.place.place(
                    product: ProductKey(rawValue: "other"), for: buying.account,
                    idempotencyKey: IdempotencyKey(rawValue: "k"))
            }
            #expect(mismatch?.code == .mismatch)
        }
    }

    @Test func `A frozen account orders nothing, and what it was to pay is delivered`() async throws
    {
        try await Buying.with { buying in
            let order = try await buying.order("before")
            buying.payments.failNext(.unknownOutcome)
            await #expect(throws: Failure.self) { try await buying.order("unanswered") }
            let by = ActedBy(
                credential: "admin", person: "olga", reason: "A test", correlationID: 1)
            _ = try await Administration(buying.bench.ports)
                .setStatus(of: buying.account, to: .frozen, by: by)
            let calls = buying.payments.calls
            // No code is made any more, neither for a new order nor for one that has none yet.
            for key in ["after", "unanswered"] {
                let refusal = await #expect(throws: Failure.self) { try await buying.order(key) }
                #expect(refusal?.code == .accountFrozen)
            }
            #expect(buying.payments.calls == calls)
            #expect(try await buying.order("before").codeURL == order.codeURL)
            let trade = try buying.paid(order)
            _ = try await buying.book.book(buying.notification(of: trade))
            #expect(try await buying.state(of: order) == .delivered)
            #expect(try await buying.bought() == order.credits)
        }
    }

    @Test func `After an unknown outcome the repetition uses the same number`() async throws {
        try await Buying.with { buying in
            buying.payments.failNext(.unknownOutcome)
            let failure = await #expect(throws: Failure.self) { try await buying.order() }
            #expect(failure?.code == .unknownOutcome)
            let order = try await buying.order()
            #expect(order.state == .awaitingPayment)
            #expect(Set(buying.payments.calls) == ["create \(order.outTradeNumber)"])
        }
    }

    @Test func `Parallel clicks with one key make one order`() async throws {
        try await Buying.with { buying in
            let ids = await withTaskGroup(of: OrderID?.self) { group in
                for _ in 0..<10 { group.addTask { try? await buying.order().id } }
                return await group.reduce(into: Set<OrderID?>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
        }
    }

    @Test func `A price change after the order does not reach it`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            try await buying.bench.store.write { tx in
                var product = try #require(
                    try tx.orders.product(ProductKey(rawValue: "starter")))
                product.price = Money(fen: 1)
                product.credits = Credits(whole: 1_000)
                try tx.orders.save(product)
            }
            let trade = try buying.paid(order)
            #expect(
                try await buying.book.book(buying.notification(of: trade)) == .delivered(order.id))
            #expect(try await buying.bought() == Credits(whole: 10))
        }
    }
}

@Suite struct BookPaymentTests {
    @Test(arguments: [1, 2, 5])
    func `A notification told several times, also at once, credits once`(count: Int) async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            let notification = buying.notification(of: try buying.paid(order))
            let verdicts = try await withThrowingTaskGroup(of: BookingVerdict.self) { group in
                for _ in 0..<count {
                    group.addTask { try await buying.book.book(notification) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(verdicts.filter { $0 == .delivered(order.id) }.count == 1)
            #expect(verdicts.filter { $0 == .alreadyBooked(order.id) }.count == count - 1)
            #expect(try await buying.bought() == Credits(whole: 10))
            #expect(try await buying.state(of: order) == .delivered)
            let events = try await buying.bench.store.read { tx in
                try tx.orders.events(of: order.id)
            }
            #expect(
                events.map(\.cause) == [.accepted, .paymentBooked, .delivered])
        }
    }

    @Test func `The notification may come before our own call has its answer`() async throws {
        try await Buying.with { buying in
            buying.payments.failNext(.unknownOutcome)
            _ = try? await buying.order()
            let created = try await buying.bench.store.read { tx in
                try tx.orders.orders(of: buying.account, before: nil, limit: 1).first
            }
            let order = try #require(created)
            #expect(order.state == .created)
            let trade = try buying.paid(order)
            #expect(
                try await buying.book.book(buying.notification(of: trade)) == .delivered(order.id))
            #expect(try await buying.order().state == .delivered)
        }
    }

    @Test(arguments: ["amount", "currency", "missing"])
    func `A wrong amount under a right signature is an incident and credits nothing`(
        what: String
    ) async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            var trade = try buying.paid(order)
            switch what {
            case "amount": trade.total = Money(fen: 1)
            case "currency": trade.currency = "USD"
            default: trade.total = nil
            }
            let verdict = try await buying.book.book(buying.notification(of: trade))
            #expect(verdict == .incident("payment_mismatch"))
            #expect(try await buying.bought() == .zero)
            #expect(try await buying.state(of: order) == .awaitingPayment)
            #expect(try await buying.incidents() == ["amount_mismatch"])
            // Money in our unit came in: the books have it, once, however often it is told.
            let again = try await buying.book.book(buying.notification(of: trade, id: "EV-2"))
            #expect(again == .incident("payment_mismatch"))
            #expect(try await buying.incidents() == ["amount_mismatch"])
            #expect(try await buying.booked() == (what == "amount" ? ["refunds": 1] : [:]))
        }
    }

    @Test func `Money that went back before it was booked buys nothing`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            var trade = try buying.paid(order)
            trade.state = .refunded
            let verdict = try await buying.book.book(queried: trade)
            #expect(verdict == .incident("payment_mismatch"))
            #expect(try await buying.bought() == .zero)
            #expect(try await buying.booked() == [:])
        }
    }

    @Test func `Once the right amount comes, an order with a wrong payment is delivered`()
        async throws
    {
        try await Buying.with { buying in
            let order = try await buying.order()
            let right = try buying.paid(order)
            var wrong = right
            wrong.total = Money(fen: 99)
            wrong.transactionID = "wrong"
            _ = try await buying.book.book(buying.notification(of: wrong))
            let verdict = try await buying.book.book(buying.notification(of: right, id: "EV-2"))
            #expect(verdict == .delivered(order.id))
            #expect(try await buying.booked() == ["refunds": 99, "sales": 100])
            #expect(try await buying.bought() == Credits(whole: 10))
        }
    }

    @Test func `An unknown order is an incident and is asked to be told again`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            var trade = try buying.paid(order)
            trade.outTradeNumber = "TG0000000000000"
            for _ in 0..<2 {
                let verdict = try await buying.book.book(buying.notification(of: trade))
                #expect(verdict == .unknownOrder)
            }
            #expect(try await buying.incidents() == ["unknown_order"])
            #expect(try await buying.booked() == ["refunds": 100])
            // The order comes to light after all, as when a newer backup is found.
            trade.outTradeNumber = order.outTradeNumber
            let verdict = try await buying.book.book(buying.notification(of: trade, id: "EV-2"))
            #expect(verdict == .delivered(order.id))
            #expect(try await buying.booked() == ["sales": 100])
        }
    }

    @Test(arguments: [1, 100, 250])
    func `A payment told with two amounts buys nothing and moves no price`(
        firstFen: Int64
    ) async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            let trade = try buying.paid(order)
            var early = trade
            early.outTradeNumber = "TG0000000000000"
            early.total = Money(fen: firstFen)
            _ = try await buying.book.book(buying.notification(of: early))
            #expect(try await buying.booked() == ["refunds": firstFen])
            let isPrice = firstFen == order.total.fen
            for number in 2...3 {
                let verdict = try await buying.book.book(
                    buying.notification(of: trade, id: "EV-\(number)"))
                let expected: BookingVerdict =
                    !isPrice
                    ? .incident("payment_mismatch")
                    : number == 2 ? .delivered(order.id) : .alreadyBooked(order.id)
                #expect(verdict == expected)
            }
            // What was told first stays where it is owed back.
            #expect(try await buying.booked() == [isPrice ? "sales" : "refunds": firstFen])
            #expect(try await buying.bought() == (isPrice ? Credits(whole: 10) : .zero))
            let incidents = isPrice ? ["unknown_order"] : ["amount_mismatch", "unknown_order"]
            #expect(try await buying.incidents() == incidents)
        }
    }

    @Test func `A payment with a wrong amount is in the books as it was told first`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            var trade = try buying.paid(order)
            trade.total = Money(fen: 40)
            trade.outTradeNumber = "TG0000000000000"
            _ = try await buying.book.book(buying.notification(of: trade))
            trade.total = Money(fen: 60)
            trade.outTradeNumber = order.outTradeNumber
            let verdict = try await buying.book.book(buying.notification(of: trade, id: "EV-2"))
            #expect(verdict == .incident("payment_mismatch"))
            #expect(try await buying.booked() == ["refunds": 40])
        }
    }

    @Test func `A second payment of one order is in the books but buys nothing`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            var trade = try buying.paid(order)
            _ = try await buying.book.book(buying.notification(of: trade))
            trade.transactionID = "another"
            let verdict = try await buying.book.book(buying.notification(of: trade, id: "EV-2"))
            #expect(verdict == .incident("duplicate_payment"))
            #expect(try await buying.booked() == ["refunds": 100, "sales": 100])
            let told = try await buying.book.book(buying.notification(of: trade, id: "EV-3"))
            #expect(told == .alreadyBooked(order.id))
            #expect(try await buying.bought() == Credits(whole: 10))
        }
    }

    @Test func `The payment permits the product's models and leaves a message`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            _ = try await buying.book.book(buying.notification(of: try buying.paid(order)))
            let pro = ModelName(rawValue: "pro")
            #expect(
                try await AccountQueries(buying.bench.ports).permitted([pro], for: buying.account)
                    == [pro])
            let now = buying.bench.clock.now()
            let messages = try await buying.bench.store.read { tx in
                try tx.outbox.dueMessages(at: now, limit: 10)
            }
            #expect(messages.map(\.account) == [buying.account])
        }
    }
}

@Suite struct FollowUpOrdersTests {
    @Test func `A payment nobody told us of is found by asking`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            _ = try buying.paid(order)
            #expect(try await buying.follow.ordersToQuery(limit: 10).isEmpty)
            buying.bench.clock.advance(milliseconds: 60_000)
            let due = try await buying.follow.ordersToQuery(limit: 10)
            #expect(due.map(\.id) == [order.id])
            #expect(try await buying.follow.reconcile(due[0], fence: nil) == .paid)
            #expect(try await buying.state(of: order) == .delivered)
            #expect(try await buying.follow.ordersToQuery(limit: 10).isEmpty)
        }
    }

    @Test func `An unpaid order is asked about with growing pauses`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            buying.bench.clock.advance(milliseconds: 60_000)
            #expect(try await buying.follow.reconcile(order, fence: nil) == .waiting)
            #expect(try await buying.follow.ordersToQuery(limit: 10).isEmpty)
            buying.payments.failNext(.unknownOutcome)
            buying.bench.clock.advance(milliseconds: 600_000)
            let due = try #require(try await buying.follow.ordersToQuery(limit: 10).first)
            #expect(try await buying.follow.reconcile(due, fence: nil) == .unanswered)
        }
    }

    @Test func `Silence does not make the pauses grow, and every other answer does`() async throws {
        try await Buying.with { buying in
            let placed = try await buying.order()
            buying.bench.clock.advance(milliseconds: 60_000)
            func order() async throws -> Order {
                let order = try await buying.bench.store.read { tx in
                    try tx.orders.order(placed.id)
                }
                return try #require(order)
            }
            for _ in 0..<5 {
                buying.payments.failNext(.unknownOutcome)
                let outcome = try await buying.follow.reconcile(order(), fence: nil)
                #expect(outcome == .unanswered)
                let next = try await order().nextQueryAt
                #expect(next == buying.bench.clock.now().adding(milliseconds: 30_000))
                buying.bench.clock.advance(milliseconds: 30_000)
            }
            // A question by hand before its time does not put the next one off.
            buying.bench.clock.advance(milliseconds: -10_000)
            let planned = try await order().nextQueryAt
            buying.payments.failNext(.unknownOutcome)
            _ = try await buying.follow.reconcile(order(), fence: nil)
            #expect(try await order().nextQueryAt == planned)
            // Who says that we ask too often is left alone for longer each time.
            buying.payments.failNext(.rateLimited)
            let outcome = try await buying.follow.reconcile(order(), fence: nil)
            #expect(outcome == .deferred)
            #expect(
                try await order().nextQueryAt
                    == buying.bench.clock.now().adding(milliseconds: 120_000))
        }
    }

    @Test func `An order whose time is out is closed at WeChat first, here last`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            buying.bench.clock.advance(milliseconds: 30 * 60_000)
            let due = try await buying.follow.ordersToClose(limit: 10)
            #expect(due.map(\.id) == [order.id])
            #expect(try await buying.follow.close(due[0], fence: nil) == .closed)
            #expect(try await buying.state(of: order) == .closed)
            #expect(buying.payments.trade(order.outTradeNumber)?.state == .closed)
            #expect(try await buying.follow.ordersToClose(limit: 10).isEmpty)
        }
    }

    @Test func `A payment in the gap between query and close is booked, not lost`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            buying.bench.clock.advance(milliseconds: 30 * 60_000)
            buying.payments.beforeClose { [payments = buying.payments] in
                payments.pay(order.outTradeNumber)
            }
            #expect(try await buying.follow.close(order, fence: nil) == .paid)
            #expect(try await buying.state(of: order) == .delivered)
        }
    }

    @Test func `An unanswered close is taken up again where it stopped`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            buying.bench.clock.advance(milliseconds: 30 * 60_000)
            buying.payments.failNext(.unknownOutcome)
            #expect(try await buying.follow.close(order, fence: nil) == .unanswered)
            #expect(try await buying.state(of: order) == .closing)
            buying.bench.clock.advance(milliseconds: 600_000)
            let due = try #require(try await buying.follow.ordersToClose(limit: 10).first)
            #expect(try await buying.follow.close(due, fence: nil) == .closed)
        }
    }

    @Test func `Money for a closed order is delivered and told as an incident`() async throws {
        try await Buying.with { buying in
            let order = try await buying.order()
            var trade = try #require(buying.payments.trade(order.outTradeNumber))
            buying.bench.clock.advance(milliseconds: 30 * 60_000)
            #expect(try await buying.follow.close(order, fence: nil) == .closed)
            trade.state = .success
            trade.transactionID = "late"
            let verdict = try await buying.book.book(buying.notification(of: trade))
            #expect(verdict == .delivered(order.id))
            #expect(try await buying.incidents() == ["paid_after_close"])
            #expect(try await buying.bought() == Credits(whole: 10))
        }
    }

    @Test func `A run whose lease was taken over changes nothing but books what was paid`()
        async throws
    {
        try await Buying.with { buying in
            let order = try await buying.order()
            let fence = JobFence(job: "payment-reconcile", fencingToken: 7)
            await #expect(throws: StoreError.self) {
                try await buying.follow.reconcile(order, fence: fence)
            }
            _ = try buying.paid(order)
            #expect(try await buying.follow.reconcile(order, fence: fence) == .paid)
        }
    }
}
