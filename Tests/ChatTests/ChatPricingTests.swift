import Chat
import Testing
import TollgateKernel

@Suite("Prices and hold plans")
struct ChatPricingTests {
    private func price(_ call: Int64, _ prompt: Int64, _ completion: Int64) -> ChatPrice {
        ChatPrice(
            perCall: Credits(micro: call), perThousandPromptTokens: Credits(micro: prompt),
            perThousandCompletionTokens: Credits(micro: completion))
    }

    private func messages(_ texts: String...) -> [ChatMessage] {
        texts.map { ChatMessage(role: .user, content: $0) }
    }

    @Test(
        arguments: [
            (Int64(0), Int64(0), Int64(10)), (1, 0, 11), (0, 1, 11), (1_000, 0, 13),
            (1_001, 0, 14), (1, 1, 12), (1_000, 1_000, 20), (999, 999, 20), (2_000, 3_000, 37),
        ])
    func eachComponentIsRoundedUp(prompt: Int64, completion: Int64, expected: Int64) {
        let usage = TokenUsage(promptTokens: prompt, completionTokens: completion)
        let cost = ChatPricing.price(of: usage, at: price(10, 3, 7))
        #expect(cost == Credits(micro: expected))
    }

    @Test func absurdUsageCostsTheMostATransferCanMove() {
        let usage = TokenUsage(promptTokens: .max, completionTokens: .max)
        let cost = ChatPricing.price(of: usage, at: price(.max, .max, .max))
        #expect(cost == Credits(micro: Limits.creditsInOneTransfer))
    }

    @Test func thePromptIsBoundedByItsBytes() {
        #expect(ChatPricing.promptTokenBound(of: messages("abc", "你好")) == 3 + 6 + 16)
        #expect(ChatPricing.promptTokenBound(of: []) == 0)
    }

