package import TollgateKernel

/// What the rules may know beside the question; read in one go before the chain runs.
package struct ChatFacts: Hashable, Sendable {
    /// Whether an operator stopped the account.
    package var isFrozen: Bool
    /// The model asked for; nil if there is none of this name.
    package var model: ChatModel?
    /// Whether a purchase permitted the model to the account.
    package var isModelPermitted: Bool

    /// Makes the facts.
    package init(isFrozen: Bool, model: ChatModel?, isModelPermitted: Bool) {
        self.isFrozen = isFrozen
        self.model = model
        self.isModelPermitted = isModelPermitted
    }
}

/// What a rule says about a question.
package enum Verdict: Hashable, Sendable {
    /// It may go on as it is.
    case allow
    /// It may go on in this form.
    case rewrite(ChatQuestion)
    /// It may not go on.
    case deny(Failure)
}

/// One rule: a value that judges a question by the facts alone.
package protocol ChatRule: Sendable {
    /// Judges the question as the rules before left it.
    func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict
}

/// Rules in order, cheap to costly: what one rewrites, the next one sees; the first denial ends it.
package struct RuleChain: ChatRule {
    private let rules: [any ChatRule]

    /// Makes a chain.
    package init(_ rules: [any ChatRule]) { self.rules = rules }

    /// What every question's account is asked for, in the transaction that makes the hold.
    ///
    /// ``SensitiveWordRule`` asks the question alone and is judged before; the quota after, with
    /// the hold itself.
    package static let account = RuleChain([AccountStatusRule(), ModelPermissionRule()])

    package func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict {
        var current = question
        for rule in rules {
            switch rule.judge(current, facts) {
            case .allow: break
            case .rewrite(let rewritten): current = rewritten
            case .deny(let failure): return .deny(failure)
            }
        }
        return current == question ? .allow : .rewrite(current)
    }
}

/// A frozen account does not spend, whoever would pay.
package struct AccountStatusRule: ChatRule {
    /// Makes the rule.
    package init() {}

    package func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict {
        facts.isFrozen
            ? .deny(Failure(.accountFrozen, "This account is frozen; ask the operator."))
            : .allow
    }
}

/// A model must exist, be enabled, and be open to all or permitted by a purchase.
package struct ModelPermissionRule: ChatRule {
    /// Makes the rule.
    package init() {}

    package func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict {
        guard let model = facts.model, model.isEnabled, model.name == question.model else {
            return .deny(
                Failure(.notFound, "There is no such model; ask for the list of models."))
        }
        guard model.isOpenToAll || facts.isModelPermitted else {
            return .deny(
                Failure(
                    .modelNotPermitted,
                    "This model comes with a purchase; choose another or buy a product with it."))
        }
        return .allow
    }
}

/// Words that are refused or masked, in every turn: a client sends the history itself.
package struct SensitiveWordRule: ChatRule {
    private let words: WordFilter

    /// Makes the rule over a filter.
    package init(_ words: WordFilter) { self.words = words }

    package func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict {
        judge(question)
    }

    /// Judges the question: words need no facts.
    package func judge(_ question: ChatQuestion) -> Verdict {
        guard !words.isEmpty else { return .allow }
        var rewritten = question
        for (index, message) in question.messages.enumerated() {
            switch words.judge(message.content) {
            case .clean: break
            case .masked(let text): rewritten.messages[index].content = text
            case .refused:
                return .deny(
                    Failure(
                        .contentRefused,
                        "The question holds words that are not allowed here; put it differently."))
            }
        }
        return rewritten == question ? .allow : .rewrite(rewritten)
    }
}
