import Orders
import Testing
import TollgateKernel

@Suite("Numbers, questions and payments")
struct PaymentTests {
    @Test func aNumberIsTheOrdersIdentifierInTheLegalAlphabet() {
        let number = OrderNumber.outTradeNumber(for: OrderID(rawValue: .max))
        #expect(number == "TG7ZZZZZZZZZZZZ")
        #expect(OrderNumber.outTradeNumber(for: OrderID(rawValue: 1)) == "TG0000000000001")
        let legal = Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_|*-")
        #expect(number.count == 15 && number.allSatisfy(legal.contains))
    }

    @Test func noTwoOrdersHaveOneNumber() {
        for raw in [Int64(1), 77, 1_700_000_000_000, .max] {
            let order = OrderID(rawValue: raw)
            let number = OrderNumber.outTradeNumber(for: order)
            // Nothing of the identifier is lost in it.
            #expect(number.hasPrefix("TG") && OrderID(text: String(number.dropFirst(2))) == order)
        }
    }

    private let created = Timestamp(seconds: 1_700_000_000)

    @Test func theFirstQuestionIsAskedAMinuteAfterTheOrder() {
        let later = created.adding(milliseconds: 999_999)
        #expect(
            QueryBackOff().nextQuery(after: 0, createdAt: created, now: later)
                == created.adding(milliseconds: 60_000))
    }

    @Test func pausesDoubleUpToTenMinutes() {
        let now = created.adding(milliseconds: 5_000)
        let pauses = (1...8).map { count in
            QueryBackOff().nextQuery(after: Int64(count), createdAt: created, now: now).milliseconds
                - now.milliseconds
        }
        #expect(
            pauses == [
                120_000, 240_000, 480_000, 600_000, 600_000, 600_000, 600_000, 600_000,
            ])
        #expect(
            QueryBackOff().nextQuery(after: .max, createdAt: created, now: now)
                == now.adding(milliseconds: 600_000))
    }

    @Test func anOrderIsAskedAboutABoundedNumberOfTimes() {
        var now = created
        var questions: Int64 = 0
        let end = created.adding(milliseconds: 7_200_000)
        while true {
            now = QueryBackOff().nextQuery(after: questions, createdAt: created, now: now)
            guard now < end else { break }
            questions += 1
        }
        #expect(questions == 14)
    }

    @Test func aDemoCanBeQuick() {
        let quick = QueryBackOff(firstMilliseconds: 500, longestMilliseconds: 1_500)
        #expect(
            quick.nextQuery(after: 0, createdAt: created, now: created)
                == created.adding(milliseconds: 500))
        #expect(
            (1...3).map {
                quick.nextQuery(after: $0, createdAt: created, now: created).milliseconds
                    - created.milliseconds
            } == [1_000, 1_500, 1_500])
    }

    @Test func pausesAreNeverNothing() {
        for backOff in [
            QueryBackOff(firstMilliseconds: 0, longestMilliseconds: 0),
            QueryBackOff(firstMilliseconds: -5), QueryBackOff(longestMilliseconds: -5),
            QueryBackOff(firstMilliseconds: .max, longestMilliseconds: 10),
        ] {
            #expect(backOff.firstMilliseconds >= 1)
            #expect(backOff.longestMilliseconds >= backOff.firstMilliseconds)
        }
    }

    private func trade(_ change: (inout RemoteTrade) -> Void = { _ in }) -> RemoteTrade {
        var trade = RemoteTrade(
            appID: "wx1", merchantID: "m1", outTradeNumber: sampleOrder(.created).outTradeNumber,
            transactionID: "4200001", state: .success, total: Money(fen: 990), currency: "CNY",
            paidAt: Timestamp(seconds: 1_700_000_050))
        change(&trade)
        return trade
    }

    private func matches(_ change: (inout RemoteTrade) -> Void = { _ in }) -> Bool {
        PaymentCheck.judge(trade: trade(change), order: sampleOrder(.awaitingPayment)) == .matches
    }

    @Test func aPaidTradeOfTheRightAmountMatches() {
        #expect(matches())
        #expect(matches { $0.state = .refunded })
    }

    @Test(arguments: [RemoteTrade.State.notPaid, .closed, .other])
    func aTradeThatIsNotPaidDoesNot(state: RemoteTrade.State) {
        #expect(!matches { $0.state = state })
    }

    @Test(arguments: [Int64(989), 991, 0, -990, 99_000])
    func anotherAmountDoesNot(fen: Int64) {
        #expect(!matches { $0.total = Money(fen: fen) })
    }

    @Test(arguments: ["USD", "cny", "", "RMB"])
    func anotherCurrencyDoesNot(currency: String) {
        #expect(!matches { $0.currency = currency })
    }

    @Test func anotherNumberDoesNot() {
        #expect(!matches { $0.outTradeNumber = "TG0000000000002" })
    }

    @Test func whatIsLeftOutMatchesNothing() {
        #expect(!matches { $0.total = nil })
        #expect(!matches { $0.currency = nil })
        #expect(!matches { $0.transactionID = nil })
        #expect(!matches { $0.transactionID = "" })
    }

    @Test func theOperatorIsToldBothAmounts() {
        let judged = PaymentCheck.judge(
            trade: trade { $0.total = Money(fen: 1) }, order: sampleOrder(.awaitingPayment))
        #expect(judged == .mismatch("The trade tells ¥0.01, the order costs ¥9.90."))
    }
}
