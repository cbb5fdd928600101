import CLI
import Testing

@Suite("Amounts as people read them")
struct AmountsTests {
    @Test(arguments: [
        (0, "0"), (1, "0.000001"), (500_000, "0.5"), (2_000_000, "2"), (-1_250_000, "-1.25"),
        (1_234_567_000_000, "1,234,567"), (Int64.min, "-9,223,372,036,854.775808"),
    ])
    func creditsHaveTheDecimalsTheyNeed(micro: Int64, text: String) {
        #expect(Amounts.credits(micro) == text)
    }

    @Test(arguments: [(1_000_000, "1 credit"), (-1_000_000, "-1 credit"), (10, "0.00001 credits")])
    func oneCreditIsSingular(micro: Int64, text: String) {
        #expect(Amounts.creditsWithUnit(micro) == text)
    }

    @Test(arguments: [(1, "+0.000001"), (0, "0"), (-2_000_000, "-2")])
    func changesShowTheirSign(micro: Int64, text: String) {
        #expect(Amounts.change(micro) == text)
    }

    @Test(arguments: [
        (0, "¥0.00"), (5, "¥0.05"), (990, "¥9.90"), (-12_345_678, "-¥123,456.78"),
        (Int64.min, "-¥92,233,720,368,547,758.08"),
    ])
    func fenAreShownAsYuan(fen: Int64, text: String) {
        #expect(Amounts.yuan(fen) == text)
    }

    @Test(arguments: [
        ("9.90", 990), ("9.9", 990), ("12", 1_200), ("1,000.05", 100_005), ("0", 0), ("9.905", nil),
        ("9.", nil), (".5", nil), ("-1", nil), ("¥1", nil), ("1e3", nil), ("", nil),
        ("92233720368547758.08", nil),
    ])
    func yuanAreReadToTheFen(text: String, fen: Int64?) {
        #expect(Amounts.parseYuan(text) == fen)
    }

    @Test(arguments: [(1, "1 token"), (0, "0 tokens"), (2_048, "2,048 tokens")])
    func countsAgreeWithTheirNoun(number: Int64, text: String) {
        #expect(Amounts.count(number, "token") == text)
    }
}
