import Accounts
import Testing
import TollgateKernel

/// The rules of statements over histories in memory; ``StatementContractTests`` has the stores.
@Suite("Monthly sums")
struct MonthlySumTests {
    private func statement(
        _ bench: Bench, _ month: ShanghaiMonth, at now: Timestamp, slice: Int = 10
    ) throws -> Statement {
        var sum = try MonthlySum(
            of: bench.account, for: month, at: now, ledgers: bench.books, accounts: bench.books)
        while !sum.isComplete { try sum.step(bench.books, limit: slice) }
        return try sum.statement()
    }

    private func buy(_ bench: Bench, _ number: Int, at moment: Timestamp) throws {
        _ = try bench.ledger.grant(
            Credits(micro: 1), to: bench.account, kind: .purchase, from: .issued,
            key: "k\(number)", origin: .order, order: nil, reference: "r", expiresAt: nil,
            at: moment)
    }

    @Test func `every kind that touches a customer is told in its direction`() throws {
        let bench = try Bench()
        let month = ShanghaiMonth(bench.at(0))
        let start = bench.at(0)
        _ = try bench.ledger.grant(
            Credits(micro: 100), to: bench.account, kind: .welcome, from: .promotion, key: "w",
            origin: .welcome, order: nil, reference: "w", expiresAt: bench.at(700), at: start)
        try bench.buy(1_000)
        let hold = try bench.ledger.hold(bench.request(300), at: start)
        _ = try bench.ledger.settle(hold.id, price: Credits(micro: 60), at: bench.at(1))
        _ = try bench.ledger.takeBack(
            Credits(micro: 5), from: bench.account, key: "t", reference: "t", at: bench.at(2))
        let idle = try statement(bench, month, at: bench.at(3))
        #expect(idle.open == OpenReservations(held: 0, calls: 0))
        _ = try bench.ledger.hold(bench.request(40), at: bench.at(4))
        let busy = try statement(bench, month, at: bench.at(4))
        #expect(busy.open == OpenReservations(held: 40, calls: 1))
        #expect(busy.closing == 1_035)
        // What the welcome grant has left is given back after its time.
        #expect(try bench.sweepHolds(at: 800, limit: 9) == 1)
        let told = try statement(bench, month, at: bench.at(900))
        #expect(
            told.totals == [
                MovementTotal(kind: .welcome, count: 1, credited: 100, debited: 0),
                MovementTotal(kind: .purchase, count: 1, credited: 1_000, debited: 0),
                MovementTotal(kind: .usage, count: 1, credited: 0, debited: 60),
                MovementTotal(kind: .expiry, count: 1, credited: 0, debited: 35),
                MovementTotal(kind: .adjustment, count: 1, credited: 0, debited: 5),
            ])
        #expect(
            [told.opening, told.credited, told.debited, told.closing] == [0, 1_100, 100, 1_000])
        #expect(told.closing == bench.balance[0])
    }

    @Test func `a month is found by halving, however long the history is`() throws {
        let bench = try Bench()
        let month = ShanghaiMonth(bench.at(0))
        // A thousand movements a quarter of an hour apart, from the month's beginning on.
        for number in 0..<1_000 {
            try buy(
                bench, number,
                at: month.start.adding(milliseconds: Int64(number) * 4 * 900_000))
        }
        let now = month.next.end
        for asked in [month, month.next] {
            let before = bench.books.calls
            var sum = try MonthlySum(
                of: bench.account, for: asked, at: now, ledgers: bench.books,
                accounts: bench.books)
            // Ten look-ups find one of a thousand; two balances, the row and the free calls.
            #expect(bench.books.calls - before <= 2 * 10 + 4)
            try sum.step(bench.books, limit: .max)
            #expect(try sum.statement().places.count == (asked == month ? 720 : 280))
        }
    }

    @Test func `a clock that was far ahead keeps later movements for its month`() throws {
        let bench = try Bench()
        let month = ShanghaiMonth(bench.at(0))
        try buy(bench, 1, at: month.start)
        try buy(bench, 2, at: month.next.start)
        try buy(bench, 3, at: month.start.adding(milliseconds: 5))
        let now = month.start.adding(milliseconds: 6)
        let told = try statement(bench, month, at: now)
        #expect(told.places == 1..<2)
        #expect(told.closing == 1)
        #expect(try statement(bench, month.next, at: month.next.start).opening == 1)
        #expect(try statement(bench, month.next, at: month.next.start).closing == 3)
    }
}
