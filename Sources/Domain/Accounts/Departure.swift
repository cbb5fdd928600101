package import TollgateKernel

/// What is remembered of the orders that a person made and did not pay, once they left.
package struct DepartedOrders: Hashable, Sendable {
    /// How many they were, of the day before.
    package var made: Int64
    /// When the person left.
    package var leftAt: Timestamp

    /// Makes a value.
    package init(made: Int64, leftAt: Timestamp) {
        self.made = made
        self.leftAt = leftAt
    }
}

/// Erases what is kept about people who leave.
///
/// Every method runs inside one transaction.
///
/// What is a person's stands in one place here, whichever domain it belongs to: the openid and all
/// that is found by it, and what an account's person named, bound or was told. Rows of money
/// (transfers, lots, holds, usage, orders, payments) stay, with the account's number and nothing
/// else of the person.
package protocol DepartureRepository {
    /// Marks an account as being deleted and takes its openid off it; `conflict` if it is unknown
    /// or was left before.
    ///
    /// - Parameter placeholder: 32 bytes that no person's digest is, in the place of the openid's:
    ///   the person may come back, to another account.
    func begin(_ account: AccountID, placeholder: [UInt8], at now: Timestamp) throws(StoreError)

    /// Removes login codes, login attempts and the follower's row of a person.
    func erase(openID: String) throws(StoreError)

    /// Removes login sessions, own keys and messages of an account that is being deleted, and
    /// revokes its API keys and takes their names off them; at most `limit` rows of each kind.
    ///
    /// - Returns: Whether nothing was left beyond that.
    func erase(_ account: AccountID, at now: Timestamp, limit: Int) throws(StoreError) -> Bool

    /// Accounts that are being deleted, by number, from the one after this (nil starts at the
    /// first); at most `limit`.
    func unfinished(after account: AccountID?, limit: Int) throws(StoreError) -> [AccountID]

    /// Accounts whose deletion began before `moment` and has not ended, by number; at most `limit`.
    func unfinished(begunBefore moment: Timestamp, limit: Int) throws(StoreError) -> [AccountID]

    /// How many accounts are being deleted.
    func countUnfinished() throws(StoreError) -> Int64

    /// How many accounts' deletion began before `moment` and has not ended.
    func countUnfinished(begunBefore moment: Timestamp) throws(StoreError) -> Int64

    /// Remembers how many free calls of a day a person who leaves has used, by the digest of their
    /// openid.
    func keepTrial(_ used: Int64, on day: ShanghaiDay, ofPerson digest: [UInt8]) throws(StoreError)

    /// Free calls of a day that a person used before they left; nil if none are remembered.
    func trialUsed(on day: ShanghaiDay, ofPerson digest: [UInt8]) throws(StoreError) -> Int64?

    /// Remembers the tier of a person who leaves, by the digest of their openid, until
    /// ``takeTier(ofPerson:)``.
    func keepTier(_ name: TierName, ofPerson digest: [UInt8]) throws(StoreError)

    /// The tier a person had when they left, which is remembered no longer; nil if none is.
    func takeTier(ofPerson digest: [UInt8]) throws(StoreError) -> TierName?

    /// Remembers what a person who leaves ordered and did not pay, by the digest of their openid,
    /// in the place of what was remembered before.
    func keepOrders(_ orders: DepartedOrders, ofPerson digest: [UInt8]) throws(StoreError)

    /// What a person had ordered and not paid when they last left; nil if nothing is remembered.
    func orders(ofPerson digest: [UInt8]) throws(StoreError) -> DepartedOrders?

    /// Forgets orders of people who left before `moment`; at most `limit` people. Returns how many.
    func forgetOrders(leftBefore moment: Timestamp, limit: Int) throws(StoreError) -> Int

    /// Forgets free calls of days before `day`; at most `limit` people. Returns how many.
    func forgetTrials(before day: ShanghaiDay, limit: Int) throws(StoreError) -> Int
}
