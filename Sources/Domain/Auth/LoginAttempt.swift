internal import Cryptography
package import TollgateKernel

/// A login that a browser or a command line has begun, to be confirmed on a person's phone.
///
/// pending → scanned → confirmed → redeemed, each step once and in time; refused from any of the
/// first three. Scanning is not enough: a QR code can be shown to somebody who did not begin the
/// login. So whoever scanned is asked for a number that only the screen of the secret's holder
/// shows, and that is drawn no earlier than the scan.
package struct LoginAttempt: Hashable, Sendable {
    /// How far it has come; its time may be out all the same.
    package enum State: Hashable, Sendable {
        /// Nobody has scanned.
        case pending
        /// A follower has scanned and is asked for the number on the screen.
        case scanned(openID: String, number: Int64)
        /// The follower told the number: the secret's holder may sign in as them.
        case confirmed(openID: String)
        /// The secret's holder signed in as them.
        case redeemed(openID: String)
        /// It leads nowhere any more.
        case refused(Refusal)
    }

    /// Why an attempt leads nowhere.
    package enum Refusal: String, Hashable, Sendable, CaseIterable {
        /// Whoever scanned said that it was not they who began it.
        case declined
        /// The number told was not the screen's.
        case wrongNumber = "wrong_number"
        /// Two people scanned the same code.
        case twoScanners = "two_scanners"
        /// The same person scanned another code.
        case superseded
        /// The person left the official account.
        case left
        /// Whoever began it gave it up.
        case cancelled
        /// WeChat made no QR code for it.
        case noCode = "no_code"
    }

    /// Its name in public.
    package var scene: LoginScene
    /// SHA-256 of the secret, 32 bytes.
    package var secretDigest: [UInt8]
    /// Where it was begun, as a digest of 32 bytes: open attempts are counted by it.
    package var source: [UInt8]
    /// What the login session will be called in a list, at most 64 bytes.
    package var device: String
    /// When it began.
    package var createdAt: Timestamp
    /// When it ends, whatever its state.
    package var expiresAt: Timestamp
    /// How far it has come.
    package var state: State

    /// Makes an attempt, pending if nothing else is said.
    package init(
        scene: LoginScene, secretDigest: [UInt8], source: [UInt8], device: String,
        createdAt: Timestamp, expiresAt: Timestamp, state: State = .pending
    ) {
        self.scene = scene
        self.secretDigest = secretDigest
        self.source = source
        self.device = device
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.state = state
    }

    /// The two digits that a random number gives.
    package static func number(from random: UInt64) -> Int64 {
        Limits.loginNumbers.lowerBound + Int64(random % UInt64(Limits.loginNumbers.count))
    }

    /// What an attempt of a source (a digest) is counted under beside the source itself: one of
    /// ``Limits/loginAttemptParts``.
    package static func part(ofSource digest: [UInt8]) -> [UInt8] {
        [(digest.first ?? 0) % UInt8(Limits.loginAttemptParts)]
    }

    /// Why no attempt of a source may begin that is its so-manieth; nil if it may.
    package static func tooMany(ofSource count: Int64) -> Failure? {
        guard count > Limits.loginAttemptsOfSource else { return nil }
        return Failure(
            .rateLimited,
            "Too many logins were begun from here; wait some minutes, or use a code.",
            retryAfterMilliseconds: 60_000)
    }

    /// Why no attempt may begin that is the so-manieth of its part of all sources; nil if it may.
    package static func tooMany(ofPart count: Int64) -> Failure? {
        guard count > Limits.loginAttemptsInAll / Limits.loginAttemptParts else { return nil }
        return Failure(
            .rateLimited, "Too many logins are under way just now; wait a minute, or use a code.",
            retryAfterMilliseconds: 60_000)
    }

    /// Whether it has not run out; the moment of expiry itself is out.
    package func isLive(at now: Timestamp) -> Bool { now < expiresAt }
}

// MARK: - What happens on the phone

extension LoginAttempt {
    /// What came of a scan.
    package enum ScanOutcome: Hashable, Sendable {
        /// The person is asked for the number; also if they scan again.
        case asked
        /// Somebody else had scanned it: it is refused to both.
        case taken
        /// It was confirmed, used, refused or ran out before.
        case late
    }

    /// What came of a number that a person told.
    package enum ReplyOutcome: Hashable, Sendable {
        /// It was the screen's.
        case confirmed
        /// It was another; the attempt is over, so that nobody can try a second one.
        case wrongNumber
        /// The person was not asked, or no longer.
        case late
    }

    /// A follower scans the code.
    ///
    /// - Parameter number: a fresh one; used if this is the first scan.
    package mutating func scan(by openID: String, number: Int64, at now: Timestamp)
        -> ScanOutcome
    {
        guard isLive(at: now) else { return .late }
        switch state {
        case .pending:
            state = .scanned(openID: openID, number: number)
            return .asked
        case .scanned(openID, _): return .asked
        case .scanned:
            state = .refused(.twoScanners)
            return .taken
        case .confirmed, .redeemed, .refused: return .late
        }
    }

