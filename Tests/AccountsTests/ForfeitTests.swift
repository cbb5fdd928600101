import Accounts
import TestSupport
import Testing
import TollgateKernel

@Suite("What a person who leaves had not used")
struct ForfeitTests {
    @Test func `Every lot is forfeited once, expired or not, and the books add up`() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(10))
        try bench.buy(50)
        let hold = try bench.ledger.hold(bench.request(30), at: bench.at(1))
        _ = try bench.ledger.settle(hold.id, price: Credits(micro: 20), at: bench.at(2))
        let at = bench.at(20)
        #expect(try bench.ledger.forfeit(from: bench.account, limit: 32, at: at) == 2)
        let ledger = try #require(bench.books.customerLedger(bench.account))
        #expect(ledger.posted == 0)
        #expect(bench.books.lots.values.allSatisfy { $0.remaining == 0 && $0.held == 0 })
        #expect(
            bench.books.systemBalances(in: .microCredits)
                == [.issued: -150, .revenue: 20, .expired: 130])
        let forfeits = bench.books.transfers.map(\.transfer).filter { $0.kind == .forfeit }
        #expect(forfeits.map(\.amount) == [80, 50])
        #expect(Set(forfeits.map(\.key)).count == 2)
        #expect(try bench.ledger.forfeit(from: bench.account, limit: 32, at: at) == 0)
        var audit = ChainAudit()
        while try audit.step(bench.books, limit: 2) {}
        #expect(audit.violations == [])
        #expect(audit.rows == 5)
    }

    @Test func `Many lots take several turns`() throws {
        let bench = try Bench()
        for _ in 0..<5 { try bench.buy(10) }
        let turns = try (0..<4).map { _ in
            try bench.ledger.forfeit(from: bench.account, limit: 2, at: bench.at(1))
        }
        #expect(turns == [2, 2, 1, 0])
        #expect(bench.books.customerLedger(bench.account)?.posted == 0)
    }

    @Test(arguments: [Hold.Source.credits, .trial, .promotion, .ownKey])
    func `Nothing is forfeited while a call is under way, whatever pays for it`(
        source: Hold.Source
    ) throws {
        let bench = try Bench()
        try bench.buy(100)
        let request = bench.request(source == .ownKey ? 0 : 40, source: source)
        let hold = try bench.ledger.hold(request, at: bench.at(0))
        let writes = bench.books.writes
        let failure = #expect(throws: Failure.self) {
            try bench.ledger.forfeit(from: bench.account, limit: 32, at: bench.at(1))
        }
        #expect(failure?.code == .conflict)
        #expect(bench.books.writes == writes)
        _ = try bench.ledger.release(hold.id, as: .released, at: bench.at(2))
        #expect(try bench.ledger.forfeit(from: bench.account, limit: 32, at: bench.at(3)) == 1)
    }
}
