import Accounts
import Testing
import TollgateKernel

@Suite("Limits of an account")
struct LimitTests {
    private func limited(
        _ bench: Bench, _ limits: CallLimits, source: Hold.Source = .credits
    ) -> HoldRequest {
        var request = bench.request(10, source: source, trialLimit: 100)
        request.limits = limits
        return request
    }

    @Test(arguments: [Hold.Source.credits, .trial, .promotion])
    func `Chats under way are counted whoever pays, and end with their hold`(
        source: Hold.Source
    ) throws {
        let bench = try Bench()
        try bench.buy(1_000)
        let limits = CallLimits(concurrentChats: 2)
        let first = try bench.ledger.hold(limited(bench, limits, source: source), at: bench.at(0))
        let second = try bench.ledger.hold(limited(bench, limits, source: source), at: bench.at(0))
        let third = limited(bench, limits, source: source)
        #expect(bench.refusal { try bench.ledger.hold(third, at: bench.at(1)) } == .rateLimited)
        _ = try bench.ledger.settle(first.id, price: Credits(micro: 5), at: bench.at(2))
        _ = try bench.ledger.hold(third, at: bench.at(2))
        _ = try bench.ledger.release(second.id, as: .released, at: bench.at(3))
        #expect(bench.books.ledgers[bench.account]?.activity.openCalls == 1)
        #expect(try bench.sweepHolds(at: 10_000, limit: 10) == 1)
        #expect(bench.books.ledgers[bench.account]?.activity.openCalls == 0)
    }

    @Test func `Chats of a minute are counted when they begin`() throws {
        let bench = try Bench()
        try bench.buy(1_000)
        let limits = CallLimits(requestsPerMinute: 2)
        for _ in 0..<2 {
            let hold = try bench.ledger.hold(limited(bench, limits), at: bench.at(0))
            _ = try bench.ledger.release(hold.id, as: .released, at: bench.at(0))
        }
        let failure = #expect(throws: Failure.self) {
            try bench.ledger.hold(limited(bench, limits), at: bench.at(5))
        }
        // The tests begin 20 seconds into a minute.
        #expect(failure?.code == .rateLimited)
        #expect(failure?.retryAfterMilliseconds == 35_000)
        _ = try bench.ledger.hold(limited(bench, limits), at: bench.at(40))
    }

    @Test func `Tokens of a minute are counted when they are settled`() throws {
        let bench = try Bench()
        try bench.buy(1_000)
        let limits = CallLimits(tokensPerMinute: 100)
        let first = try bench.ledger.hold(limited(bench, limits), at: bench.at(0))
        let second = try bench.ledger.hold(limited(bench, limits), at: bench.at(0))
        _ = try bench.ledger.settle(first.id, price: .zero, tokens: 99, at: bench.at(1))
        _ = try bench.ledger.hold(limited(bench, limits), at: bench.at(1))
        _ = try bench.ledger.settle(second.id, price: .zero, tokens: 1, at: bench.at(2))
        let request = limited(bench, limits)
        #expect(bench.refusal { try bench.ledger.hold(request, at: bench.at(3)) } == .rateLimited)
        _ = try bench.ledger.hold(request, at: bench.at(40))
    }

    @Test func `Credits are taken back from what no call has reserved`() throws {
        let bench = try Bench()
        try bench.buy(60, expiresAt: bench.at(100))
        try bench.buy(50)
        _ = try bench.ledger.hold(bench.request(30), at: bench.at(0))
        func take(_ micro: Int64, _ key: String) throws -> Bool {
            try bench.ledger.takeBack(
                Credits(micro: micro), from: bench.account, key: key, reference: "r",
                at: bench.at(1))
        }
        #expect(bench.refusal { try take(81, "a") } == .conflict)
        #expect(bench.refusal { try take(0, "a") } == .invalidRequest)
        #expect(try take(40, "a"))
        #expect(try !take(40, "a"))
        #expect(bench.balance == [70, 30])
        #expect(bench.lots == [[30, 30], [40, 0]])
        #expect(bench.moved(.adjustment) == 40)
        #expect(try take(40, "b"))
        #expect(bench.balance == [30, 30])
        #expect(bench.refusal { try take(1, "c") } == .conflict)
    }
}
