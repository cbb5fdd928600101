package import TollgateKernel

/// A kind of account: what its calls cost, and how many it may make.
package struct Tier: Hashable, Sendable {
    /// Its stable name: lower-case letters, digits and hyphens, 1 to 32.
    package var name: TierName
    /// What every price is multiplied by.
    package var priceFactor: PriceFactor
    /// What its accounts may do.
    package var limits: CallLimits

    /// Makes a value.
    package init(name: TierName, priceFactor: PriceFactor, limits: CallLimits) {
        self.name = name
        self.priceFactor = priceFactor
        self.limits = limits
    }

    /// The tier of every account that no operator has put elsewhere, as the schema makes it.
    package static let standard = Tier(
        name: .standard, priceFactor: .one,
        limits: CallLimits(
            requestsPerMinute: 60, tokensPerMinute: 200_000, concurrentChats: 8))
}

/// How much an account may do at once and in a minute, whichever server it asks; nil is no limit.
package struct CallLimits: Hashable, Sendable {
    /// Chats that begin in a minute.
    package var requestsPerMinute: Int64?
    /// Tokens of questions and answers that end in a minute: the chat that goes beyond is the last.
    package var tokensPerMinute: Int64?
    /// Chats under way.
    package var concurrentChats: Int64?

    /// Makes limits.
    package init(
        requestsPerMinute: Int64? = nil, tokensPerMinute: Int64? = nil,
        concurrentChats: Int64? = nil
    ) {
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        self.concurrentChats = concurrentChats
    }

    /// No limit at all.
    package static let none = CallLimits()

    /// Why no further chat may begin after this activity; nil if one may.
    ///
    /// - Returns: `rate_limited`, with how long to wait.
    package func refusal(after activity: AccountActivity, at now: Timestamp) -> Failure? {
        if let concurrentChats, activity.openCalls >= concurrentChats {
            return Failure(
                .rateLimited, "You have \(concurrentChats) chats under way; wait for one to end.",
                retryAfterMilliseconds: Limits.concurrentChatRetryMilliseconds)
        }
        if let requestsPerMinute, activity.requests.count(at: now) >= requestsPerMinute {
            return Failure(
                .rateLimited, "You may begin \(requestsPerMinute) chats a minute; wait.",
                retryAfterMilliseconds: activity.requests.rest(at: now))
        }
        if let tokensPerMinute, activity.tokens.count(at: now) >= tokensPerMinute {
            return Failure(
                .rateLimited, "You may use \(tokensPerMinute) tokens a minute; wait.",
                retryAfterMilliseconds: activity.tokens.rest(at: now))
        }
        return nil
    }
}

/// What an account does now and did this minute, counted beside its balance.
package struct AccountActivity: Hashable, Sendable {
    /// Holds that have not ended.
    package var openCalls: Int64
    /// Holds made this minute.
    package var requests: MinuteCount
    /// Tokens of holds settled this minute.
    package var tokens: MinuteCount

    /// Makes a value.
    package init(openCalls: Int64, requests: MinuteCount, tokens: MinuteCount) {
        self.openCalls = openCalls
        self.requests = requests
        self.tokens = tokens
    }

    /// Nothing yet.
    package static let none = AccountActivity(openCalls: 0, requests: .none, tokens: .none)
}

/// Stores tiers; which one an account has comes with the account.
///
/// Every method runs inside one transaction.
package protocol TierRepository {
    /// Every tier, by name; at most `limit`.
    func tiers(limit: Int) throws(StoreError) -> [Tier]

    /// The tier of this name.
    func tier(_ name: TierName) throws(StoreError) -> Tier?

    /// Adds or replaces a tier.
    func save(_ tier: Tier) throws(StoreError)

    /// Puts an account into a tier; `conflict` if the account is unknown.
    func setTier(_ name: TierName, of account: AccountID) throws(StoreError)
}
