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
    /// Judges a question by everything that needs no write: shape, session, model, words.
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
        let proof = try Caller.Proof(question.caller)
        let (caller, isPermitted) = try await ports.store.read { tx in
            let caller = try Caller.identify(proof, tx, startedAt)
            let isPermitted =
                try model.isOpenToAll
                || tx.accounts.isPermitted(model.name, for: caller.account.id)
            return (caller, isPermitted)
        }
        let account = caller.account
        let asked = ChatQuestion(
            model: model.name, messages: question.turns, maxTokens: question.maxTokens)
        let facts = ChatFacts(
            isFrozen: account.status == .frozen, model: model, isModelPermitted: isPermitted)
        let judged: ChatQuestion
        let requestHash: [UInt8]
        do {
            if let refusal = caller.apiKey?.refusal(of: model.name) { throw refusal }
            (judged, requestHash) = try await judge(asked, facts, by: offer.words)
        } catch let failure as Failure {
            try await recordRefusal(failure, of: account.id, model: model.name)
            throw failure
        }
        return AdmittedQuestion(
            account: account, apiKey: caller.apiKey?.id, model: model,
            routes: offer.routes[model.name] ?? [],
            turns: judged.messages, maxTokens: question.maxTokens, requestID: requestID,
            requestHash: requestHash, words: offer.words, startedAt: startedAt)
    }

    /// The question as the rules leave it, and its fingerprint as it came; a long one is judged
    /// away from the event loop.
    private func judge(
        _ asked: ChatQuestion, _ facts: ChatFacts, by words: WordFilter
    ) async throws -> (judged: ChatQuestion, requestHash: [UInt8]) {
        let judge: @Sendable () throws -> (ChatQuestion, [UInt8]) = {
            let judged = try RuleChain.standard(words: words).apply(to: asked, facts)
            let canonical = RequestFingerprint.canonicalBytes(
                model: asked.model, turns: asked.messages, maxTokens: asked.maxTokens)
            return (judged, try SHA256.hash(canonical))
        }
        let bytes = asked.messages.reduce(0) { $0 + $1.content.utf8.count }
        return bytes <= Limits.chatBytesJudgedInPlace ? try judge() : try await heavyWork.run(judge)
    }

    /// Counters and hold in one transaction: what pays, whether it covers the call, the
    /// reservation.
    func hold(_ admitted: AdmittedQuestion) async throws -> AppliedWrite<HoldVerdict> {
        let now = admitted.startedAt
        return try await ports.store.begin { [ports] tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            if let duplicate = try ledger.duplicate(
                of: admitted.account.id, requestID: admitted.requestID,
                requestHash: admitted.requestHash)
            {
                return .refused(duplicate)
            }
            // Judged again on what stands now: an operator may have frozen the account meanwhile.
            guard let account = try tx.accounts.account(admitted.account.id),
                account.status == .active
            else {
                return try Self.refuse(
                    Failure(.accountFrozen, "This account is frozen; ask the operator why."),
                    admitted, tx, now)
            }
            // So is the key: it may be revoked by now, and others count in it.
            let key = try Self.key(of: admitted, tx)
            if let refusal = key?.refusal(at: now) {
                return try Self.refuse(refusal, admitted, tx, now)
            }
            let trial = try tx.accounts.trialDay(
                of: admitted.account.id, on: ShanghaiDay(now))
            let source = Hold.Source.paying(
                isWhiteListed: account.isWhiteListed, trialUsed: trial.used,
                trialLimit: ports.policy.trialCallsPerDay)
            let planned = try Self.plan(
                admitted, source, key, account.tier, ledger, ports.policy, now)
            guard case .reserve(let wanted) = planned else {
                return try Self.refuse(planned.refusal, admitted, tx, now)
            }
            let hold: Hold
            do {
                hold = try ledger.holdNew(wanted.request, from: wanted.lots, at: now)
            } catch let failure as Failure {
                // A rule refuses before it writes: limits of the account, mostly.
                return try Self.refuse(failure, admitted, tx, now)
            }
            if let key { try tx.apiKeys.saveUse(of: key.used(at: now)) }
            return .held(
                HoldGrant(
                    hold: hold, maxTokens: wanted.maxTokens,
                    priceFactor: account.tier.priceFactor))
        }
    }

    /// A refusal is a value, not an error: its count must be kept.
    private static func refuse(
        _ failure: Failure, _ admitted: AdmittedQuestion, _ tx: any Transaction, _ now: Timestamp
    ) throws -> HoldVerdict {
        try tx.chat.insertRefusal(
            account: admitted.account.id, model: admitted.model.name, code: failure.code, at: now)
        return .refused(failure)
    }

    /// The key that asks, as it stands now.
    private static func key(of admitted: AdmittedQuestion, _ tx: any Transaction) throws
        -> APIKey?
    {
        guard let id = admitted.apiKey else { return nil }
        guard let key = try tx.apiKeys.apiKey(id) else { throw APIKey.unknown }
        return key
    }

    private static func plan(
        _ admitted: AdmittedQuestion, _ source: Hold.Source, _ key: APIKey?, _ tier: Tier,
        _ ledger: Ledger, _ policy: ServicePolicy, _ now: Timestamp
    ) throws -> HoldPlanning {
        let lots =
            source == .credits ? try ledger.spendable(by: admitted.account.id, at: now) : nil
        // A key's cap counts what credits pay, as its owner does.
        let balance = lots.map { min($0.credits, key?.left ?? $0.credits) }
        guard
            let plan = ChatPricing.holdPlan(
                messages: admitted.turns, price: admitted.model.price,
                requestedMaxTokens: admitted.maxTokens, modelMaxTokens: admitted.model.maxTokens,
                factor: tier.priceFactor, balance: balance)
        else {
            let isCapped = lots.map { balance != $0.credits } ?? false
            return isCapped ? .aboveTheCapOfTheKey : .aboveTheBalance
        }
        let hold = HoldRequest(
            account: admitted.account.id, requestID: admitted.requestID,
            requestHash: admitted.requestHash, source: source, amount: plan.amount,
            trialDay: source == .trial ? ShanghaiDay(now) : nil,
            trialLimit: policy.trialCallsPerDay, expiresAt: policy.holdExpiry(from: now),
            apiKey: admitted.apiKey, limits: tier.limits)
        return .reserve(PlannedHold(request: hold, lots: lots, maxTokens: plan.maxTokens))
    }

    private func recordRefusal(
        _ failure: Failure, of account: AccountID, model: ModelName
    ) async throws {
        let now = ports.clock.now()
        try await ports.store.write { tx in
            try tx.chat.insertRefusal(account: account, model: model, code: failure.code, at: now)
        }
    }
}

/// What a call's price comes to against what may be spent on it.
private enum HoldPlanning {
    case reserve(PlannedHold)
    case aboveTheBalance
    case aboveTheCapOfTheKey

    /// What the asker is told if nothing is reserved.
    var refusal: Failure {
        if case .aboveTheCapOfTheKey = self {
            return Failure(
                .quotaExhausted,
                "This API key's spend cap does not cover the call; use another key.")
        }
        return Failure(
            .quotaExhausted,
            "Your free call of today and your credits are used up; buy more to go on.")
    }
}

/// A hold that is covered, and what of it the provider is told.
private struct PlannedHold {
    var request: HoldRequest
    var lots: SpendableLots?
    var maxTokens: Int64
}
