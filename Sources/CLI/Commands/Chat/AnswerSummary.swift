import TollgateClient

/// What a person is told after an answer.
enum AnswerSummary {
    /// Tokens, cost and balance on one line.
    static func line(_ done: V1.AnswerDone, source: String) -> String {
        let tokens =
            Amounts.grouped(done.promptTokens.magnitude) + " + "
            + Amounts.count(done.completionTokens, "token") + (done.estimated ? " (estimated)" : "")
        let cost =
            switch source {
            case "trial": "free call, \(Amounts.count(done.trialLeftCalls, "free call")) left today"
            case "promotion": "free of charge"
            case "own_key": "under your own key"
            default: "cost \(Amounts.creditsWithUnit(done.chargedMicroCredits))"
            }
        return "[\(tokens) · \(cost) · "
            + "balance \(Amounts.creditsWithUnit(done.balanceMicroCredits))]"
    }

    /// What else is worth saying; nil if the answer just ended.
    ///
    /// - Parameter asked: The tokens that --max-tokens allowed; 0 for the model's own limit.
    static func remark(_ done: V1.AnswerDone, asked: Int64) -> String? {
        switch done.finishReason {
        case "length" where asked > 0 && done.completionTokens >= asked:
            "The answer reached its limit of tokens; --max-tokens raises it."
        case "length":
            "The answer reached its limit of tokens: what the model gives, or what your balance "
                + "covers."
        case "content_filter": "The provider's filter ended the answer."
        default: nil
        }
    }
}
