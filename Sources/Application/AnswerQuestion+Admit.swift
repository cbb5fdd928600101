internal import Accounts
internal import Auth
internal import Chat
internal import Cryptography
internal import TollgateKernel

/// What the hold's transaction decided.
enum HoldVerdict: Sendable {
    case held(HoldGrant)
    case refused(RefusedHold)
}

extension AnswerQuestion {
    /// Why no chat begins on this machine; nil if it may.
    ///
    /// A hold's moments are this machine's: one whose clock was set wrong while it runs would make
    /// holds that others end at once, or never. What was begun is settled all the same.
    var clockRefusal: Failure? {
        guard ports.store.clockRefusal != nil else { return nil }
        return Failure(
            .unavailable,
            "The service cannot tell the time for sure, so it begins no answer; nothing was "
                + "charged, ask again in a moment.", isNotProcessed: true)
    }

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
        let proof = try Caller.Proof(question.caller)
        let asked = ChatQuestion(
            model: model.name, messages: question.turns, maxTokens: question.maxTokens)
        let judged = try await judge(asked, by: offer.words, for: proof, startedAt)
        return AdmittedQuestion(
            proof: proof, model: model, routes: offer.routes[model.name] ?? [],
            judged: judged, requestID: requestID, words: offer.words, startedAt: startedAt)
    }

    /// What the words of a question come to, and its fingerprint as it came; a long one is judged
    /// away from the event loop, and for nobody who is not signed in.
    private func judge(
        _ asked: ChatQuestion, by words: WordFilter, for proof: Caller.Proof, _ now: Timestamp
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
        _ = try await ports.store.read { tx in try Caller.identify(proof, tx, now) }
        return try await heavyWork.run(judge)
    }

    /// Who asks, whether they may, counters and hold in one transaction: what pays, whether it
    /// covers the call, the reservation.
    func hold(_ admitted: AdmittedQuestion) async throws -> AppliedWrite<HoldVerdict> {
        let now = admitted.startedAt
        return try await ports.store.begin { [ports] tx in
            let asker = try Caller.find(admitted.proof, tx, now)
            guard
                let standing = try tx.ledger.standing(
                    of: asker.account, on: ShanghaiDay(now), requestID: admitted.requestID),
                standing.account.deletedAt == nil
            else { throw SignIn.notSignedIn }
            // A refusal is a value, not an error, and is counted by a write of its own: who is
            // refused again and again writes nothing here that the next refusal would have to.
            func refuse(_ failure: Failure) -> HoldVerdict {
                .refused(RefusedHold(failure: failure, counted: asker.account))
            }
            if let refusal = try Self.refusal(of: admitted, standing, asker.apiKey, tx) {
                return refuse(refusal)
            }
            if let earlier = standing.earlier {
                let known = Ledger.repeated(earlier, requestHash: admitted.judged.requestHash)
                return .refused(RefusedHold(failure: known, counted: nil))
            }
            if let refusal = asker.apiKey?.refusal(at: now) { return refuse(refusal) }
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            let ownKeys = try Self.ownKeys(for: admitted, standing.account, tx)
            if ownKeys.isEmpty, try Self.hasDisabledOwnKey(for: admitted, standing.account, tx) {
                return refuse(Self.ownKeyDisabled)
            }
            let planned = try Self.plan(
                admitted, standing, asker.apiKey, ownKeys, ledger, ports.policy, now)
            guard case .reserve(let wanted) = planned else { return refuse(planned.refusal) }
            let hold: Hold
            do {
                hold = try ledger.holdNew(
                    wanted.request, from: wanted.lots, standing: standing, at: now)
            } catch let failure as Failure {
                // A rule refuses before it writes: limits of the account, mostly.
                return refuse(failure)
            }
            if let key = asker.apiKey { try tx.apiKeys.saveUse(of: key.used(at: now)) }
            if let session = asker.session, session.isUseDue(at: now) {
                try tx.auth.saveUse(ofLoginSession: session.id, at: now)
            }
            return .held(
                HoldGrant(
                    hold: hold, maxTokens: wanted.maxTokens,
                    priceFactor: standing.account.tier.priceFactor, ownKeys: ownKeys))
        }
    }

    /// What the rules say of the account, the model and the words, in that order.
    private static func refusal(
        of admitted: AdmittedQuestion, _ standing: Standing, _ key: APIKey?,
        _ tx: any Transaction
    ) throws -> Failure? {
        let facts = ChatFacts(
            isFrozen: standing.account.status != .active, model: admitted.model,
            isModelPermitted: try admitted.model.isOpenToAll
                || tx.accounts.isPermitted(admitted.model.name, for: standing.account.id))
        if case .deny(let failure) = RuleChain.account.judge(admitted.judged.asked, facts) {
            return failure
        }
        return key?.refusal(of: admitted.model.name) ?? admitted.judged.refusal
    }

    /// The asker's own keys for channels of the model; read only if there are any at all.
    private static func ownKeys(
        for admitted: AdmittedQuestion, _ account: Account, _ tx: any Transaction
    ) throws -> [String: [UInt8]] {
        guard account.hasOwnKeys else { return [:] }
        let channels = Set(admitted.routes.map(\.channel))
        return try tx.ownKeys.ownKeys(of: account.id).reduce(into: [:]) { keys, key in
            if channels.contains(key.channel) { keys[key.channel] = key.sealed }
        }
    }

    /// Whether the asker pays a provider of the model that an operator took out of use.
    ///
    /// Who was told that its models cost no credits must not find them charged.
    private static func hasDisabledOwnKey(
        for admitted: AdmittedQuestion, _ account: Account, _ tx: any Transaction
    ) throws -> Bool {
        guard account.hasOwnKeys else { return false }
        return try tx.ownKeys.ownKeys(of: account.id).contains { key in
            guard let stocked = try tx.chat.channel(key.channel) else { return false }
            return !stocked.channel.isInUse
                && stocked.offers.contains { $0.model == admitted.model.name }
        }
    }

    private static let ownKeyDisabled = Failure(
        .conflict,
        "The provider that you have a key of your own for is out of use here; remove the key to "
            + "use credits.")

    private static func plan(
        _ admitted: AdmittedQuestion, _ standing: Standing, _ key: APIKey?,
        _ ownKeys: [String: [UInt8]], _ ledger: Ledger, _ policy: ServicePolicy, _ now: Timestamp
    ) throws -> HoldPlanning {
        let account = standing.account
        let source = Hold.Source.paying(
            hasOwnKey: !ownKeys.isEmpty, isWhiteListed: account.isWhiteListed,
            trialUsed: standing.trialUsed,
            trialLimit: policy.trialCallsPerDay)
        let lots = source == .credits ? try ledger.spendable(by: account.id, at: now) : nil
        // A key's cap counts what credits pay, as its owner does.
        let balance = lots.map { min($0.credits, key?.left ?? $0.credits) }
        guard
            let plan = ChatPricing.holdPlan(
                messages: admitted.judged.asked.messages,
                price: source == .ownKey ? .free : admitted.model.price,
                requestedMaxTokens: admitted.judged.asked.maxTokens,
                modelMaxTokens: admitted.model.maxTokens, factor: account.tier.priceFactor,
                balance: balance)
        else {
            let isCapped = lots.map { balance != $0.credits } ?? false
            return isCapped ? .aboveTheCapOfTheKey : .aboveTheBalance
        }
        let hold = HoldRequest(
            account: account.id, requestID: admitted.requestID,
            requestHash: admitted.judged.requestHash, source: source, amount: plan.amount,
            trialDay: source == .trial ? ShanghaiDay(now) : nil,
            trialLimit: policy.trialCallsPerDay, expiresAt: policy.holdExpiry(from: now),
            apiKey: key?.id, limits: account.tier.limits)
        return .reserve(PlannedHold(request: hold, lots: lots, maxTokens: plan.maxTokens))
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
