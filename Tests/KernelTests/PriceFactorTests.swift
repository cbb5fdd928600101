import Testing
import TollgateKernel

@Suite("Price factors")
struct PriceFactorTests {
    @Test(
        arguments: [
            (10, 4, 5, 8), (1, 4, 5, 1), (0, 4, 5, 0), (7, 3, 2, 11), (7, 0, 1, 0), (5, 1, 1, 5),
            (1_000_000_000_000_000, 1_000, 1, 1_000_000_000_000_000_000),
        ] as [(Int64, Int64, Int64, Int64)])
    func anAmountIsRoundedUp(micro: Int64, above: Int64, below: Int64, result: Int64) throws {
        let factor = try #require(PriceFactor(numerator: above, denominator: below))
        #expect(factor.applied(to: Credits(micro: micro)) == Credits(micro: result))
    }

    @Test(arguments: [(-1, 1), (1, 0), (1, -1), (1_001, 1), (1, 1_000_001)] as [(Int64, Int64)])
    func whatIsNoFactorIsRefused(above: Int64, below: Int64) {
        #expect(PriceFactor(numerator: above, denominator: below) == nil)
    }
}
