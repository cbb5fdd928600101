package import TollgateKernel

/// A customer's balance row.
///
/// The schema has CHECK held >= 0 AND posted >= held.
package struct CustomerLedger: Hashable, Sendable {
    /// The account.
    package var account: AccountID
    /// Credits on the account, held ones included, in micro-credits.
    package var posted: Int64
    /// Credits reserved by open holds, in micro-credits.
    package var held: Int64
    /// Transfers on the account so far.
    package var sequence: Int64
    /// The hash of the last one; 32 zero bytes before the first.
    package var chainHash: [UInt8]
    /// When the last one moved: no later one is earlier, whatever the clock does.
    package var lastMovedAt: Timestamp
    /// What the account does now and did this minute.
    package var activity: AccountActivity

    /// What a new hold can take.
    package var balance: Credits { Credits(micro: posted - held) }

    /// Makes a value.
    package init(
        account: AccountID, posted: Int64, held: Int64, sequence: Int64, chainHash: [UInt8],
        lastMovedAt: Timestamp = Timestamp(milliseconds: 0), activity: AccountActivity = .none
    ) {
        self.account = account
        self.posted = posted
        self.held = held
        self.sequence = sequence
        self.chainHash = chainHash
        self.lastMovedAt = lastMovedAt
        self.activity = activity
    }
}

/// Credits of one origin with one expiry.
///
/// The schema has CHECK 0 <= held, held <= remaining and remaining <= granted; the sums over an
/// account's lots equal its posted and held.
package struct Lot: Hashable, Sendable {
    /// Where credits come from.
    package enum Origin: String, Hashable, Sendable {
        case welcome
        case order
        case adjustment
    }

    /// The lot.
    package var id: LotID
    /// Whose.
    package var account: AccountID
    /// Where from.
    package var origin: Origin
    /// The order that bought it.
    package var order: OrderID?
    /// What was granted, in micro-credits.
    package var granted: Int64
    /// What is left, held credits included, in micro-credits.
    package var remaining: Int64
    /// What open holds reserve of it, in micro-credits.
    package var held: Int64
    /// When what is not reserved expires; nil is never.
    package var expiresAt: Timestamp?

    /// Makes a value.
    package init(
        id: LotID, account: AccountID, origin: Origin, order: OrderID?, granted: Int64,
        remaining: Int64, held: Int64, expiresAt: Timestamp?
    ) {
        self.id = id
        self.account = account
        self.origin = origin
        self.order = order
        self.granted = granted
        self.remaining = remaining
        self.held = held
        self.expiresAt = expiresAt
    }
}

/// A reservation for one call, which ends once.
package struct Hold: Hashable, Sendable {
    /// What pays for the call.
    package enum Source: String, Hashable, Sendable {
        /// Lots of the account.
        case credits
        /// One of today's free calls.
        case trial
        /// Us, for a white-listed account.
        case promotion
        /// Nobody of ours: the account's own key at the provider. The hold reserves nothing, and
        /// stands for the request's key and the account's limits alone.
        case ownKey = "own_key"
    }

    /// How it stands.
    package enum State: String, Hashable, Sendable {
        case held
        case settled
        case released
        case expired
    }

    /// The hold.
    package var id: HoldID
    /// Whose.
    package var account: AccountID
    /// The caller's request id: (account, request id) is unique.
    package var requestID: IdempotencyKey
    /// SHA-256 of the request, to tell a repetition from a mismatch; 32 bytes.
    package var requestHash: [UInt8]
    /// What pays.
    package var source: Source
    /// The most the call can cost.
    ///
    /// For trial and promotion nothing is reserved in lots.
    package var amount: Credits
    /// How it stands.
    package var state: State
    /// What was charged in the end.
    package var settled: Credits
    /// The day a free call belongs to; nil for other sources.
    package var trialDay: ShanghaiDay?
    /// When it was made.
    package var createdAt: Timestamp
    /// When the sweeper may end it in the customer's favour.
    package var expiresAt: Timestamp
    /// When it ended.
    package var endedAt: Timestamp?
    /// The API key that the call was made with; nil for a person's own.
    package var apiKey: APIKeyID?

    /// Makes a value.
    package init(
        id: HoldID, account: AccountID, requestID: IdempotencyKey, requestHash: [UInt8],
        source: Source, amount: Credits, state: State, settled: Credits, trialDay: ShanghaiDay?,
        createdAt: Timestamp, expiresAt: Timestamp, endedAt: Timestamp?, apiKey: APIKeyID? = nil
    ) {
        self.id = id
        self.account = account
        self.requestID = requestID
        self.requestHash = requestHash
        self.source = source
        self.amount = amount
        self.state = state
        self.settled = settled
        self.trialDay = trialDay
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.endedAt = endedAt
        self.apiKey = apiKey
    }
}

