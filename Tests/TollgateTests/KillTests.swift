import Foundation
import Sandbox
import Testing
import TollgateClient
import TollgateKernel

/// Power cuts in the loop: what was acknowledged is there afterwards, once.
@Suite(.serialized) struct KillTests {
    @Test(.timeLimit(.minutes(6)))
    func `Server and jobs killed at fifty random moments each, every payment is credited once`()
        async throws
    {
        let seed =
            ProcessInfo.processInfo.environment["TOLLGATE_TEST_SEED"].flatMap(UInt64.init)
            ?? UInt64.random(in: 1 ... .max)
        print("KillTests seed \(seed)")
        var moments = Moments(seed: seed)
        let loop = try RunningLoop()
        do {
            try await play(loop, &moments)
        } catch {
            Issue.record("serve: \(loop.log("serve"))\njobs: \(loop.log("jobs"))")
            await loop.end()
            throw error
        }
        await loop.end()
    }

    private func play(_ loop: RunningLoop, _ moments: inout Moments) async throws {
        for name in ["sandbox", "serve", "web", "jobs"] { try loop.start(name) }
        var customers: [Customer] = []
        for name in ["ann", "bob", "cui"] {
            customers.append(try await Customer.signIn(name, loop))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for customer in customers { group.addTask { await customer.live() } }
            for _ in 0..<50 {
                try await Task.sleep(for: .milliseconds(moments.next(in: 100...900)))
                await loop.kill9("serve")
                try loop.start("serve")
                try await Task.sleep(for: .milliseconds(moments.next(in: 50...400)))
                await loop.kill9("jobs")
                try loop.start("jobs")
            }
            group.cancelAll()
        }
        try await judge(loop, customers)
        for customer in customers { await customer.leave() }
    }

    private func judge(_ loop: RunningLoop, _ customers: [Customer]) async throws {
        let paid = Set(
            try await loop.sandbox.trades().filter { $0.state == "SUCCESS" }
                .map(\.outTradeNumber))
        #expect(paid.count >= 10, "the load was too small to mean anything: \(paid.count)")
        let failures = customers.reduce(0) { $0 + $1.facts.failures }
        #expect(failures > 0, "no call was ever hurt")
        for customer in customers {
            let facts = customer.facts
            let bought = facts.orders.filter { paid.contains($0.key) }
            for (_, id) in bought {
                _ = try await loop.eventually(within: 60) {
                    try await customer.state(of: id) == "delivered" ? true : nil
                }
            }
            let ledger = try await customer.ledger()
            let purchases = ledger.filter { $0.kind == "purchase" }
            #expect(purchases.count == bought.count)
            #expect(Set(purchases.map(\.reference)) == Set(bought.values))
            #expect(purchases.allSatisfy { $0.amountMicroCredits == 10_000_000 })
            #expect(ledger.filter { $0.kind == "usage" }.count >= facts.paidChats)
            #expect(ledger.filter { $0.kind == "welcome" }.count == 1)
        }
        let admin = try loop.client("admin")
        let audit = try await loop.eventually {
            try await OperationsServiceClient(admin).audit(V1.AuditRequest())
        }
        #expect(audit.clean, "\(audit.findings.flatMap(\.violations))")
        await admin.close()
    }
}

/// Random moments from a seed (SplitMix64), so that a failing run can be repeated.
struct Moments {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next(in range: ClosedRange<Int>) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return range.lowerBound + Int((mixed ^ (mixed >> 31)) % UInt64(range.count))
    }
}