    /// A person tells the number they see.
    package mutating func confirm(number: Int64, by openID: String, at now: Timestamp)
        -> ReplyOutcome
    {
        guard isLive(at: now), case .scanned(openID, let expected) = state else { return .late }
        guard number == expected else {
            state = .refused(.wrongNumber)
            return .wrongNumber
        }
        state = .confirmed(openID: openID)
        return .confirmed
    }

    /// Ends it, unless it was used or has ended already; whether it did.
    @discardableResult
    package mutating func refuse(_ refusal: Refusal) -> Bool {
        switch state {
        case .pending, .scanned, .confirmed:
            state = .refused(refusal)
            return true
        case .redeemed, .refused: return false
        }
    }
}

// MARK: - What whoever began it sees

extension LoginAttempt {
    /// How an attempt stands for the holder of its secret.
    package enum Standing: Hashable, Sendable {
        /// The code waits to be scanned.
        case waiting
        /// Show this number: whoever scanned is asked for it.
        case scanned(number: Int64)
        /// Redeem it now.
        case confirmed
        /// It leads nowhere; why.
        case ended(Failure)
    }

    /// How it stands at a moment.
    package func standing(at now: Timestamp) -> Standing {
        switch state {
        case .redeemed: return .ended(Self.used)
        case .refused(let refusal): return .ended(refusal.failure)
        case .pending, .scanned, .confirmed: break
        }
        guard isLive(at: now) else { return .ended(Self.over) }
        switch state {
        case .scanned(_, let number): return .scanned(number: number)
        case .confirmed: return .confirmed
        default: return .waiting
        }
    }

    /// The holder of the secret signs in; works once.
    ///
    /// - Returns: Whom they sign in as.
    /// - Throws: `unauthenticated` with another secret or out of time, `conflict` before it is
    ///   confirmed or after it was used, the refusal's own code after a refusal.
    package mutating func redeem(secretDigest: [UInt8], at now: Timestamp) throws(Failure)
        -> String
    {
        guard ConstantTime.areEqual(secretDigest, self.secretDigest) else { throw Self.over }
        switch standing(at: now) {
        case .waiting, .scanned: throw Self.unconfirmed
        case .ended(let failure): throw failure
        case .confirmed: break
        }
        guard case .confirmed(let openID) = state else { throw Self.unconfirmed }
        state = .redeemed(openID: openID)
        return openID
    }

    /// What an unknown secret, or one whose time is out, is told: both alike.
    package static let over = Failure(
        .unauthenticated, "This login attempt is not known or ran out; begin another.")
    private static let used = Failure(
        .conflict, "This login attempt was used already; begin another.")
    private static let unconfirmed = Failure(
        .conflict, "This login attempt is not confirmed on the phone yet.")
}

extension LoginAttempt.Refusal {
    /// What whoever began the attempt is told.
    package var failure: Failure {
        switch self {
        case .declined:
            Failure(.forbidden, "The login was refused on the phone.")
        case .wrongNumber:
            Failure(.forbidden, "Another number was sent than the one shown; begin again.")
        case .twoScanners:
            Failure(.forbidden, "Two people scanned this QR code; begin again.")
        case .superseded:
            Failure(.conflict, "The phone scanned another QR code since; begin again.")
        case .left:
            Failure(.forbidden, "The phone's owner left the official account meanwhile.")
        case .cancelled:
            Failure(.unauthenticated, "This login attempt was cancelled; begin another.")
        case .noCode:
            Failure(.unavailable, "WeChat made no QR code for this login; begin again.")
        }
    }
}

/// Stores login attempts; a person has at most one that is scanned or confirmed.
///
/// Every method runs inside one transaction.
package protocol LoginAttemptRepository {
    /// The attempt with this scene, live or not.
    func attempt(scene: LoginScene) throws(StoreError) -> LoginAttempt?

    /// The attempt whose secret has this digest, live or not.
    func attempt(secretDigest: [UInt8]) throws(StoreError) -> LoginAttempt?

    /// The attempt that a person has scanned or confirmed and nobody has redeemed, live or not.
    func openAttempt(openID: String) throws(StoreError) -> LoginAttempt?

    /// Counts one more attempt under a key (a source's digest, or a part of all sources).
    ///
    /// - Returns: How many there were since the first within ``Limits/loginAttemptMilliseconds``,
    ///   whatever became of them; then counting begins anew.
    func count(under key: [UInt8], at now: Timestamp) throws(StoreError) -> Int64

    /// How many ``count(under:at:)`` has counted under a key so far; counts none.
    func counted(under key: [UInt8], at now: Timestamp) throws(StoreError) -> Int64

    /// Forgets counts that began so long before `now` that they begin anew; at most `limit`.
    ///
    /// - Returns: How many.
    func forgetCounts(now: Timestamp, limit: Int) throws(StoreError) -> Int

    /// Adds a pending attempt.
    func insert(_ attempt: LoginAttempt) throws(StoreError)

    /// Stores an attempt's new state.
    ///
    /// - Throws: `conflict` if the stored state is not `old` any more.
    func save(_ attempt: LoginAttempt, was old: LoginAttempt.State) throws(StoreError)

    /// Removes attempts that ran out before `now`; at most `limit`. Returns how many.
    func removeExpiredAttempts(now: Timestamp, limit: Int) throws(StoreError) -> Int
}