/// What a hold reserves of one lot.
package struct LotReservation: Hashable, Sendable {
    /// The lot.
    package var lot: LotID
    /// How much, in micro-credits.
    package var amount: Int64

    /// Makes a value.
    package init(lot: LotID, amount: Int64) {
        self.lot = lot
        self.amount = amount
    }
}

/// What a hold reserves of one lot, with the lot as it stands now.
package struct ReservedLot: Hashable, Sendable {
    /// The lot.
    package var lot: Lot
    /// How much of it is reserved, in micro-credits.
    package var amount: Int64

    /// Makes a value.
    package init(lot: Lot, amount: Int64) {
        self.lot = lot
        self.amount = amount
    }
}

/// What a new request of an account has to know of it, read in one go.
package struct Standing: Hashable, Sendable {
    /// The account.
    package var account: Account
    /// Its balance.
    package var ledger: CustomerLedger
    /// Free calls of the day that are used or under way.
    package var trialUsed: Int64
    /// The hold that the same request id made before.
    package var earlier: EarlierHold?

    /// Makes a value.
    package init(
        account: Account, ledger: CustomerLedger, trialUsed: Int64, earlier: EarlierHold?
    ) {
        self.account = account
        self.ledger = ledger
        self.trialUsed = trialUsed
        self.earlier = earlier
    }
}

/// As much of a hold as tells a repeated request what became of the first one.
package struct EarlierHold: Hashable, Sendable {
    /// SHA-256 of the first request, 32 bytes.
    package var requestHash: [UInt8]
    /// How the hold stands.
    package var state: Hold.State

    /// Makes a value.
    package init(requestHash: [UInt8], state: Hold.State) {
        self.requestHash = requestHash
        self.state = state
    }
}

