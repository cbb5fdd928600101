package import TollgateKernel

/// What calls cost, and what has to be reserved for them.
package enum ChatPricing {
    /// The price of a call: each component rounded up to a whole micro-credit.
    ///
    /// Never above ``Limits/creditsInOneTransfer``, whatever a provider says it used.
    ///
    /// - Parameter factor: what the account's tier multiplies each component by.
    package static func price(
        of usage: TokenUsage, at price: ChatPrice, factor: PriceFactor = .one
    ) -> Credits {
        let exact =
            Int128(factor.applied(to: price.perCall).micro)
            + cost(of: usage.promptTokens, perThousand: price.perThousandPromptTokens, factor)
            + cost(
                of: usage.completionTokens, perThousand: price.perThousandCompletionTokens, factor)
        return Credits(micro: Int64(min(exact, Int128(Limits.creditsInOneTransfer))))
    }

    /// The most tokens a prompt can be: a token is at least one byte of UTF-8, and each turn has
    /// ``Limits/chatTokensAroundTurn`` around it.
    package static func promptTokenBound(of messages: [ChatMessage]) -> Int64 {
        messages.reduce(0) { $0 + Int64($1.content.utf8.count) + Limits.chatTokensAroundTurn }
    }

    /// What to reserve for a call, and how long its answer may be.
    ///
    /// The answer's length is what was asked for, at most the model's own limit, lowered to what
    /// the balance covers. Nil if that leaves fewer than ``Limits/chatLeastTokens`` (or fewer than
    /// were asked for, if those are fewer still): the quota is exhausted.
    ///
    /// - Parameters:
    ///   - requestedMaxTokens: zero is the model's own limit.
    ///   - factor: what the account's tier multiplies prices by.
    ///   - balance: what the account can reserve; nil if somebody else pays (trial, promotion).
    package static func holdPlan(
        messages: [ChatMessage], price: ChatPrice, requestedMaxTokens: Int64,
        modelMaxTokens: Int64, factor: PriceFactor = .one, balance: Credits?
    ) -> HoldPlan? {
        let promptBound = promptTokenBound(of: messages)
        let asked =
            requestedMaxTokens > 0 ? min(requestedMaxTokens, modelMaxTokens) : modelMaxTokens
        guard asked > 0 else { return nil }
        let most = min(balance?.micro ?? .max, Limits.creditsInOneTransfer)
        let left =
            Int128(most) - Int128(factor.applied(to: price.perCall).micro)
            - cost(of: promptBound, perThousand: price.perThousandPromptTokens, factor)
        guard left >= 0 else { return nil }
        var maxTokens = asked
        let perThousand =
            Int128(price.perThousandCompletionTokens.micro) * Int128(factor.numerator)
        if perThousand > 0 {
            // The rounded-up price of t tokens is at most `left` exactly if
            // t × price × numerator ≤ left × 1000 × denominator.
            let covered = left * 1_000 * Int128(factor.denominator) / perThousand
            maxTokens = Int64(min(Int128(asked), covered))
        }
        guard maxTokens >= min(asked, Limits.chatLeastTokens) else { return nil }
        let bound = TokenUsage(promptTokens: promptBound, completionTokens: maxTokens)
        return HoldPlan(
            promptTokenBound: promptBound, maxTokens: maxTokens,
            amount: ChatPricing.price(of: bound, at: price, factor: factor))
    }

    private static func cost(
        of tokens: Int64, perThousand: Credits, _ factor: PriceFactor
    ) -> Int128 {
        let divisor = 1_000 * Int128(factor.denominator)
        let exact = Int128(tokens) * Int128(perThousand.micro) * Int128(factor.numerator)
        return (exact + divisor - 1) / divisor
    }
}

/// What is reserved for a call before it starts.
package struct HoldPlan: Hashable, Sendable {
    /// The most tokens the prompt can be.
    package var promptTokenBound: Int64
    /// The `max_tokens` to send upstream.
    package var maxTokens: Int64
    /// The price of both: what the call can cost at most.
    package var amount: Credits

    /// Makes a plan.
    package init(promptTokenBound: Int64, maxTokens: Int64, amount: Credits) {
        self.promptTokenBound = promptTokenBound
        self.maxTokens = maxTokens
        self.amount = amount
    }
}
