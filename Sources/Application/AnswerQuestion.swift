package import Accounts
package import Auth
package import Chat
internal import Cryptography
internal import Logging
internal import Metrics
package import TollgateKernel

/// A question as it came over the wire, with whose it is.
package struct Question: Sendable {
    /// On whose behalf: a login session or an API key.
    package var caller: CallerCredential
    /// The model's name; empty is the default model.
    package var model: String
    /// The conversation, the question last.
    package var turns: [ChatMessage]
    /// The most tokens wanted; 0 is the model's limit.
    package var maxTokens: Int64
    /// The caller's idempotency key.
    package var requestID: String

    /// Makes a question.
    package init(
        caller: CallerCredential, model: String, turns: [ChatMessage], maxTokens: Int64,
        requestID: String
    ) {
        self.caller = caller
        self.model = model
        self.turns = turns
        self.maxTokens = maxTokens
        self.requestID = requestID
    }
}

/// What the asker sees of an answer, in order: one start, deltas, then one end.
package enum AnswerEvent: Hashable, Sendable {
    /// The answer starts: the hold is durable and the first token is there.
    case started(model: ModelName, source: Hold.Source)
    /// A piece of text.
    case delta(String)
    /// The answer is whole and settled.
    case finished(AnswerReceipt)
    /// The answer broke off after its start; what was delivered is charged.
    case failed(Failure, charged: Credits)
}

/// What an answer cost.
package struct AnswerReceipt: Hashable, Sendable {
    /// As the provider said it.
    package var finishReason: String
    /// Tokens.
    package var usage: TokenUsage
    /// Whether the tokens are our estimate.
    package var isEstimated: Bool
    /// What was charged.
    package var charged: Credits
    /// What a new call can spend now.
    package var balance: Credits
    /// Free calls of today that are left.
    package var trialLeft: Int64
}