/// Stores balances, lots, holds and transfers: primitives only, the rules are ``Ledger``'s.
///
/// Every method runs inside one transaction.
package protocol LedgerRepository {
    /// The balance row of an account; nil if the account is unknown.
    func customerLedger(_ account: AccountID) throws(StoreError) -> CustomerLedger?

    /// Account, balance, the day's free calls, and the hold of this request id if there is one; nil
    /// if the account is unknown.
    func standing(
        of account: AccountID, on day: ShanghaiDay, requestID: IdempotencyKey
    ) throws(StoreError) -> Standing?

    /// Stores `new`, guarded by the money of `old`: `conflict` if that is not there any more.
    func save(_ new: CustomerLedger, replacing old: CustomerLedger) throws(StoreError)

    /// Lots with something neither spent nor reserved nor expired at `now`, earliest expiry first,
    /// never-expiring last, then by id; at most `limit`.
    func spendableLots(of account: AccountID, at now: Timestamp, limit: Int) throws(StoreError)
        -> [Lot]

    /// Lots with something left at all, in the same order; at most `limit`.
    func openLots(of account: AccountID, limit: Int) throws(StoreError) -> [Lot]

    /// Lots with an unreserved rest whose time is out at `now`; at most `limit`, oldest expiry
    /// first.
    func expiredLots(at now: Timestamp, limit: Int) throws(StoreError) -> [Lot]

    /// The lot with this id.
    func lot(_ id: LotID) throws(StoreError) -> Lot?

    /// Adds a lot.
    func insert(_ lot: Lot) throws(StoreError)

    /// Stores `remaining` and `held` of `new`, guarded by those of `old`.
    func save(_ new: Lot, replacing old: Lot) throws(StoreError)

    /// The hold with this id.
    func hold(_ id: HoldID) throws(StoreError) -> Hold?

    /// The hold of an account's request.
    func hold(of account: AccountID, requestID: IdempotencyKey) throws(StoreError) -> Hold?

    /// An account's holds by request id, from the one after this (nil starts at the first); at most
    /// `limit`.
    func holds(of account: AccountID, after request: IdempotencyKey?, limit: Int)
        throws(StoreError) -> [Hold]

    /// Open holds whose time is out at `now`, oldest expiry first, from the one after this (nil
    /// starts at the first); at most `limit`.
    func expiredHolds(at now: Timestamp, after hold: Hold?, limit: Int)
        throws(StoreError) -> [Hold]

    /// Adds a hold with what it reserves.
    func insert(_ hold: Hold, reservations: [LotReservation]) throws(StoreError)

    /// What a hold reserves, in the order it was reserved.
    func reservations(of hold: HoldID) throws(StoreError) -> [ReservedLot]

    /// Stores the end of a hold (state, settled, endedAt), guarded by state `held` and by account,
    /// source and amount; false, and nothing changed, if it has ended already or is another.
    func end(_ hold: Hold) throws(StoreError) -> Bool

    /// Changes what an API key's open holds have reserved and what its ended ones were charged, in
    /// micro-credits; `constraint` if that would take it above its spend cap.
    func changeSpending(of key: APIKeyID, heldBy held: Int64, spentBy spent: Int64)
        throws(StoreError)

    /// Whether a transfer with this key exists.
    func transferExists(key: String) throws(StoreError) -> Bool

    /// The amount of the transfer with this key, in its unit; nil if there is none.
    func transferAmount(key: String) throws(StoreError) -> Int64?

    /// Adds a transfer, with its link if one side is a customer; `constraint` if the key exists.
    func insert(_ transfer: Transfer, link: ChainLink?) throws(StoreError)

    /// What each of our own accounts comes to in one unit, re-added from every transfer: for audits
    /// and operators, never on a hot path. Accounts without a transfer are left out.
    func systemBalances(in unit: LedgerUnit) throws(StoreError) -> [SystemAccount: Int64]

    /// Every customer's transfers by (customer, sequence), from the one after these; nil starts at
    /// the first customer; at most `limit`.
    func history(after account: AccountID?, sequence: Int64, limit: Int) throws(StoreError)
        -> [LedgerEntry]

    /// A customer's transfers above a sequence number and below another (nil starts at the newest),
    /// newest first.
    func entries(
        of account: AccountID, after low: Int64, before high: Int64?, limit: Int
    ) throws(StoreError) -> [LedgerEntry]

    /// What a statement needs of a place in a customer's history; nil if nothing stands there.
    func place(_ sequence: Int64, of account: AccountID) throws(StoreError) -> HistoryPlace?

    /// What the movements in these places come to on the customer's account, a value for each kind
    /// that moved; reads as many rows as there are places, ``Limits/statementSliceRows`` at most.
    func totals(of account: AccountID, in places: Range<Int64>) throws(StoreError)
        -> [MovementTotal]
}

extension LedgerRepository {
    /// Open holds whose time is out at `now`, oldest expiry first; at most `limit`.
    package func expiredHolds(at now: Timestamp, limit: Int) throws(StoreError) -> [Hold] {
        try expiredHolds(at: now, after: nil, limit: limit)
    }
}
