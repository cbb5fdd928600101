import Accounts
import Application
import Auth
import Jobs
import Operations
import Orders
import Storage
import TestSupport
import Testing
import TollgateKernel

@Suite struct MoneyJobsTests {
    /// Orders so many products for a new person.
    private func orders(_ jobs: JobsBench, _ count: Int) async throws -> [Order] {
        let account = try await jobs.bench.signIn().session.account
        let place = PlaceOrder(jobs.bench.ports, payments: jobs.payments)
        var orders: [Order] = []
        for number in 0..<count {
            orders.append(
                try await place.place(
                    product: ProductKey(rawValue: "starter"), for: account,
                    idempotencyKey: IdempotencyKey(rawValue: "k\(number)")))
        }
        return orders
    }

    private func state(_ jobs: JobsBench, _ order: Order) async throws -> OrderState? {
        try await jobs.bench.store.read { tx in try tx.orders.order(order.id) }?.state
    }

    private func credited(_ jobs: JobsBench, _ order: Order) async throws -> Int64 {
        try await AccountQueries(jobs.bench.ports).quota(of: order.account).lots
            .filter { $0.order == order.id }.reduce(0) { $0 + $1.granted }
    }

    @Test func `A poisonous order does not stop the rest, and each has its result`()
        async throws
    {
        try await JobsBench.with { jobs in
            let orders = try await orders(jobs, 3)
            // Its number is longer than a ledger key may be: booking it throws.
            let poison = String(repeating: "9", count: 200)
            jobs.payments.pay(orders[0].outTradeNumber, transaction: poison)
            jobs.payments.pay(orders[1].outTradeNumber)
            jobs.bench.clock.advance(milliseconds: 60_000)
            let run = try await jobs.run("payment-reconcile")
            #expect(run.state == .succeeded)
            #expect(run.itemsDone == 2)
            #expect(run.itemsFailed == 1)
            let items = try await jobs.items(of: run)
            #expect(Set(items.map(\.reference)) == Set(orders.map(\.id.description)))
            let results = Dictionary(uniqueKeysWithValues: items.map { ($0.reference, $0.result) })
            #expect(
                orders.map { results[$0.id.description] } == ["failed", "paid", "waiting"])
            #expect(items.first { $0.result == "failed" }?.detail.isEmpty == false)
            #expect(try await state(jobs, orders[0]) == .awaitingPayment)
            #expect(try await state(jobs, orders[1]) == .delivered)
        }
    }

    @Test func `Killed before any of its writes, reconciling credits once all the same`()
        async throws
    {
        var number = 0
        var isWhole = false
        while !isWhole {
            number += 1
            try await JobsBench.with { [number] jobs in
                let order = try await orders(jobs, 1)[0]
                jobs.payments.pay(order.outTradeNumber)
                jobs.bench.clock.advance(milliseconds: 60_000)
                let cut = CutStore(jobs.bench.store) { $0 >= number }
                _ = try? await jobs.run("payment-reconcile", over: cut)
                isWhole = cut.writes < number
                #expect(try await jobs.takeOver("payment-reconcile")?.state == .succeeded)
                #expect(try await state(jobs, order) == .delivered)
                #expect(try await credited(jobs, order) == Credits(whole: 10).micro)
            }
        }
        // Register, lease, booking, item, end.
        #expect(number == 6)
    }

    @Test func `A row that changed meanwhile costs an item another try, not the run`()
        async throws
    {
        try await JobsBench.with { jobs in
            let order = try await orders(jobs, 1)[0]
            jobs.payments.pay(order.outTradeNumber)
            jobs.bench.clock.advance(milliseconds: 60_000)
            // Writes are: register, lease, booking, booking again, item, end, end again.
            let cut = CutStore(jobs.bench.store, throwing: StoreError.conflict("scripted")) {
                $0 == 3 || $0 == 6
            }
            let run = try await jobs.run("payment-reconcile", over: cut)
            #expect(run.state == .succeeded)
            #expect(run.summary == "unpaid orders asked about: 1 paid")
            #expect(cut.writes == 7)
            #expect(try await state(jobs, order) == .delivered)
        }
    }

    @Test func `A run by hand asks about every unpaid order, whatever its pause`() async throws {
        try await JobsBench.with { jobs in
            let orders = try await orders(jobs, 2)
            let definition = try #require(
                jobs.standard().first { $0.name == "payment-reconcile" })
            jobs.payments.pay(orders[1].outTradeNumber)
            // Neither is due yet: its schedule finds nothing to do, and says what waits.
            #expect(try await !definition.hasWork())
            let next = try #require(orders.map(\.nextQueryAt).min())
            #expect(
                try await definition.waiting() == JobWaiting(what: "2 unpaid orders", nextAt: next))
            let run = try await jobs.run("payment-reconcile")
            #expect(run.summary == "unpaid orders asked about: 1 paid, 1 waiting")
            #expect(try await state(jobs, orders[1]) == .delivered)
            // The schedule keeps the pauses.
            try await jobs.runner().register([definition])
            let record = try await jobs.record("payment-reconcile")
            let scheduled = try await jobs.runner().run(definition, seen: record)
            #expect(scheduled?.summary == "no unpaid orders asked about")
        }
    }

    @Test(arguments: ["payment-reconcile", "order-close"])
    func `A run that WeChat Pay answered nothing in has failed, and asks again soon`(job: String)
        async throws
    {
        try await JobsBench.with { jobs in
            let orders = try await orders(jobs, 2)
            jobs.bench.clock.advance(milliseconds: job == "order-close" ? 31 * 60_000 : 60_000)
            jobs.payments.failNext(.unknownOutcome, .unknownOutcome)
            let run = try await jobs.run(job)
            #expect(run.state == .failed)
            #expect(run.itemsDone == 0)
            #expect(run.itemsFailed == 2)
            let words = ": WeChat Pay gave no valid answer about any of the 2, and is asked again "
            #expect(run.summary.hasSuffix(words + "soon"), "\(run.summary)")
            #expect(try await jobs.runs(job).last == run)
            #expect(try await jobs.items(of: run).map(\.result) == ["unanswered", "unanswered"])
            // No longer than the schedule takes to come by again, however often it was silent.
            jobs.bench.clock.advance(milliseconds: Limits.orderUnansweredPauseMilliseconds)
            jobs.payments.pay(orders[0].outTradeNumber)
            let definition = try #require(jobs.standard().first { $0.name == job })
            let record = try await jobs.record(job)
            let next = try await jobs.runner().run(definition, seen: record)
            #expect(next?.state == .succeeded)
            #expect(next?.itemsDone == 2)
            #expect(try await state(jobs, orders[0]) == .delivered)
        }
    }

    @Test(arguments: ["payment-reconcile", "order-close"])
    func `Answers that are none to go by are not told as silence, for what is asked later`(
        job: String
    ) async throws {
        try await JobsBench.with { jobs in
            let orders = try await orders(jobs, 3)
            jobs.bench.clock.advance(milliseconds: job == "order-close" ? 31 * 60_000 : 60_000)
            jobs.payments.failNext(.rateLimited, .unknownOutcome, .forgedAnswer)
            let run = try await jobs.run(job)
            #expect(run.state == .failed)
            #expect(run.itemsDone == 0)
            #expect(run.itemsFailed == 3)
            let words = "WeChat Pay gave no valid answer about "
            #expect(
                run.summary.hasSuffix(
                    ": \(words)1, and is asked again soon, "
                        + "\(words)2, and is asked again after a longer pause"),
                "\(run.summary)")
            let results = try await jobs.items(of: run).map(\.result).sorted()
            #expect(results == ["deferred", "deferred", "unanswered"])
            // As it was told: one is asked about soon, the others are not.
            jobs.bench.clock.advance(milliseconds: Limits.orderUnansweredPauseMilliseconds)
            let follow = FollowUpOrders(jobs.bench.ports, payments: jobs.payments)
            let due =
                job == "order-close"
                ? try await follow.ordersToClose(limit: 9)
                : try await follow.ordersToQuery(limit: 9)
            let silent = try #require(due.first)
            #expect(due.count == 1 && orders.map(\.id).contains(silent.id))
        }
    }

    @Test func `Questions that were all turned away are told of together`() async throws {
        try await JobsBench.with { jobs in
            _ = try await orders(jobs, 2)
            jobs.bench.clock.advance(milliseconds: 60_000)
            jobs.payments.failNext(.rateLimited, .rateLimited)
            let run = try await jobs.run("payment-reconcile")
            #expect(run.state == .failed)
            #expect(
                run.summary
                    == "unpaid orders asked about: WeChat Pay gave no valid answer about any of "
                    + "the 2, and is asked again after a longer pause")
        }
    }

    @Test func `Silence about some orders is told, and the run succeeds`() async throws {
        try await JobsBench.with { jobs in
            _ = try await orders(jobs, 2)
            jobs.bench.clock.advance(milliseconds: 60_000)
            jobs.payments.failNext(.unknownOutcome)
            let run = try await jobs.run("payment-reconcile")
            #expect(run.state == .succeeded)
            #expect(run.itemsDone == 1)
            #expect(run.itemsFailed == 1)
            #expect(
                run.summary
                    == "unpaid orders asked about: 1 waiting, WeChat Pay gave no valid answer "
                    + "about 1, and is asked again soon")
        }
    }

    @Test func `A payment that needs a person is told once and asked about ever more seldom`()
        async throws
    {
        try await JobsBench.with { jobs in
            let order = try await orders(jobs, 1)[0]
            jobs.payments.pay(order.outTradeNumber)
            jobs.payments.alter(order.outTradeNumber) { $0.total = Money(fen: 1) }
            jobs.bench.clock.advance(milliseconds: 60_000)
            let first = try await jobs.run("payment-reconcile")
            #expect(try await jobs.items(of: first).map(\.result) == ["incident"])
            let again = try await jobs.run("payment-reconcile")
            #expect(try await jobs.items(of: again).map(\.result) == ["incident"])
            jobs.bench.clock.advance(milliseconds: 30 * 60_000)
            let close = try await jobs.run("order-close")
            #expect(try await jobs.items(of: close).map(\.result) == ["incident"])
            #expect(try await jobs.run("order-close").summary == "no orders whose time is out")
            let incidents = try await OperatorQueries(jobs.bench.ports).incidents(limit: 10)
            #expect(incidents.map(\.kind) == [.amountMismatch])
            #expect(try await credited(jobs, order) == 0)
            #expect(try await state(jobs, order) == .closing)
        }
    }

    @Test func `Killed before any of its writes, closing ends closed at both sides`()
        async throws
    {
        var number = 0
        var isWhole = false
        while !isWhole {
            number += 1
            try await JobsBench.with { [number] jobs in
                let order = try await orders(jobs, 1)[0]
                jobs.bench.clock.advance(milliseconds: 31 * 60_000)
                let cut = CutStore(jobs.bench.store) { $0 >= number }
                _ = try? await jobs.run("order-close", over: cut)
                isWhole = cut.writes < number
                #expect(try await jobs.takeOver("order-close")?.state == .succeeded)
                #expect(try await state(jobs, order) == .closed)
                #expect(jobs.payments.trade(order.outTradeNumber)?.state == .closed)
                let events = try await jobs.bench.store.read { tx in
                    try tx.orders.events(of: order.id)
                }
                #expect(events.map(\.cause) == [.accepted, .expired, .confirmedClosed])
            }
        }
        // Register, lease, closing, closed, item, end.
        #expect(number == 7)
    }

    // MARK: - Holds

    private func hold(
        _ account: AccountID, _ number: Int, _ source: Hold.Source, _ jobs: JobsBench
    ) -> HoldRequest {
        let now = jobs.bench.clock.now()
        return HoldRequest(
            account: account, requestID: IdempotencyKey(rawValue: "h\(number)"),
            requestHash: [UInt8](repeating: 1, count: 32), source: source,
            amount: Credits(micro: 1_000), trialDay: source == .trial ? ShanghaiDay(now) : nil,
            trialLimit: 1, expiresAt: jobs.bench.ports.policy.holdExpiry(from: now))
    }

    /// Holds that nobody ends, as a crash leaves them: one free call and so many paid ones.
    private func leaveHolds(_ count: Int, of account: AccountID, _ jobs: JobsBench)
        async throws -> [Hold]
    {
        let now = jobs.bench.clock.now()
        let requests =
            [hold(account, 0, .trial, jobs)]
            + (1...count).map { hold(account, $0, .credits, jobs) }
        return try await jobs.bench.store.write { tx in
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: jobs.bench.ports.identifiers)
            return try requests.map { try ledger.hold($0, at: now) }
        }
    }

    @Test func `Holds whose time is out end in the customer's favour`() async throws {
        try await JobsBench.with { jobs in
            let account = try await jobs.bench.signIn().session.account
            // More than one transaction of a job may end.
            let count = Limits.rowsPerJobTransaction + 1
            let holds = try await leaveHolds(count, of: account, jobs)
            let queries = AccountQueries(jobs.bench.ports)
            #expect(try await queries.quota(of: account).ledger.held == Int64(count) * 1_000)
            #expect(try await queries.quota(of: account).trialUsed == 1)

            let early = try await jobs.run("hold-expire")
            #expect(early.summary.hasPrefix("0 holds"))
            jobs.bench.clock.advance(
                milliseconds: jobs.bench.ports.policy.chatDeadlineMilliseconds + 300_000)
            let run = try await jobs.run("hold-expire")
            #expect(run.summary.hasPrefix("\(count + 1) holds"))
            let quota = try await queries.quota(of: account)
            #expect(quota.ledger.held == 0)
            #expect(quota.ledger.balance == Credits(whole: 2))
            #expect(quota.trialUsed == 0)

            // The call comes back after all: nothing is charged for what has ended.
            let now = jobs.bench.clock.now()
            let late = try await jobs.bench.store.write { tx in
                try Ledger(
                    tx.ledger, accounts: tx.accounts, identifiers: jobs.bench.ports.identifiers
                ).settle(holds[1].id, price: Credits(micro: 1_000), at: now)
            }
            #expect(late.state == .expired)
            #expect(late.charged == .zero)
            #expect(try await queries.quota(of: account).ledger.balance == Credits(whole: 2))
        }
    }

    @Test func `Lots whose time is out leave the balance, and old runs the history`()
        async throws
    {
        let policy = ServicePolicy(welcomeGrantLifetimeMilliseconds: 86_400_000)
        try await JobsBench.with(policy: policy) { jobs in
            let account = try await jobs.bench.signIn().session.account
            let old = try await jobs.run("hold-expire")
            #expect(old.summary.contains("0 lots"))
            jobs.bench.clock.advance(milliseconds: 86_400_000)
            let run = try await jobs.run("hold-expire")
            #expect(run.summary.contains("1 lot expired"))
            let queries = AccountQueries(jobs.bench.ports)
            #expect(try await queries.quota(of: account).ledger.posted == 0)
            jobs.bench.clock.advance(milliseconds: Limits.jobHistoryMilliseconds + 1)
            _ = try await jobs.run("hold-expire")
            let last = try await jobs.run("hold-expire")
            // The second one finds nothing: the first one took both old runs.
            #expect(last.itemsDone == 0)
            let kept = try await jobs.runs("hold-expire")
            #expect(!kept.contains(old) && !kept.contains(run))
            #expect(kept.last == last)
        }
    }

    @Test func `Nothing ends by a clock that is not to be trusted, and all of it afterwards`()
        async throws
    {
        try await JobsBench.with { jobs in
            let order = try await orders(jobs, 1)[0]
            _ = try await leaveHolds(2, of: order.account, jobs)
            jobs.bench.clock.advance(milliseconds: 86_400_000)
            let doubtful = CutStore(jobs.bench.store, clockTrouble: "The clock is ahead.") { _ in
                false
            }
            let goByTime: Set = ["hold-expire", "order-close", "metric-rollup", "retention"]
            for name in goByTime {
                let run = try await jobs.run(name, over: doubtful)
                #expect(run.summary == "The clock is ahead." && run.itemsDone == 0)
            }
            // The schedule leaves them to a machine whose clock is right.
            for definition in jobs.standard(over: doubtful) where goByTime.contains(definition.name)
            {
                #expect(try await definition.hasWork() == false)
            }
            for definition in jobs.standard() where goByTime.contains(definition.name) {
                #expect(try await definition.hasWork())
            }
            let queries = AccountQueries(jobs.bench.ports)
            #expect(try await queries.quota(of: order.account).ledger.held == 2_000)
            #expect(try await state(jobs, order) == .awaitingPayment)
            for name in ["hold-expire", "order-close"] { try await jobs.run(name) }
            #expect(try await queries.quota(of: order.account).ledger.held == 0)
            #expect(try await state(jobs, order) == .closed)
        }
    }

    @Test func `A step that fails stops no other, and its failure is told`() async throws {
        let policy = ServicePolicy(welcomeGrantLifetimeMilliseconds: 86_400_000)
        try await JobsBench.with(policy: policy) { jobs in
            let account = try await jobs.bench.signIn().session.account
            _ = try await leaveHolds(1, of: account, jobs)
            jobs.bench.clock.advance(milliseconds: 86_400_000)
            // Writes are: register, take the lease, end both holds, end one alone, expire lots.
            let cut = CutStore(jobs.bench.store) { (3...4).contains($0) }
            let run = try? await jobs.run("hold-expire", over: cut)
            #expect(run?.state != .succeeded)
            let queries = AccountQueries(jobs.bench.ports)
            let left = try await queries.quota(of: account).ledger
            #expect(left.held > 0)
            // All but what the hold still reserves has expired.
            #expect(left.posted == left.held)
            let last = try #require(try await jobs.runs("hold-expire").last)
            #expect(last.state == .failed)
        }
    }
}
