import Testing
import TollgateKernel

/// Money and credits as people read them.
@Suite struct AmountTests {
    @Test(arguments: [
        (Int64(0), "¥0.00"), (1, "¥0.01"), (10, "¥0.10"), (99, "¥0.99"), (100, "¥1.00"),
        (1_234, "¥12.34"), (-5, "-¥0.05"), (-1_200, "-¥12.00"),
        (.max, "¥92233720368547758.07"), (.min, "-¥92233720368547758.08"),
    ])
    func `money is told in yuan with two decimals`(fen: Int64, text: String) {
        #expect(Money(fen: fen).description == text)
    }

    @Test(arguments: [
        (Int64(0), "0"), (1, "0.000001"), (500_000, "0.5"), (1_000_000, "1"),
        (1_234_567, "1.234567"), (12_000_000, "12"), (12_050_000, "12.05"),
        (-500_000, "-0.5"), (-2_000_000, "-2"), (.max, "9223372036854.775807"),
        (.min, "-9223372036854.775808"),
    ])
    func `credits are told with the decimals they have`(micro: Int64, text: String) {
        #expect(Credits(micro: micro).description == text)
    }

    @Test func `credits add, subtract and compare exactly`() {
        var balance = Credits(whole: 3)
        balance -= Credits(micro: 1)
        #expect(balance == Credits(micro: 2_999_999))
        balance += Credits(micro: 1)
        #expect(balance == Credits(whole: 3))
        #expect(Credits(whole: 1) - Credits(whole: 2) < .zero)
        #expect(Money(fen: -1) < .zero && Money(fen: 2) > Money(fen: 1))
    }

    @Test func `nine thousand of the largest transfers fit one number`() {
        let sum = Limits.creditsInOneTransfer.multipliedReportingOverflow(by: 9_000)
        #expect(!sum.overflow)
    }
}