/// Answers a question: judge it, hold its price, ask a provider, stream, settle.
///
/// The upstream request starts when the hold is applied; the first token leaves when it is durable;
/// a refusal never starts it. Once held, the money is settled in ``Settlements`` whatever becomes
/// of the caller.
package struct AnswerQuestion: Sendable {
    let ports: Ports
    let catalogue: Catalogue
    let gateway: any ModelGateway
    let keys: OpenedKeys
    /// How channels do under the operator's keys.
    let channels: ChannelBoard
    /// How channels do under people's own keys, whatever each key meets left aside: who pays a
    /// provider themselves is not locked out while the operator's key is refused there, and their
    /// answers do not tell that it is welcome again.
    let channelsOfOwnKeys: ChannelBoard
    let heavyWork: any HeavyWork
    let logger = Logger(label: "tollgate.chat")
    private let settlements: Settlements
    private let refusals = RefusalCounts()
    private let firstTokenTimer = Timer(label: "tollgate_chat_first_token_seconds")

    /// Makes the use case.
    ///
    /// - Parameter heavyWork: Where long questions are judged and hashed.
    package init(
        _ ports: Ports, catalogue: Catalogue, gateway: any ModelGateway, vault: Vault,
        settlements: Settlements, heavyWork: any HeavyWork
    ) {
        self.ports = ports
        self.catalogue = catalogue
        self.gateway = gateway
        keys = OpenedKeys(vault)
        self.settlements = settlements
        self.heavyWork = heavyWork
        channels = ChannelBoard(clock: ports.clock)
        channelsOfOwnKeys = ChannelBoard(clock: ports.clock)
    }

    /// Answers one question through `emit`.
    ///
    /// Cancelling the task closes the upstream connection; what was delivered is settled, marked
    /// estimated. An error from `emit` means the asker has left and is treated alike.
    ///
    /// - Throws: A ``Failure`` before the answer's start: `unauthenticated`, `quota_exhausted`,
    ///   `model_not_permitted`, `in_progress` and so on. After the start failures are events.
    package func answer(
        _ question: Question, emit: (AnswerEvent) async throws -> Void
    ) async throws {
        if let refusal = clockRefusal { throw refusal }
        let admitted = try await admit(question)
        do {
            try await answer(admitted, emit)
        } catch let refused as RefusedHold {
            if let account = refused.counted {
                await refusals.count(
                    refused.failure.code, of: admitted.model.name, for: account,
                    at: admitted.startedAt, in: ports.store)
            }
            throw refused.failure
        }
    }

    private func answer(
        _ admitted: AdmittedQuestion, _ emit: (AnswerEvent) async throws -> Void
    ) async throws {
        let slot = try settlements.reserve()
        let applied = try await hold(admitted)
        guard case .held(let grant) = applied.value else {
            if case .refused(let refused) = try await applied.durable() { throw refused }
            // Refused when applied, held when its batch ran again: nobody waits for it any more.
            try await release(durableGrant(applied), slot)
            throw Failure(.unavailable, "The service is busy; ask again.")
        }
        var progress = AnswerProgress(startedAt: admitted.startedAt, grant: grant)
        do {
            try await stream(admitted, applied, &progress, emit)
        } catch {
            try await close(admitted, applied, progress, after: error, slot, emit)
            return
        }
        let receipt = try await settle(admitted, progress, outcome: .answered, slot)
        if let firstTokenAt = progress.firstTokenAt {
            firstTokenTimer.recordMilliseconds(
                firstTokenAt.milliseconds - progress.startedAt.milliseconds)
        }
        try await emit(.finished(receipt))
    }

    // MARK: - The end of a call that broke off

    private func close(
        _ admitted: AdmittedQuestion, _ applied: AppliedWrite<HoldVerdict>,
        _ progress: AnswerProgress, after error: any Error, _ slot: Settlements.Slot,
        _ emit: (AnswerEvent) async throws -> Void
    ) async throws {
        guard progress.firstTokenAt != nil else {
            try await release(durableGrant(applied), slot)
            throw Self.failure(from: error)
        }
        let upstream = error as? ModelGatewayFailure
        let receipt = try await settle(
            admitted, progress, outcome: upstream == nil ? .cancelled : .truncated, slot)
        guard let upstream else { throw error }
        try await emit(.failed(Self.failure(of: upstream), charged: receipt.charged))
    }

    /// Translates what went wrong upstream into what the asker is told.
    static func failure(of failure: ModelGatewayFailure) -> Failure {
        switch failure.kind {
        case .timedOut:
            return Failure(.upstreamTimedOut, "The model did not answer in time; try again.")
        case .overloaded:
            return Failure(
                .upstreamFailed, "The model is overloaded; try again in a moment.",
                retryAfterMilliseconds: failure.retryAfterMilliseconds ?? 2_000)
        case .truncated:
            return Failure(.truncated, "The answer was cut off; ask again.")
        case .invalidRequest:
            return Failure(.invalidRequest, "The model refused the question as it is.")
        case .unreachable, .serverError, .rejectedKey, .unknownModel, .malformed:
            return Failure(
                .upstreamFailed, "The model is out of order just now; try again or choose another.")
        }
    }

    private static func failure(from error: any Error) -> any Error {
        (error as? ModelGatewayFailure).map { failure(of: $0) } ?? error
    }

    // MARK: - Money

    private func settle(
        _ admitted: AdmittedQuestion, _ progress: AnswerProgress,
        outcome: UsageRecord.Outcome, _ slot: Settlements.Slot
    ) async throws -> AnswerReceipt {
        let grant = progress.grant
        let usage =
            progress.usage
            ?? TokenEstimate.usage(
                prompt: admitted.judged.asked.messages, answer: progress.received)
        let price =
            grant.hold.source == .ownKey
            ? Credits.zero
            : ChatPricing.price(
                of: usage, at: admitted.model.price, factor: grant.priceFactor)
        let endedAt = ports.clock.now()
        let record = UsageRecord(
            hold: grant.hold.id, account: grant.hold.account, model: admitted.model.name,
            channel: progress.channel, source: grant.hold.source.rawValue, usage: usage,
            isEstimated: progress.usage == nil, charged: .zero, outcome: outcome,
            startedAt: progress.startedAt, firstTokenAt: progress.firstTokenAt, endedAt: endedAt,
            priceFactor: grant.priceFactor)
        let finishReason = progress.finishReason
        let trialLimit = ports.policy.trialCallsPerDay
        return try await end(slot) { [ports] tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            let ended = try ledger.settle(
                grant.hold, price: price, tokens: usage.promptTokens + usage.completionTokens,
                at: endedAt)
            var record = record
            record.charged = ended.charged
            // Again after an outcome nobody knew: then the row may be there, and stays.
            try tx.chat.insert(record)
            // Where no call is free there is nothing to look up.
            let trialLeft =
                trialLimit == 0
                ? 0
                : try trialLimit
                    - tx.accounts.trialDay(of: grant.hold.account, on: ShanghaiDay(endedAt)).used
            return AnswerReceipt(
                finishReason: finishReason, usage: usage, isEstimated: record.isEstimated,
                charged: ended.charged, balance: ended.balance, trialLeft: max(0, trialLeft))
        }
    }

    private func release(_ grant: HoldGrant, _ slot: Settlements.Slot) async throws {
        let now = ports.clock.now()
        _ = try await end(slot) { [ports] tx in
            try Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
                .release(grant.hold.id, as: .released, at: now)
        }
    }

    /// Ends a hold by a write that goes to the store at once, and to the group of settlements if
    /// the store has no room for it or cannot tell what became of it.
    ///
    /// A write that was handed in is made, however cancelled its caller is (``Store``), and the
    /// slot is held until it is durable: the group would only add its turns of other threads.
    private func end<Value: Sendable>(
        _ slot: Settlements.Slot, _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        do {
            let value = try await ports.store.write(body)
            return withExtendedLifetime(slot) { value }
        } catch let failure as Failure where Self.mayBeTriedAgain(failure) {
            return try await slot.settle { [store = ports.store] in
                try await Self.writePersistently(store, body)
            }
        }
    }

    private static func mayBeTriedAgain(_ failure: Failure) -> Bool {
        [.unavailable, .unknownOutcome].contains(failure.code)
    }

    /// Ends a hold also when the store has no room just now, or cannot tell whether it was ended.
    ///
    /// An answer that was delivered must not go uncharged for a moment's crowd or a disk's hiccup.
    /// Ending a hold twice changes nothing.
    private static func writePersistently<Value: Sendable>(
        _ store: any Store, _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        for pause in Limits.settlementPausesMilliseconds {
            do {
                return try await store.write(body)
            } catch let failure as Failure where mayBeTriedAgain(failure) {
                try? await Task.sleep(for: .milliseconds(pause))
            }
        }
        return try await store.write(body)
    }
}

