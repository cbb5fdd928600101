package import TollgateKernel

/// A model as users see it, with its price.
package struct ChatModel: Hashable, Sendable {
    /// What users call it.
    package var name: ModelName
    /// What it is good for.
    package var summary: String
    /// What it costs.
    package var price: ChatPrice
    /// The most tokens an answer may have.
    package var maxTokens: Int64
    /// Whether every account may use it, without a purchase that permits it.
    package var isOpenToAll: Bool
    /// Whether it is offered at all.
    package var isEnabled: Bool
    /// The place in the list; the first enabled one is the default model.
    package var position: Int64

    /// Makes a value.
    package init(
        name: ModelName, summary: String, price: ChatPrice, maxTokens: Int64, isOpenToAll: Bool,
        isEnabled: Bool, position: Int64
    ) {
        self.name = name
        self.summary = summary
        self.price = price
        self.maxTokens = maxTokens
        self.isOpenToAll = isOpenToAll
        self.isEnabled = isEnabled
        self.position = position
    }
}

extension ChatModel {
    /// Checks what an operator wants to offer.
    ///
    /// - Throws: `invalid_request` with the bound that it does not keep.
    package func checked() throws(Failure) -> ChatModel {
        guard name.isWellFormed else {
            throw Failure(
                .invalidRequest,
                "A model's name has 1 to \(Limits.modelNameCharacters) letters, digits and the "
                    + "signs . - _ / :")
        }
        guard summary.isLine(ofBytes: 0...Limits.catalogueSummaryBytes) else {
            throw Failure(
                .invalidRequest,
                "A model's summary has at most \(Limits.catalogueSummaryBytes) bytes on one line.")
        }
        let prices = [
            price.perCall, price.perThousandPromptTokens, price.perThousandCompletionTokens,
        ]
        guard prices.allSatisfy({ (0...Limits.modelPriceMicroCredits).contains($0.micro) }) else {
            throw Failure(
                .invalidRequest,
                "A model's price is 0 to \(Credits(micro: Limits.modelPriceMicroCredits)) credits.")
        }
        guard (1...Limits.chatMaxTokens).contains(maxTokens) else {
            throw Failure(
                .invalidRequest, "An answer may have 1 to \(Limits.chatMaxTokens) tokens.")
        }
        guard (0...Limits.cataloguePosition).contains(position) else {
            throw Failure(
                .invalidRequest, "A place in the list is 0 to \(Limits.cataloguePosition).")
        }
        return self
    }
}

/// What a call costs.
package struct ChatPrice: Hashable, Sendable {
    /// Of each call.
    package var perCall: Credits
    /// Of 1,000 tokens of the prompt.
    package var perThousandPromptTokens: Credits
    /// Of 1,000 tokens of the answer.
    package var perThousandCompletionTokens: Credits

    /// Makes a price.
    package init(
        perCall: Credits, perThousandPromptTokens: Credits, perThousandCompletionTokens: Credits
    ) {
        self.perCall = perCall
        self.perThousandPromptTokens = perThousandPromptTokens
        self.perThousandCompletionTokens = perThousandCompletionTokens
    }
}

extension ChatPrice {
    /// What costs nothing.
    package static let free = ChatPrice(
        perCall: .zero, perThousandPromptTokens: .zero, perThousandCompletionTokens: .zero)

    /// The price as an account of a tier sees it, each part rounded up to a whole micro-credit; a
    /// call's price is rounded once, from the exact one.
    package func shown(times factor: PriceFactor) -> ChatPrice {
        ChatPrice(
            perCall: factor.applied(to: perCall),
            perThousandPromptTokens: factor.applied(to: perThousandPromptTokens),
            perThousandCompletionTokens: factor.applied(to: perThousandCompletionTokens))
    }
}

/// One way to get a model's answer: a channel, and the model's name there.
package struct ChannelRoute: Hashable, Sendable {
    /// The channel's stable key.
    package var channel: String
    /// The interface the provider speaks.
    package var kind: ModelEndpoint.Kind
    /// Such as `https://api.openai.com/v1`.
    package var baseURL: String
    /// The provider's key, sealed under the master key (AES-256-GCM).
    package var sealedAPIKey: [UInt8]
    /// The provider's own name of the model.
    package var upstreamModel: String
    /// Lower is asked first.
    package var priority: Int64
    /// The share among channels of the same priority, at least 1.
    package var weight: Int64

    /// Makes a value.
    package init(
        channel: String, kind: ModelEndpoint.Kind, baseURL: String, sealedAPIKey: [UInt8],
        upstreamModel: String, priority: Int64, weight: Int64
    ) {
        self.channel = channel
        self.kind = kind
        self.baseURL = baseURL
        self.sealedAPIKey = sealedAPIKey
        self.upstreamModel = upstreamModel
        self.priority = priority
        self.weight = weight
    }
}

/// A channel's key as it is stored.
package struct ChannelKey: Hashable, Sendable {
    /// The channel's stable key.
    package var channel: String
    /// The provider's key, sealed under the master key (AES-256-GCM).
    package var sealed: [UInt8]

    /// Makes a value.
    package init(channel: String, sealed: [UInt8]) {
        self.channel = channel
        self.sealed = sealed
    }
}

