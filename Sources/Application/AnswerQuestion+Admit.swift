internal import Accounts
internal import Auth
internal import Chat
internal import Cryptography
internal import TollgateKernel

/// What the hold's transaction decided.
enum HoldVerdict: Sendable {
    case held(HoldGrant)
    case refused(Failure)
}

extension AnswerQuestion {
    /// Judges a question by everything that needs no account: shape, model, words.
    ///
    /// What the words came to is told only once the account was judged, in ``hold(_:)``: a read of
    /// its own before that would cost a turn of another thread for each question.
    func admit(_ question: Question) async throws -> AdmittedQuestion {
        let startedAt = ports.clock.now()
        try QuestionLimits.validate(question.turns)
        try QuestionLimits.validate(maxTokens: question.maxTokens)
        guard let requestID = IdempotencyKey(checking: question.requestID) else {
            throw Failure(
                .invalidRequest, "A request id has 1 to 64 visible ASCII characters.")
        }
        let offer = try await catalogue.snapshot()
        let model = try offer.model(question.model)
        let digest = try question.token.digest
        let asked = ChatQuestion(
            model: model.name, messages: question.turns, maxTokens: question.maxTokens)
        let judged = try await judge(asked, by: offer.words, for: digest, startedAt)
        return AdmittedQuestion(
            tokenDigest: digest, model: model, routes: offer.routes[model.name] ?? [],
            judged: judged, requestID: requestID, words: offer.words, startedAt: startedAt)
    }

    /// What the words of a question come to, and its fingerprint as it came; a long one is judged
    /// away from the event loop, and for nobody who is not signed in.
    private func judge(
        _ asked: ChatQuestion, by words: WordFilter, for digest: [UInt8], _ now: Timestamp
    ) async throws -> JudgedWords {
        let judge: @Sendable () throws -> JudgedWords = {
            let canonical = RequestFingerprint.canonicalBytes(
                model: asked.model, turns: asked.messages, maxTokens: asked.maxTokens)
            let hash = try SHA256.hash(canonical)
            switch SensitiveWordRule(words).judge(asked) {
            case .allow: return JudgedWords(asked: asked, requestHash: hash)
            case .rewrite(let rewritten): return JudgedWords(asked: rewritten, requestHash: hash)
            case .deny(let failure):
                return JudgedWords(asked: asked, refusal: failure, requestHash: hash)
            }
        }
        let bytes = asked.messages.reduce(0) { $0 + $1.content.utf8.count }
        guard bytes > Limits.chatBytesJudgedInPlace else { return try judge() }
        _ = try await ports.store.read { tx in try SignIn.identify(digest: digest, tx, now) }
        return try await heavyWork.run(judge)
    }

    /// Who asks, whether they may, counters and hold in one transaction: what pays, whether it
    /// covers the call, the reservation.
    func hold(_ admitted: AdmittedQuestion) async throws -> AppliedWrite<HoldVerdict> {
        let now = admitted.startedAt
        return try await ports.store.begin { [ports] tx in
            let session = try SignIn.session(digest: admitted.tokenDigest, tx, now)
            guard
                let standing = try tx.ledger.standing(
                    of: session.account, on: ShanghaiDay(now), requestID: admitted.requestID)
            else { throw SignIn.notSignedIn }
            if let refusal = try Self.refusal(of: admitted, standing, tx) {
                try tx.chat.insertRefusal(
                    account: session.account, model: admitted.model.name, code: refusal.code,
                    at: now)
                // A refusal is a value, not an error: its count must be kept.
                return .refused(refusal)
            }
            if let earlier = standing.earlier {
                return .refused(
                    Ledger.repeated(earlier, requestHash: admitted.judged.requestHash))
            }
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            guard let request = try Self.request(admitted, standing, ledger, ports.policy, now)
            else {
                let refusal = Failure(
                    .quotaExhausted,
                    "Your free call of today and your credits are used up; buy more to go on.")
                try tx.chat.insertRefusal(
                    account: session.account, model: admitted.model.name, code: refusal.code,
                    at: now)
                return .refused(refusal)
            }
            let hold = try ledger.holdNew(
                request.hold, from: request.lots, standing: standing, at: now)
            return .held(HoldGrant(hold: hold, maxTokens: request.maxTokens))
        }
    }

    /// What the rules say of the account, the model and the words, in that order.
    private static func refusal(
        of admitted: AdmittedQuestion, _ standing: Standing, _ tx: any Transaction
    ) throws -> Failure? {
        let facts = ChatFacts(
            isFrozen: standing.account.status != .active, model: admitted.model,
            isModelPermitted: try admitted.model.isOpenToAll
                || tx.accounts.isPermitted(admitted.model.name, for: standing.account.id))
        guard case .deny(let failure) = RuleChain.account.judge(admitted.judged.asked, facts) else {
            return admitted.judged.refusal
        }
        return failure
    }

    private static func request(
        _ admitted: AdmittedQuestion, _ standing: Standing, _ ledger: Ledger,
        _ policy: ServicePolicy, _ now: Timestamp
    ) throws -> (hold: HoldRequest, lots: SpendableLots?, maxTokens: Int64)? {
        let account = standing.account
        let source = Hold.Source.paying(
            isWhiteListed: account.isWhiteListed, trialUsed: standing.trialUsed,
            trialLimit: policy.trialCallsPerDay)
        let lots = source == .credits ? try ledger.spendable(by: account.id, at: now) : nil
        guard
            let plan = ChatPricing.holdPlan(
                messages: admitted.judged.asked.messages, price: admitted.model.price,
                requestedMaxTokens: admitted.judged.asked.maxTokens,
                modelMaxTokens: admitted.model.maxTokens, balance: lots?.credits)
        else { return nil }
        let hold = HoldRequest(
            account: account.id, requestID: admitted.requestID,
            requestHash: admitted.judged.requestHash, source: source, amount: plan.amount,
            trialDay: source == .trial ? ShanghaiDay(now) : nil,
            trialLimit: policy.trialCallsPerDay, expiresAt: policy.holdExpiry(from: now))
        return (hold, lots, plan.maxTokens)
    }
}
