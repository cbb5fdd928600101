package import TollgateKernel

/// A customer: one person of the official account.
package struct Account: Hashable, Sendable {
    /// Whether the account may spend.
    package enum Status: String, Hashable, Sendable {
        case active
        /// An operator stopped it; it can still receive.
        case frozen
        /// Its person has left: nobody can use it any more, and what is left of them is being
        /// erased.
        case deleting
        /// Nothing of the person is left; the rows of money stay, under the account's number alone.
        case deleted
    }

    /// The account.
    package var id: AccountID
    /// HMAC-SHA256 of the openid under the store's identity key: how the person is found again.
    ///
    /// That of a deleted account is of nobody.
    package var openIDDigest: [UInt8]
    /// Whether it may spend.
    package var status: Status
    /// Whether its calls are charged to `promotion` instead of its credits.
    package var isWhiteListed: Bool
    /// Whether it has a key of its own at some provider.
    package var hasOwnKeys: Bool
    /// When it was opened.
    package var openedAt: Timestamp
    /// When its person left; nil while it is theirs.
    package var deletedAt: Timestamp?
    /// What its calls cost, and how many it may make.
    package var tier: Tier

    /// Makes an account value.
    package init(
        id: AccountID, openIDDigest: [UInt8], status: Status, isWhiteListed: Bool,
        openedAt: Timestamp, tier: Tier = .standard, hasOwnKeys: Bool = false,
        deletedAt: Timestamp? = nil
    ) {
        self.id = id
        self.openIDDigest = openIDDigest
        self.status = status
        self.isWhiteListed = isWhiteListed
        self.openedAt = openedAt
        self.tier = tier
        self.hasOwnKeys = hasOwnKeys
        self.deletedAt = deletedAt
    }
}

/// Free calls of one account on one Shanghai day.
package struct TrialDay: Hashable, Sendable {
    /// The account.
    package var account: AccountID
    /// The day.
    package var day: ShanghaiDay
    /// Free calls used or under way; a failed call gives its one back.
    package var used: Int64

    /// Makes a value.
    package init(account: AccountID, day: ShanghaiDay, used: Int64) {
        self.account = account
        self.day = day
        self.used = used
    }
}

/// Stores accounts, what they may use, and their free trials.
///
/// Every method runs inside one transaction.
package protocol AccountRepository {
    /// The account with this id.
    func account(_ id: AccountID) throws(StoreError) -> Account?

    /// The account of the person with this openid digest.
    func account(openIDDigest: [UInt8]) throws(StoreError) -> Account?

    /// Adds an account, in the standard tier, and its empty ledger (posted 0, held 0, sequence 0, a
    /// chain hash of 32 zero bytes). The digest is unique.
    func insert(_ account: Account, openID: String) throws(StoreError)

    /// The openid to send messages to; nil if the account is unknown or its person has left.
    func openID(of account: AccountID) throws(StoreError) -> String?

    /// Changes the status and the white-list mark; `conflict` if the account is unknown. A deleted
    /// account stays one.
    func update(_ account: Account) throws(StoreError)

    /// Whether the account was permitted this model by a purchase.
    func isPermitted(_ model: ModelName, for account: AccountID) throws(StoreError) -> Bool

    /// Permits models; those already permitted stay so.
    func permit(_ models: [ModelName], for account: AccountID) throws(StoreError)

    /// Free calls on a day; `used` is 0 if there is no row.
    func trialDay(of account: AccountID, on day: ShanghaiDay) throws(StoreError) -> TrialDay

    /// Free calls that an account used on days from one to before another.
    func trialCalls(of account: AccountID, from first: ShanghaiDay, until end: ShanghaiDay)
        throws(StoreError) -> Int64

    /// Stores `used` (inserting or replacing); the schema has CHECK used >= 0.
    func save(_ trialDay: TrialDay) throws(StoreError)
}