/// What one answered call used: the row behind bills and metrics.
package struct UsageRecord: Hashable, Sendable {
    /// How a call ended.
    package enum Outcome: String, Hashable, Sendable {
        /// A whole answer.
        case answered
        /// The caller left; what was delivered is charged.
        case cancelled
        /// The provider broke off; what was delivered is charged.
        case truncated
    }

    /// The call's hold.
    package var hold: HoldID
    /// Who called.
    package var account: AccountID
    /// The model.
    package var model: ModelName
    /// The channel that answered.
    package var channel: String
    /// What paid: a raw value of the ledger's hold sources.
    package var source: String
    /// Tokens.
    package var usage: TokenUsage
    /// Whether the tokens are our estimate.
    package var isEstimated: Bool
    /// What was charged.
    package var charged: Credits
    /// How it ended.
    package var outcome: Outcome
    /// When the question came.
    package var startedAt: Timestamp
    /// When the first token left; nil if none did.
    package var firstTokenAt: Timestamp?
    /// When it ended.
    package var endedAt: Timestamp
    /// What the account's tier multiplied the price by when the call began.
    package var priceFactor: PriceFactor

    /// Makes a value.
    package init(
        hold: HoldID, account: AccountID, model: ModelName, channel: String, source: String,
        usage: TokenUsage, isEstimated: Bool, charged: Credits, outcome: Outcome,
        startedAt: Timestamp, firstTokenAt: Timestamp?, endedAt: Timestamp,
        priceFactor: PriceFactor = .one
    ) {
        self.hold = hold
        self.account = account
        self.model = model
        self.channel = channel
        self.source = source
        self.usage = usage
        self.isEstimated = isEstimated
        self.charged = charged
        self.outcome = outcome
        self.startedAt = startedAt
        self.firstTokenAt = firstTokenAt
        self.endedAt = endedAt
        self.priceFactor = priceFactor
    }
}

/// Stores models, channels, words and usage.
///
/// Every method runs inside one transaction.
package protocol ChatRepository {
    /// Every enabled model in the operator's order.
    func enabledModels() throws(StoreError) -> [ChatModel]

    /// Every model, offered or withdrawn, in the operator's order; at most `limit`.
    func models(limit: Int) throws(StoreError) -> [ChatModel]

    /// The model with this name, enabled or not.
    func model(_ name: ModelName) throws(StoreError) -> ChatModel?

    /// Enabled channels of a model, by priority, then key.
    func routes(for model: ModelName) throws(StoreError) -> [ChannelRoute]

    /// Channels after a name, by name, with their sealed keys; at most `limit`.
    func channelKeys(after channel: String, limit: Int) throws(StoreError) -> [ChannelKey]

    /// Puts a sealed key in the place of another; false if that is not there any more.
    func replace(_ old: ChannelKey, with sealed: [UInt8]) throws(StoreError) -> Bool

    /// Adds or replaces a model.
    func save(_ model: ChatModel) throws(StoreError)

    /// Every channel with its enabled offers, in use or not, by key; at most `limit`.
    func channels(limit: Int) throws(StoreError) -> [StockedChannel]

    /// The channel with this key and its enabled offers.
    func channel(_ key: String) throws(StoreError) -> StockedChannel?

    /// Adds or replaces a channel; what it offered before and does not now is disabled.
    func save(_ stocked: StockedChannel) throws(StoreError)

    /// Words that are refused or masked.
    func sensitiveWords() throws(StoreError) -> [SensitiveWord]

    /// Adds or replaces a word.
    func save(_ word: SensitiveWord) throws(StoreError)

    /// Adds a hold's usage row; one that is there already stays as it is.
    func insert(_ usage: UsageRecord) throws(StoreError)

    /// Counts refused questions: which model was asked for, which code refused them, how many.
    ///
    /// An account's refusals of one hour, model and code are one row, with the moment of the first:
    /// who is refused all day writes no more rows than there are hours.
    func insertRefusals(
        _ times: Int64, account: AccountID, model: ModelName, code: Failure.Code,
        at now: Timestamp
    ) throws(StoreError)

    /// A hold's usage row; nil if its call came to nothing, or has not ended.
    func usage(of hold: HoldID) throws(StoreError) -> UsageRecord?

    /// An account's refused questions by number, from the one after this (0 starts at the first);
    /// at most `limit`.
    func refusals(of account: AccountID, after number: Int64, limit: Int) throws(StoreError)
        -> [RefusedQuestion]
}

/// Questions of one hour that were refused: which model was asked for, and why not; never the
/// words.
package struct RefusedQuestion: Hashable, Sendable {
    /// Its place among all.
    package var number: Int64
    /// The model.
    package var model: ModelName
    /// The code it was refused with.
    package var code: String
    /// When the first was refused.
    package var at: Timestamp
    /// How many were.
    package var times: Int64

    /// Makes a value.
    package init(number: Int64, model: ModelName, code: String, at: Timestamp, times: Int64) {
        self.number = number
        self.model = model
        self.code = code
        self.at = at
        self.times = times
    }
}

/// A word the rule chain looks for.
package struct SensitiveWord: Hashable, Sendable {
    /// What happens to it.
    package enum Action: String, Hashable, Sendable {
        /// The question is refused.
        case refuse
        /// The word is replaced by asterisks, in questions and answers.
        case mask
    }

    /// The word in normal form (``WordFilter``).
    package var word: String
    /// What happens.
    package var action: Action

    /// Makes a value.
    package init(word: String, action: Action) {
        self.word = word
        self.action = action
    }
}
