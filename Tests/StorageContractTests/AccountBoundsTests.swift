import Accounts
import Application
import Auth
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// What one account may have of what costs others something.
@Suite struct AccountBoundsTests {
    private static let fence = JobFence(job: "retention", fencingToken: 0)

    private func insertJob(_ bench: TestBench) async throws {
        let now = bench.clock.now()
        try await bench.store.write { tx in
            try tx.jobs.insertIfNew(
                JobRecord(
                    name: Self.fence.job, nextDueAt: now, fencingToken: 0, holder: "",
                    heartbeat: 0))
        }
    }

    @Test(arguments: Engine.all) func ofOrdersMadeAtOnceSoManyCanBeUnpaid(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            try await bench.offer()
            let buyer = try await bench.signIn().session.account
            let other = try await bench.signIn(openID: "o_bob").session.account
            let payments = ScriptedPayments()
            let placing = PlaceOrder(bench.ports, payments: payments)
            @Sendable func order(_ key: String, for account: AccountID) async throws -> Order {
                try await self.order(key, for: account, by: placing)
            }
            let endings = await withTaskGroup(of: Ending.self) { group in
                for number in 0..<30 {
                    group.addTask { await Ending { _ = try await order("k\(number)", for: buyer) } }
                }
                return await group.reduce(into: [Ending: Int]()) { $0[$1, default: 0] += 1 }
            }
            let most = Limits.unpaidOrdersOfAccount
            #expect(endings == [.value: most, .failure(.conflict): 30 - most])
            let made = try await store.read { tx in
                try tx.orders.orders(of: buyer, before: nil, limit: 99)
            }
            #expect(made.count == most)
            // Nobody else is kept from buying, nor is an order that is there from being found.
            _ = try await order("k", for: other)
            let known = try #require(made.first)
            #expect(try await order(known.idempotencyKey.rawValue, for: buyer).id == known.id)
            // One paid and one given up are two more.
            let trade = try #require(payments.pay(known.outTradeNumber))
            _ = try await BookPayment(bench.ports).book(queried: trade)
            let follow = FollowUpOrders(bench.ports, payments: payments)
            let last = try #require(made.last)
            #expect(try await follow.cancel(last.id, of: buyer).state == .closed)
            for key in ["more", "most"] { _ = try await order(key, for: buyer) }
            let refused = await #expect(throws: Failure.self) {
                try await order("too many", for: buyer)
            }
            #expect(refused?.message.contains("tollgate orders cancel") == true)
            // Time that is out frees them all, whether or not anybody could close them.
            bench.clock.advance(milliseconds: 86_400_000)
            _ = try await order("the next day", for: buyer)
            #expect(try await bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func ordersMadeAndGivenUpInALoopComeToAnEndForADay(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            try await bench.offer()
            let buyer = try await bench.signIn().session.account
            let other = try await bench.signIn(openID: "o_bob").session.account
            let payments = ScriptedPayments()
            let placing = PlaceOrder(bench.ports, payments: payments)
            let follow = FollowUpOrders(bench.ports, payments: payments)
            @Sendable func order(_ key: String, for account: AccountID) async throws -> Order {
                try await self.order(key, for: account, by: placing)
            }
            // What is paid does not count.
            let paid = try await order("paid", for: buyer)
            let trade = try #require(payments.pay(paid.outTradeNumber))
            _ = try await BookPayment(bench.ports).book(queried: trade)
            let most = Limits.unpaidOrdersOfSpan
            let first = bench.clock.now()
            for number in 0..<most {
                let made = try await order("loop-\(number)", for: buyer)
                #expect(try await follow.cancel(made.id, of: buyer).state == .closed)
                bench.clock.advance(milliseconds: 1_000)
            }
            let refused = await #expect(throws: Failure.self) {
                try await order("too many", for: buyer)
            }
            #expect(refused?.code == .rateLimited)
            let wait =
                first.milliseconds + Limits.unpaidOrdersSpanMilliseconds
                - bench.clock.now().milliseconds
            #expect(refused?.retryAfterMilliseconds == wait)
            let made = try await store.read { tx in
                try tx.orders.orders(of: buyer, before: nil, limit: 99).count
            }
            #expect(made == most + 1)
            // An order that is there is found, and nobody else is kept from buying.
            #expect(try await order("paid", for: buyer).id == paid.id)
            _ = try await order("k", for: other)
            // The hint is right to the millisecond, and lets one through for one that is a day old.
            bench.clock.advance(milliseconds: wait - 1)
            #expect(
                await Ending { _ = try await order("early", for: buyer) } == .failure(.rateLimited))
            bench.clock.advance(milliseconds: 1)
            _ = try await order("late", for: buyer)
            #expect(
                await Ending { _ = try await order("next", for: buyer) } == .failure(.rateLimited))
            #expect(try await bench.violations() == [])
        }
    }

    /// A shop with somebody who orders in it.
    private struct Shop {
        let bench: TestBench
        let buyer: AccountID
        let payments = ScriptedPayments()
        let follow: FollowUpOrders
        private let placing: PlaceOrder

        init(over store: any OpenedStore) async throws {
            bench = try TestBench(over: store)
            try await bench.offer()
            buyer = try await bench.signIn().session.account
            placing = PlaceOrder(bench.ports, payments: payments)
            follow = FollowUpOrders(bench.ports, payments: payments)
        }

        /// Orders the product with a key of the test's own.
        func order(_ key: String) async throws -> Order {
            try await placing.place(
                product: ProductKey(rawValue: "starter"), for: buyer,
                idempotencyKey: IdempotencyKey(rawValue: key))
        }
    }

    /// Orders the product with a key of the test's own.
    private func order(
        _ key: String, for account: AccountID, by placing: PlaceOrder
    ) async throws -> Order {
        try await placing.place(
            product: ProductKey(rawValue: "starter"), for: account,
            idempotencyKey: IdempotencyKey(rawValue: key))
    }

    private func newest(_ store: any OpenedStore, of account: AccountID) async throws -> Order? {
        try await store.read { tx in
            try tx.orders.orders(of: account, before: nil, limit: 1)
        }.first
    }

    @Test(arguments: Engine.all) func ordersThatWeChatNeverTookKeepNobodyFromTrying(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let shop = try await Shop(over: store)
            for number in 0...Limits.unpaidOrdersOfSpan {
                shop.payments.failNext(.rateLimited)
                let ending = await Ending {
                    _ = try await shop.order("busy-\(number)")
                }
                #expect(ending == .failure(.unavailable))
                let found = try await newest(store, of: shop.buyer)
                let made = try #require(found)
                #expect(try await shop.follow.cancel(made.id, of: shop.buyer).state == .closed)
            }
            #expect(
                try await shop.order("taken").state == .awaitingPayment)
            #expect(try await shop.bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func ordersThatWeChatDidNotAnswerCountHoweverTheyEnd(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let shop = try await Shop(over: store)
            for number in 0..<Limits.unpaidOrdersOfSpan {
                shop.payments.failNext(.unknownOutcome)
                let ending = await Ending {
                    _ = try await shop.order("hung-up-\(number)")
                }
                #expect(ending == .failure(.unknownOutcome))
                let found = try await newest(store, of: shop.buyer)
                let made = try #require(found)
                if number.isMultiple(of: 2) {
                    // WeChat hears of it only later: it is closed in a second attempt.
                    shop.payments.failNext(.notFound, .notFound, .notFound)
                    #expect(try await shop.follow.cancel(made.id, of: shop.buyer).state == .closing)
                    shop.bench.clock.advance(milliseconds: Limits.cancelledOrderPauseMilliseconds)
                }
                let closed = try await shop.follow.cancel(made.id, of: shop.buyer)
                #expect(closed.state == .closed)
                #expect(closed.codeURL == nil)
            }
            let ending = await Ending { _ = try await shop.order("next") }
            #expect(ending == .failure(.rateLimited))
            #expect(try await shop.bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func onlyWhatWeChatCertainlyDidNotTakeIsMarkedAsRefused(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            try await bench.offer()
            let payments = ScriptedPayments()
            let placing = PlaceOrder(bench.ports, payments: payments)
            /// Whether the order is marked after each of these answers, in turn.
            func marks(_ answers: [PaymentGatewayFailure.Kind?]) async throws -> [Bool] {
                let name = answers.map { $0?.rawValue ?? "taken" }.joined(separator: "-")
                let buyer = try await bench.signIn(openID: "o_\(name)").session.account
                var marks: [Bool] = []
                for answer in answers {
                    if let answer { payments.failNext(answer) }
                    let ending = await Ending { _ = try await order(name, for: buyer, by: placing) }
                    #expect((ending == .value) == (answer == nil), "\(name)")
                    marks.append(try await newest(store, of: buyer)?.refusedAt != nil)
                }
                return marks
            }
            for kind in [PaymentGatewayFailure.Kind.rateLimited, .refused, .misconfigured] {
                #expect(try await marks([kind, kind, nil]) == [true, true, false])
                // Once it may have been taken, a refusal says nothing about that.
                #expect(try await marks([kind, .unknownOutcome, kind]) == [true, false, false])
            }
            for kind in [PaymentGatewayFailure.Kind.forgedAnswer, .alreadyClosed, .notFound] {
                #expect(try await marks([kind, .refused]) == [false, false])
            }
            #expect(try await bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func aRefusalSaysNothingOfOtherCallsForTheSameOrder(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let shop = try await Shop(over: store)
            let rows: [(PaymentGatewayFailure.Kind, PaymentGatewayFailure.Kind, Bool)] = [
                (.refused, .unknownOutcome, false), (.unknownOutcome, .refused, false),
                (.refused, .rateLimited, true),
            ]
            for (first, second, isUntaken) in rows {
                let key = "\(first.rawValue)-\(second.rawValue)"
                let calls = Tally()
                let (answer, answered) = AsyncStream<Void>.makeStream()
                // The first call is on its way for as long as the second takes.
                shop.payments.beforeCreate {
                    if calls.next() == 1 { for await _ in answer { break } }
                }
                async let ending = Ending { _ = try await shop.order(key) }
                #expect(try await eventually { calls.value == 1 })
                shop.payments.failNext(second)
                #expect(await Ending { _ = try await shop.order(key) } != .value)
                #expect(try await newest(store, of: shop.buyer)?.refusedAt == nil, "\(key)")
                shop.payments.failNext(first)
                answered.yield()
                #expect(await ending != .value)
                let order = try await newest(store, of: shop.buyer)
                #expect((order?.refusedAt != nil) == isUntaken, "\(key)")
                // Whoever asks once more is heard, whatever the calls before came to.
                let taken = try await shop.order(key)
                #expect(taken.state == .awaitingPayment)
                #expect(taken.refusedAt == nil)
            }
            shop.payments.beforeCreate {}
            #expect(try await shop.bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func ordersGivenUpBeforeWeChatAnsweredCountAsWell(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let shop = try await Shop(over: store)
            shop.payments.beforeCreate {
                guard let made = try? await newest(store, of: shop.buyer) else { return }
                _ = try? await shop.follow.cancel(made.id, of: shop.buyer)
            }
            for number in 0..<Limits.unpaidOrdersOfSpan {
                let made = try await shop.order("hasty-\(number)")
                #expect(made.state == .closing)
                #expect(made.codeURL == nil)
                shop.bench.clock.advance(milliseconds: Limits.cancelledOrderPauseMilliseconds)
                #expect(try await shop.follow.cancel(made.id, of: shop.buyer).state == .closed)
            }
            let ending = await Ending { _ = try await shop.order("next") }
            #expect(ending == .failure(.rateLimited))
            // The step holds what holds the payments.
            shop.payments.beforeCreate {}
            #expect(try await shop.bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func ordersOfAClockThatWasAheadKeepNobodyFromBuying(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let shop = try await Shop(over: store)
            let ahead = 2 * Limits.storeClockRefusedMilliseconds
            shop.bench.clock.advance(milliseconds: ahead)
            for number in 0..<Limits.unpaidOrdersOfSpan {
                let made = try await shop.order("ahead-\(number)")
                #expect(try await shop.follow.cancel(made.id, of: shop.buyer).state == .closed)
            }
            // As far ahead as another server may be, they count.
            shop.bench.clock.advance(milliseconds: -ahead / 2)
            #expect(
                await Ending { _ = try await shop.order("near") }
                    == .failure(.rateLimited))
            shop.bench.clock.advance(milliseconds: -1)
            #expect(
                try await shop.order("set back").state == .awaitingPayment)
            #expect(try await shop.bench.violations() == [])
        }
    }

    /// Somebody who orders and pays nothing, leaves, and comes back.
    private struct Comer {
        let bench: TestBench
        let placing: PlaceOrder
        private let follow: FollowUpOrders
        private var person: SignIn.SignedIn

        init(over store: any OpenedStore) async throws {
            bench = try TestBench(over: store)
            try await bench.offer()
            let payments = ScriptedPayments()
            placing = PlaceOrder(bench.ports, payments: payments)
            follow = FollowUpOrders(bench.ports, payments: payments)
            person = try await bench.signIn()
        }

        /// Orders and gives the order up at once.
        func order(_ key: String) async -> (order: Order?, refusal: Failure?) {
            do {
                let made = try await placing.place(
                    product: ProductKey(rawValue: "starter"), for: person.session.account,
                    idempotencyKey: IdempotencyKey(rawValue: key))
                return (try await follow.cancel(made.id, of: person.session.account), nil)
            } catch {
                return (nil, error as? Failure)
            }
        }

        func orders(_ count: Int) async throws {
            for number in 0..<count {
                #expect(await order("k\(number)").order?.state == .closed)
                bench.clock.advance(milliseconds: 1_000)
            }
        }

        mutating func leave() async throws {
            bench.clock.advance(milliseconds: 1_000)
            _ = try await DeleteAccount(bench.ports).delete(by: person.token)
            person = try await bench.signIn()
            #expect(person.accountOpened)
        }
    }

    @Test(arguments: Engine.all) func leavingAndComingBackMakesNoSecondDayOfOrders(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            var comer = try await Comer(over: store)
            let bench = comer.bench
            let span = Limits.unpaidOrdersSpanMilliseconds
            // Who ordered nothing leaves nothing behind.
            try await comer.leave()
            try await comer.orders(20)
            try await comer.leave()
            let firstLeft = bench.clock.now()
            try await comer.orders(Limits.unpaidOrdersOfSpan - 20)
            var refused = await comer.order("too many").refusal
            #expect(refused?.code == .rateLimited)
            #expect(
                refused?.retryAfterMilliseconds
                    == firstLeft.milliseconds + span - bench.clock.now().milliseconds)
            // Nor does it help to leave again and again.
            try await comer.leave()
            let left = bench.clock.now()
            for _ in 0..<2 {
                refused = await comer.order("too many").refusal
                #expect(refused?.code == .rateLimited)
                #expect(
                    refused?.retryAfterMilliseconds
                        == left.milliseconds + span - bench.clock.now().milliseconds)
                try await comer.leave()
            }
            let other = try await bench.signIn(openID: "o_bob").session.account
            _ = try await order("k", for: other, by: comer.placing)
            // The hint is right to the millisecond; then all is forgotten.
            bench.clock.advance(
                milliseconds: left.milliseconds + span - bench.clock.now().milliseconds - 1)
            #expect(await comer.order("early").refusal?.code == .rateLimited)
            bench.clock.advance(milliseconds: 1)
            #expect(await comer.order("late").order?.state == .closed)
            try await insertJob(bench)
            let digest = try bench.ports.identityKey.openIDDigest("o_ann")
            func kept() async throws -> DepartedOrders? {
                try await store.read { tx in try tx.departures.orders(ofPerson: digest) }
            }
            #expect(
                try await kept()
                    == DepartedOrders(made: Int64(Limits.unpaidOrdersOfSpan), leftAt: left))
            bench.clock.advance(milliseconds: 1)
            _ = try await DeleteAccount(bench.ports).finish(fence: Self.fence)
            #expect(try await kept() == nil)
            #expect(try await bench.violations() == [])
        }
    }

    @Test(.enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
    func theLastOrderOfTheDayIsMadeOnceOverTwoServers() async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let second = try await schema.open()
        let bench = try TestBench(over: store)
        try await bench.offer()
        let buyer = try await bench.signIn().session.account
        let payments = ScriptedPayments()
        var ports = bench.ports
        ports.store = second
        let servers = [
            PlaceOrder(bench.ports, payments: payments), PlaceOrder(ports, payments: payments),
        ]
        let follow = FollowUpOrders(bench.ports, payments: payments)
        for number in 1..<Limits.unpaidOrdersOfSpan {
            let made = try await order("day-\(number)", for: buyer, by: servers[0])
            _ = try await follow.cancel(made.id, of: buyer)
        }
        let endings = await withTaskGroup(of: Ending.self) { group in
            for number in 0..<8 {
                let server = servers[number % servers.count]
                group.addTask {
                    await Ending { _ = try await order("last-\(number)", for: buyer, by: server) }
                }
            }
            return await group.reduce(into: [Ending: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(endings == [.value: 1, .failure(.rateLimited): 7])
        #expect(try await bench.violations() == [])
        await second.close()
        await store.close()
        try schema.remove()
    }

    @Test(arguments: Engine.all) func keysMadeAndRevokedInALoopComeToAnEnd(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            let owner = try await bench.signIn().session.account
            let keys = APIKeys(bench.ports)
            var made = 0
            var refusal: Failure?
            while refusal == nil, made <= Limits.apiKeysMadeOfAccount {
                do {
                    let key = try await keys.create(APIKeys.Wish(name: "loop"), for: owner).key
                    _ = try await keys.revoke(key.id, of: owner)
                    made += 1
                } catch let failure as Failure {
                    refusal = failure
                }
            }
            #expect(refusal?.code == .conflict)
            #expect(made == Limits.apiKeysMadeOfAccount)
            try await insertJob(bench)
            let retention = Retention(bench.ports, rollupJob: "metric-rollup")
            func remove() async throws -> Int {
                try await retention.remove(.apiKeys, limit: 1_000, fence: Self.fence)
            }
            #expect(try await remove() == 0)
            bench.clock.advance(milliseconds: Limits.endedKeyMemoryMilliseconds + 1)
            #expect(try await remove() == made)
            _ = try await keys.create(APIKeys.Wish(name: "again"), for: owner)
            let left = try await keys.list(of: owner)
            #expect(left.map(\.name) == ["again"])
            #expect(try await bench.violations() == [])
        }
    }
}