/// A question that was judged and may be held for.
struct AdmittedQuestion: Sendable {
    /// Who asks, by what they sent: whose it is, is read with the hold.
    var proof: Caller.Proof
    var model: ChatModel
    var routes: [ChannelRoute]
    /// What its words came to.
    var judged: JudgedWords
    var requestID: IdempotencyKey
    var words: WordFilter
    var startedAt: Timestamp
}

/// What the words of a question came to.
struct JudgedWords: Sendable {
    /// The question as the words' rule rewrote it.
    var asked: ChatQuestion
    /// Why its words refuse it; told once the account was judged.
    var refusal: Failure?
    /// SHA-256 of the question as it came.
    var requestHash: [UInt8]
}

/// A hold, and the most tokens it covers.
struct HoldGrant: Sendable {
    var hold: Hold
    var maxTokens: Int64
    /// What the account's tier multiplied the price by: the same when the hold ends.
    var priceFactor: PriceFactor
    /// The asker's own keys, sealed, by the channels of the model they are for; if there are any,
    /// no other channel is asked.
    var ownKeys: [String: [UInt8]] = [:]
}

/// How far an answer has come.
struct AnswerProgress {
    let startedAt: Timestamp
    /// What pays; replaced if the hold's batch had to run again.
    var grant: HoldGrant
    /// The channel that answers.
    var channel = ""
    /// When the first token left.
    var firstTokenAt: Timestamp?
    /// Our own count of what the provider said so far, before the word filter: what it will bill.
    var received = TokenEstimate()
    /// What the provider counted.
    var usage: TokenUsage?
    /// Why the provider stopped.
    var finishReason = "stop"

    init(startedAt: Timestamp, grant: HoldGrant) {
        self.startedAt = startedAt
        self.grant = grant
    }
}
