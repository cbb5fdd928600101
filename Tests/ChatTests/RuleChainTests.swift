import Chat
import Testing
import TollgateKernel

@Suite("The rule chain")
struct RuleChainTests {
    /// A rule that adds a letter, to see what the next one gets.
    private struct Appending: ChatRule {
        let letter: String

        func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict {
            var rewritten = question
            rewritten.messages[0].content += letter
            return .rewrite(rewritten)
        }
    }

    /// A rule that refuses with the text it sees.
    private struct Denying: ChatRule {
        func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict {
            .deny(Failure(.forbidden, question.messages[0].content))
        }
    }

    private struct Allowing: ChatRule {
        func judge(_ question: ChatQuestion, _ facts: ChatFacts) -> Verdict { .allow }
    }

    private func question(_ texts: String...) -> ChatQuestion {
        ChatQuestion(
            model: ModelName(rawValue: "demo"),
            messages: texts.map { ChatMessage(role: .user, content: $0) }, maxTokens: 0)
    }

    private func facts(
        isFrozen: Bool = false, hasModel: Bool = true, isOpenToAll: Bool = true,
        isEnabled: Bool = true, isModelPermitted: Bool = false, name: String = "demo"
    ) -> ChatFacts {
        let price = ChatPrice(
            perCall: .zero, perThousandPromptTokens: .zero, perThousandCompletionTokens: .zero)
        let model = ChatModel(
            name: ModelName(rawValue: name), summary: "", price: price, maxTokens: 100,
            isOpenToAll: isOpenToAll, isEnabled: isEnabled, position: 0)
        return ChatFacts(
            isFrozen: isFrozen, model: hasModel ? model : nil, isModelPermitted: isModelPermitted)
    }

    private func denial(_ verdict: Verdict) -> Failure.Code? {
        guard case .deny(let failure) = verdict else { return nil }
        return failure.code
    }

    @Test func theNextRuleSeesWhatTheOneBeforeRewrote() {
        let chain = RuleChain([Appending(letter: "b"), Allowing(), Appending(letter: "c")])
        #expect(chain.judge(question("a"), facts()) == .rewrite(question("abc")))
        let denying = RuleChain([Appending(letter: "b"), Denying(), Appending(letter: "c")])
        #expect(denying.judge(question("a"), facts()) == .deny(Failure(.forbidden, "ab")))
    }

    @Test func theFirstDenialEndsTheChain() {
        let chain = RuleChain([AccountStatusRule(), Denying()])
        #expect(denial(chain.judge(question("a"), facts(isFrozen: true))) == .accountFrozen)
    }

    @Test func rulesThatChangeNothingAllow() {
        #expect(RuleChain([]).judge(question("a"), facts()) == .allow)
        let chain = RuleChain([Allowing(), Allowing()])
        #expect(chain.judge(question("a"), facts()) == .allow)
    }

    @Test func aChainOfOneSaysWhatItsRuleSays() {
        #expect(
            RuleChain([Appending(letter: "b")]).judge(question("a"), facts())
                == .rewrite(question("ab")))
        #expect(
            RuleChain([Denying()]).judge(question("a"), facts()) == .deny(Failure(.forbidden, "a"))
        )
    }

    @Test func aFrozenAccountDoesNotAsk() {
        #expect(
            denial(AccountStatusRule().judge(question("a"), facts(isFrozen: true)))
                == .accountFrozen)
        #expect(AccountStatusRule().judge(question("a"), facts()) == .allow)
    }

    @Test func aModelMustBeOfferedAndPermitted() {
        let rule = ModelPermissionRule()
        #expect(denial(rule.judge(question("a"), facts(hasModel: false))) == .notFound)
        #expect(denial(rule.judge(question("a"), facts(isEnabled: false))) == .notFound)
        #expect(denial(rule.judge(question("a"), facts(name: "other"))) == .notFound)
        #expect(denial(rule.judge(question("a"), facts(isOpenToAll: false))) == .modelNotPermitted)
        #expect(
            rule.judge(question("a"), facts(isOpenToAll: false, isModelPermitted: true)) == .allow)
        #expect(rule.judge(question("a"), facts()) == .allow)
    }

    @Test func wordsAreMaskedOrRefusedInEveryTurn() {
        let words = WordFilter([
            SensitiveWord(word: "darn", action: .mask),
            SensitiveWord(word: "bomb", action: .refuse),
        ])
        let rule = SensitiveWordRule(words)
        #expect(rule.judge(question("fine", "also fine"), facts()) == .allow)
        #expect(
            rule.judge(question("Oh DARN it", "darn"), facts())
                == .rewrite(question("Oh **** it", "****")))
        #expect(denial(rule.judge(question("a Bomb", "fine"), facts())) == .contentRefused)
        #expect(denial(rule.judge(question("darn", "bomb"), facts())) == .contentRefused)
    }

    @Test func theChainOfAnAccountGoesFromCheapToCostly() {
        let everything = facts(isFrozen: true, isOpenToAll: false)
        #expect(denial(RuleChain.account.judge(question("hello"), everything)) == .accountFrozen)
        let notFrozen = facts(isOpenToAll: false)
        #expect(
            denial(RuleChain.account.judge(question("hello"), notFrozen)) == .modelNotPermitted)
        #expect(RuleChain.account.judge(question("hello"), facts()) == .allow)
    }

    @Test func refusalsNeverRepeatTheWords() {
        let rule = SensitiveWordRule(WordFilter([SensitiveWord(word: "bomb", action: .refuse)]))
        guard case .deny(let failure) = rule.judge(question("bomb"), facts()) else {
            Issue.record("not refused")
            return
        }
        #expect(!failure.message.contains("bomb"))
    }
}
