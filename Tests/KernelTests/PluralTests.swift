import Testing
import TollgateKernel

@Suite struct PluralTests {
    @Test(arguments: [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_001, "1001 rows")])
    func oneIsNotMany(count: Int, text: String) {
        #expect(Plural.of(count, "row") == text)
        #expect(Plural.of(Int64(count), "row") == text)
    }
}