    @Test func aPlanHoldsThePromptAndTheAskedForLength() throws {
        let plan = try #require(
            ChatPricing.holdPlan(
                messages: messages("12345678"), price: price(100, 1_000, 2_000),
                requestedMaxTokens: 500, modelMaxTokens: 4_000, balance: Credits(micro: 10_000)))
        #expect(
            plan
                == HoldPlan(
                    promptTokenBound: 16, maxTokens: 500, amount: Credits(micro: 100 + 16 + 1_000)))
    }

    @Test(
        arguments: [
            (Int64(0), Int64(4_000)), (500, 500), (4_000, 4_000), (9_000, 4_000), (-1, 4_000),
            (1, 1),
        ])
    func theLengthIsWhatWasAskedForUpToTheModelsOwn(requested: Int64, expected: Int64) {
        let plan = ChatPricing.holdPlan(
            messages: messages("hi"), price: price(0, 1, 1), requestedMaxTokens: requested,
            modelMaxTokens: 4_000, balance: Credits(whole: 1))
        #expect(plan?.maxTokens == expected)
    }

    /// Balance, asked-for length, planned length, at ten micro-credits a token and 116 before the
    /// first one.
    private static let loweredLengths: [(Int64, Int64, Int64?)] = [
        (5_116, 500, 500), (5_115, 500, 499), (756, 500, 64), (755, 500, nil), (116, 500, nil),
        (115, 500, nil), (0, 500, nil), (746, 63, 63), (745, 63, nil), (126, 1, 1), (125, 1, nil),
    ]

    @Test(arguments: loweredLengths)
    func theLengthIsLoweredToWhatTheBalanceCovers(
        balance: Int64, requested: Int64, expected: Int64?
    ) {
        let plan = ChatPricing.holdPlan(
            messages: messages("12345678"), price: price(100, 1_000, 10_000),
            requestedMaxTokens: requested, modelMaxTokens: 4_000, balance: Credits(micro: balance))
        #expect(plan?.maxTokens == expected)
        if let plan { #expect(plan.amount <= Credits(micro: balance)) }
    }

    @Test func aPlanIsTheLongestThatTheBalanceCovers() {
        var numbers = SeededNumbers(seed: 1)
        for _ in 0..<500 {
            let price = price(
                .random(in: 0...50, using: &numbers), .random(in: 0...5_000, using: &numbers),
                .random(in: 0...5_000, using: &numbers))
            let balance = Int64.random(in: 0...3_000, using: &numbers)
            let asked = Int64.random(in: 1...1_000, using: &numbers)
            let plan = ChatPricing.holdPlan(
                messages: messages("hello"), price: price, requestedMaxTokens: asked,
                modelMaxTokens: 800, balance: Credits(micro: balance))
            // The same by trying every length.
            let affordable = (1...min(asked, 800)).filter { tokens in
                let usage = TokenUsage(promptTokens: 13, completionTokens: tokens)
                return ChatPricing.price(of: usage, at: price) <= Credits(micro: balance)
            }
            let longest = affordable.last ?? 0
            #expect(plan?.maxTokens == (longest >= min(asked, 800, 64) ? longest : nil))
        }
    }

    @Test func aFreeModelIsPlannedOnNoBalance() {
        let plan = ChatPricing.holdPlan(
            messages: messages("hi"), price: price(0, 0, 0), requestedMaxTokens: 0,
            modelMaxTokens: 100, balance: .zero)
        #expect(plan == HoldPlan(promptTokenBound: 10, maxTokens: 100, amount: .zero))
    }

    @Test func nobodysBalanceLimitsAFreeCall() {
        let plan = ChatPricing.holdPlan(
            messages: messages("hi"), price: price(1_000_000, 1, 1), requestedMaxTokens: 0,
            modelMaxTokens: 100, balance: nil)
        #expect(plan?.maxTokens == 100)
        #expect(plan?.amount == Credits(micro: 1_000_002))
    }

    @Test func hugeNumbersPlanNothingAboveATransfer() throws {
        #expect(
            ChatPricing.holdPlan(
                messages: messages("hi"), price: price(.max, .max, .max), requestedMaxTokens: .max,
                modelMaxTokens: .max, balance: Credits(micro: .max)) == nil)
        let plan = try #require(
            ChatPricing.holdPlan(
                messages: messages("hi"), price: price(0, 0, 1_000_000), requestedMaxTokens: .max,
                modelMaxTokens: .max, balance: nil))
        #expect(plan.amount == Credits(micro: Limits.creditsInOneTransfer))
    }

    @Test func aModelWithoutAnswersPlansNothing() {
        #expect(
            ChatPricing.holdPlan(
                messages: messages("hi"), price: price(0, 0, 0), requestedMaxTokens: 0,
                modelMaxTokens: 0, balance: nil) == nil)
    }

    @Test(
        arguments: [
            ("", Int64(0)), ("a", 1), ("abcd", 1), ("abcde", 2), ("你好", 2), ("你好ab", 3),
            ("привет", 3), ("😀", 1), ("한국어", 3), ("ＡＢ", 2), ("、。", 2),
        ])
    func theEstimateCountsWideCharactersAndBytes(text: String, tokens: Int64) {
        #expect(TokenEstimate(text).tokens == tokens)
    }

    @Test func piecesAreEstimatedLikeTheWhole() {
        let text = "Hello, 世界! Привет 😀 and more text."
        var pieces = TokenEstimate()
        for character in text { pieces.add(String(character)) }
        #expect(pieces == TokenEstimate(text))
    }

    @Test func anEstimateIsNeverAboveWhatWasReserved() {
        for text in ["a", "你", "é", "😀😀", "hello 世界", "\u{301}\u{301}", " "] {
            let prompt = messages(text, text)
            #expect(
                TokenEstimate.promptTokens(of: prompt) <= ChatPricing.promptTokenBound(of: prompt))
        }
        let usage = TokenEstimate.usage(
            prompt: messages("abcd", "你好"), answer: TokenEstimate("好的ok"))
        #expect(usage == TokenUsage(promptTokens: 1 + 4 + 2 + 4, completionTokens: 3))
    }
}
