import Accounts
import Application
import Auth
import Jobs
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

/// A run whose lease is taken over while it works.
@Suite struct LostLeaseTests {
    private static let day: Int64 = 86_400_000

    /// Work for every job: an unpaid order, a message, holds and a lot whose time is out, figures
    /// to count, and for the job that ends them a deletion.
    private func leaveWork(for name: String, _ jobs: JobsBench) async throws {
        let ports = jobs.bench.ports
        let account = try await jobs.bench.signIn().session.account
        let placing = PlaceOrder(ports, payments: jobs.payments)
        var orders: [Order] = []
        for key in ["paid", "unpaid"] {
            orders.append(
                try await placing.place(
                    product: ProductKey(rawValue: "starter"), for: account,
                    idempotencyKey: IdempotencyKey(rawValue: key)))
        }
        let trade = try #require(jobs.payments.pay(orders[0].outTradeNumber))
        _ = try await BookPayment(ports).book(queried: trade)
        let now = jobs.bench.clock.now()
        try await ports.store.write { tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            for number in 0..<2 {
                _ = try ledger.hold(
                    HoldRequest(
                        account: account, requestID: IdempotencyKey(rawValue: "h\(number)"),
                        requestHash: [UInt8](repeating: 1, count: 32), source: .credits,
                        amount: Credits(micro: 1_000), trialDay: nil, trialLimit: 1,
                        expiresAt: now.adding(milliseconds: 60_000)), at: now)
            }
        }
        let isLong = name == "hold-expire"
        if isLong {
            let left = try await jobs.bench.signIn(openID: "o_left").session.account
            try await ports.store.write { tx in
                try tx.departures.begin(
                    left, placeholder: [UInt8](repeating: 1, count: 32), at: now)
            }
        }
        // As short as may be otherwise: each hour is two periods to count, and an order whose time
        // is out is closed rather than asked about.
        let short: Int64 = name == "order-close" ? 31 : 1
        jobs.bench.clock.advance(milliseconds: isLong ? Self.day : short * 60_000)
    }

    @Test(arguments: [
        "hold-expire", "metric-rollup", "order-close", "outbox", "payment-reconcile", "retention",
    ])
    func `Whichever write comes after a lease was lost, none is kept, and the next holder ends it`(
        _ name: String
    ) async throws {
        let policy = ServicePolicy(welcomeGrantLifetimeMilliseconds: Self.day)
        // The first two register the job and take the lease.
        var number = 2
        var isWhole = false
        while !isWhole {
            number += 1
            try await JobsBench.with(policy: policy) { [number] jobs in
                try await leaveWork(for: name, jobs)
                let lost = TakenOverStore(jobs.bench.store, job: name, before: number)
                let run = try await jobs.run(name, over: lost)
                isWhole = lost.writes < number
                #expect(lost.kept == [], "of \(lost.writes), lost before \(number)")
                #expect(run.state == (isWhole ? .succeeded : .abandoned))
                guard !isWhole else { return }
                #expect(try await jobs.takeOver(name)?.state == .succeeded)
            }
        }
        // One that works, and its end.
        #expect(number >= 5)
    }
}
