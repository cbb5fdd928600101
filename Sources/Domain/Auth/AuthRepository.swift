package import TollgateKernel

/// A login code that waits to be typed.
package struct LoginCode: Hashable, Sendable {
    /// HMAC-SHA256 of the code under the store's identity key, 32 bytes: the code itself, 40 bits,
    /// could be guessed from a plain hash.
    package var digest: [UInt8]
    /// Whose.
    package var openID: String
    /// When it stops working.
    package var expiresAt: Timestamp

    /// Makes a value.
    package init(digest: [UInt8], openID: String, expiresAt: Timestamp) {
        self.digest = digest
        self.openID = openID
        self.expiresAt = expiresAt
    }
}

/// A signed-in browser or command line.
package struct LoginSession: Hashable, Sendable {
    /// The session.
    package var id: LoginSessionID
    /// SHA-256 of the 256-bit secret, 32 bytes.
    package var digest: [UInt8]
    /// Whose.
    package var account: AccountID
    /// What it is called in a list, at most 64 bytes.
    package var device: String
    /// When it began.
    package var createdAt: Timestamp
    /// When it ends.
    package var expiresAt: Timestamp
    /// When it last began a chat, to within ``Limits/loginSessionUseMilliseconds``; before its
    /// first one, when it began.
    package var lastUsedAt: Timestamp

    /// Makes a session that was not used yet.
    package init(
        id: LoginSessionID, digest: [UInt8], account: AccountID, device: String,
        createdAt: Timestamp, expiresAt: Timestamp, lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.digest = digest
        self.account = account
        self.device = device
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt ?? createdAt
    }

    /// Whether a use at this moment is worth a write.
    package func isUseDue(at now: Timestamp) -> Bool {
        now.milliseconds - lastUsedAt.milliseconds >= Limits.loginSessionUseMilliseconds
    }
}

/// Stores login codes, guesses and login sessions.
///
/// Every method runs inside one transaction.
package protocol AuthRepository {
    /// Adds a code and removes every other code of the same openid; false, and nothing changed, if
    /// the digest belongs to a code of somebody else that is still live at `now`.
    func insert(_ code: LoginCode, now: Timestamp) throws(StoreError) -> Bool

    /// Removes the code and returns it, if it is live at `now`: a code works once.
    func takeLoginCode(digest: [UInt8], now: Timestamp) throws(StoreError) -> LoginCode?

    /// Removes codes that stopped working before `now`; at most `limit`. Returns how many.
    func removeExpiredLoginCodes(now: Timestamp, limit: Int) throws(StoreError) -> Int

    /// Wrong guesses of a source (a digest; empty is all sources together) in one minute since
    /// 1970.
    func wrongGuesses(source: [UInt8], minute: Int64) throws(StoreError) -> Int64

    /// Counts one wrong guess for the source, and for all if it was one at a login code; forgets
    /// minutes before `minute - 10`.
    func recordWrongGuess(source: [UInt8], minute: Int64, countsInAll: Bool) throws(StoreError)

    /// Adds a session.
    func insert(_ session: LoginSession) throws(StoreError)

    /// The session with this digest, live or not.
    func loginSession(digest: [UInt8]) throws(StoreError) -> LoginSession?

    /// An account's sessions by number, from the one after this (nil starts at the first); at most
    /// `limit`.
    func loginSessions(of account: AccountID, after id: LoginSessionID?, limit: Int)
        throws(StoreError) -> [LoginSession]

    /// Removes a session; false if there was none.
    func removeLoginSession(digest: [UInt8]) throws(StoreError) -> Bool

    /// The account's sessions that are live at `now`, the newest first; at most `limit`.
    func loginSessions(
        of account: AccountID, now: Timestamp, limit: Int
    ) throws(StoreError) -> [LoginSession]

    /// Removes a session of the account that is live at `now`; false if it has none of this number.
    func removeLoginSession(
        _ id: LoginSessionID, of account: AccountID, now: Timestamp
    ) throws(StoreError) -> Bool

    /// Removes every session of the account that is live at `now` but one (nil spares none).
    ///
    /// - Returns: How many.
    func removeLoginSessions(
        of account: AccountID, except spared: LoginSessionID?, now: Timestamp
    ) throws(StoreError) -> Int

    /// Removes the account's sessions that were used least recently, until `limit` are left; never
    /// the one that is spared, whatever the clock said before.
    func trimLoginSessions(
        of account: AccountID, to limit: Int, sparing session: LoginSessionID
    ) throws(StoreError)

    /// Writes when a session was last used; an earlier moment than the one it has changes nothing.
    func saveUse(ofLoginSession id: LoginSessionID, at now: Timestamp) throws(StoreError)

    /// Removes sessions that ended before `now`; at most `limit`. Returns how many.
    func removeExpiredLoginSessions(now: Timestamp, limit: Int) throws(StoreError) -> Int
}
