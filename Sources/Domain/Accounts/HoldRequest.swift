package import TollgateKernel

/// What a call wants reserved before it starts.
package struct HoldRequest: Hashable, Sendable {
    /// Whose call.
    package var account: AccountID
    /// The caller's request id.
    package var requestID: IdempotencyKey
    /// SHA-256 of the request, 32 bytes.
    package var requestHash: [UInt8]
    /// What pays.
    package var source: Hold.Source
    /// The most the call can cost; may be zero for a free model.
    package var amount: Credits
    /// The day of a free call; needed for the source `trial` only.
    package var trialDay: ShanghaiDay?
    /// Free calls a day has; looked at for the source `trial` only.
    package var trialLimit: Int64
    /// When the sweeper may end the hold.
    package var expiresAt: Timestamp
    /// The API key that calls; its spend cap counts what credits pay.
    package var apiKey: APIKeyID?
    /// How much the account may do at once and in a minute.
    package var limits: CallLimits

    /// Makes a request.
    package init(
        account: AccountID, requestID: IdempotencyKey, requestHash: [UInt8], source: Hold.Source,
        amount: Credits, trialDay: ShanghaiDay?, trialLimit: Int64, expiresAt: Timestamp,
        apiKey: APIKeyID? = nil, limits: CallLimits = .none
    ) {
        self.account = account
        self.requestID = requestID
        self.requestHash = requestHash
        self.source = source
        self.amount = amount
        self.trialDay = trialDay
        self.trialLimit = trialLimit
        self.expiresAt = expiresAt
        self.apiKey = apiKey
        self.limits = limits
    }
}

/// How a hold stands after ``Ledger/settle(_:price:at:)`` or ``Ledger/release(_:as:at:)``.
package struct HoldOutcome: Hashable, Sendable {
    /// How the hold ended, now or earlier.
    package var state: Hold.State
    /// What the customer paid for it, now or earlier; zero for free and white-listed calls.
    package var charged: Credits
    /// What this very call moved to `written_off`: zero when repeated, so that it is counted once.
    package var writtenOff: Credits
    /// The account's posted credits less the held ones, afterwards.
    package var balance: Credits
    /// Whether this very call ended the hold; false if it had ended before.
    package var wasOpen: Bool

    /// Makes an outcome.
    package init(
        state: Hold.State, charged: Credits, writtenOff: Credits, balance: Credits, wasOpen: Bool
    ) {
        self.state = state
        self.charged = charged
        self.writtenOff = writtenOff
        self.balance = balance
        self.wasOpen = wasOpen
    }
}

extension Hold.Source {
    /// What pays for a call: the account's own key at a provider of the model, us for a
    /// white-listed account, else one of the day's free calls as long as there are any, else
    /// credits.
    package static func paying(
        hasOwnKey: Bool = false, isWhiteListed: Bool, trialUsed: Int64, trialLimit: Int64
    ) -> Hold.Source {
        if hasOwnKey { return .ownKey }
        if isWhiteListed { return .promotion }
        return trialUsed < trialLimit ? .trial : .credits
    }
}
