import Chat
import Testing
import TollgateKernel

@Suite("Prices of tiers")
struct PriceFactorPricingTests {
    private static let price = ChatPrice(
        perCall: Credits(micro: 1_001), perThousandPromptTokens: Credits(micro: 333),
        perThousandCompletionTokens: Credits(micro: 777))
    private static let usage = TokenUsage(promptTokens: 10, completionTokens: 20)

    @Test func `Each part is multiplied and rounded up once`() throws {
        let factor = try #require(PriceFactor(numerator: 4, denominator: 5))
        // 800.8 + 2.664 + 12.432
        #expect(
            ChatPricing.price(of: Self.usage, at: Self.price, factor: factor)
                == Credits(micro: 801 + 3 + 13))
        #expect(
            ChatPricing.price(of: Self.usage, at: Self.price)
                == ChatPricing.price(of: Self.usage, at: Self.price, factor: .one))
        let free = try #require(PriceFactor(numerator: 0, denominator: 1))
        #expect(ChatPricing.price(of: Self.usage, at: Self.price, factor: free) == .zero)
    }

    @Test func `What is reserved covers the longest answer, and no longer one would fit`() throws {
        var numbers = SeededNumbers(seed: 20_261_125)
        for _ in 0..<2_000 {
            let factor = try #require(
                PriceFactor(
                    numerator: Int64.random(in: 1...40, using: &numbers),
                    denominator: Int64.random(in: 1...20, using: &numbers)))
            let balance = Credits(micro: Int64.random(in: 0...20_000, using: &numbers))
            let messages = [ChatMessage(role: .user, content: "hello")]
            let plan = ChatPricing.holdPlan(
                messages: messages, price: Self.price, requestedMaxTokens: 0,
                modelMaxTokens: 4_096, factor: factor, balance: balance)
            func amount(_ tokens: Int64) -> Credits {
                let usage = TokenUsage(
                    promptTokens: ChatPricing.promptTokenBound(of: messages),
                    completionTokens: tokens)
                return ChatPricing.price(of: usage, at: Self.price, factor: factor)
            }
            guard let plan else {
                #expect(amount(Limits.chatLeastTokens) > balance)
                continue
            }
            #expect(plan.amount == amount(plan.maxTokens))
            #expect(plan.amount <= balance)
            if plan.maxTokens < 4_096 { #expect(amount(plan.maxTokens + 1) > balance) }
        }
    }
}
