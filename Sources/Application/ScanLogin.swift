package import Auth
internal import Logging
internal import Synchronization
package import TollgateKernel
package import Weixin

/// Logins by QR code, from the side of whoever begins one; the phone's side is ``ReceivePush``.
package struct ScanLogin: Sendable {
    /// A login attempt that waits to be scanned.
    package struct Begun: Sendable {
        /// Shown once; whoever holds it signs in.
        package var secret: LoginAttemptSecret
        /// The text to draw as a QR code.
        package var url: String
        /// When the attempt ends.
        package var expiresAt: Timestamp
    }

    private let ports: Ports
    private let officialAccount: any OfficialAccountGateway
    private let monotonic: any MonotonicClock
    private let watchers = AttemptWatchers()
    private let logger = Logger(label: "tollgate.scan-login")

    /// Makes the use case.
    package init(
        _ ports: Ports, officialAccount: any OfficialAccountGateway, monotonic: any MonotonicClock
    ) {
        self.ports = ports
        self.officialAccount = officialAccount
        self.monotonic = monotonic
    }

    /// Begins a login.
    ///
    /// - Parameters:
    ///   - source: Where it is begun: open attempts are counted by it.
    ///   - device: What the session is called in a list, and to the person who scans; cut to 64
    ///     bytes.
    /// - Throws: `rate_limited` if too many are open, `unavailable` or `upstream_failed` if WeChat
    ///   makes no QR code.
    package func begin(source: String, device: String) async throws -> Begun {
        let now = ports.clock.now()
        guard
            let secret = LoginAttemptSecret(
                randomBytes: ports.random.bytes(SessionToken.secretBytes)),
            let scene = LoginScene(randomBytes: ports.random.bytes(LoginScene.randomBytes))
        else { throw Failure(.internalError, "No login attempt's secret could be made.") }
        let attempt = LoginAttempt(
            scene: scene, secretDigest: try secret.digest,
            source: try ports.identityKey.sourceDigest(source), device: device.cut(toBytes: 64),
            createdAt: now, expiresAt: now.adding(milliseconds: Limits.loginAttemptMilliseconds))
        let part = LoginAttempt.part(ofSource: attempt.source)
        if let tooMany = try await tooMany(ofSource: attempt.source, part, at: now) {
            throw tooMany
        }
        // The limits stand before the call to WeChat, which they protect.
        // A refusal is a value, so that it costs the others of its batch nothing.
        let refusal = try await ports.store.write { tx -> Failure? in
            let ofSource = try tx.loginAttempts.count(under: attempt.source, at: now)
            if let tooMany = LoginAttempt.tooMany(ofSource: ofSource) { return tooMany }
            let ofPart = try tx.loginAttempts.count(under: part, at: now)
            if let tooMany = LoginAttempt.tooMany(ofPart: ofPart) { return tooMany }
            try tx.loginAttempts.insert(attempt)
            return nil
        }
        if let refusal { throw refusal }
        do {
            let code = try await officialAccount.makeCode(
                scene: scene.text, lifetimeSeconds: Limits.loginAttemptMilliseconds / 1_000)
            return Begun(secret: secret, url: code.url, expiresAt: attempt.expiresAt)
        } catch {
            try await refuse(.noCode, digest: attempt.secretDigest)
            throw told(error)
        }
    }

    /// Why no attempt may begin by what was counted before; nil if one may.
    ///
    /// Looked at by a reader: who begins logins without end would write the row of its part with
    /// each of them, and be in the way of everybody else whose logins are counted there.
    private func tooMany(
        ofSource source: [UInt8], _ part: [UInt8], at now: Timestamp
    ) async throws -> Failure? {
        try await ports.store.read { tx in
            let ofSource = try tx.loginAttempts.counted(under: source, at: now)
            if let tooMany = LoginAttempt.tooMany(ofSource: ofSource + 1) { return tooMany }
            let ofPart = try tx.loginAttempts.counted(under: part, at: now)
            return LoginAttempt.tooMany(ofPart: ofPart + 1)
        }
    }

    /// What the caller is told of WeChat's refusal; the operator reads the rest.
    private func told(_ failure: OfficialAccountFailure) -> Failure {
        guard failure.kind == .temporary else {
            logger.error("\(failure.message)", metadata: ["kind": "\(failure.kind.rawValue)"])
            return Failure(
                .upstreamFailed, "WeChat makes no QR codes for us; sign in with a code instead.")
        }
        return Failure(
            .unavailable,
            "WeChat makes no QR code just now; try again, or sign in with a code instead.")
    }

    /// Tells how an attempt stands, at once and when it changes, until it is confirmed or over.
    ///
    /// The store is looked at: what the phone did may have reached another server.
    ///
    /// - Returns: The last standing that was told: confirmed or ended.
    /// - Throws: `rate_limited` if ``Limits/loginAttemptWatchers`` watch it at this server already.
    @discardableResult
    package func follow(
        _ secret: LoginAttemptSecret, onChange: (LoginAttempt.Standing) async throws -> Void
    ) async throws -> LoginAttempt.Standing {
        let digest = try secret.digest
        guard watchers.enter(digest) else { throw Self.watchedEnough }
        defer { watchers.leave(digest) }
        var told: LoginAttempt.Standing?
        while true {
            let standing = try await standing(digest: digest)
            if standing != told {
                try await onChange(standing)
                told = standing
            }
            switch standing {
            case .confirmed, .ended: return standing
            case .waiting, .scanned: break
            }
            try await monotonic.sleep(for: .milliseconds(Limits.loginAttemptLookMilliseconds))
        }
    }

    /// Exchanges a confirmed attempt for a login session; works once.
    ///
    /// - Throws: `unauthenticated` for an unknown secret or out of time, `conflict` if it is not
    ///   confirmed or was redeemed, `forbidden` if it was refused on the phone.
    package func redeem(_ secret: LoginAttemptSecret) async throws -> SignIn.SignedIn {
        let now = ports.clock.now()
        let digest = try secret.digest
        // What cannot be redeemed asks for no write: a screen may ask again and again.
        let seen = try await ports.store.read { tx in
            try tx.loginAttempts.attempt(secretDigest: digest)
        }
        guard var likely = seen else { throw LoginAttempt.over }
        _ = try likely.redeem(secretDigest: digest, at: now)
        let (token, prepared) = try SignIn.prepare(device: "", ports, now)
        let opened = try await ports.store.write { [ports] tx in
            guard let known = try tx.loginAttempts.attempt(secretDigest: digest) else {
                throw LoginAttempt.over
            }
            var attempt = known
            let openID = try attempt.redeem(secretDigest: digest, at: now)
            try tx.loginAttempts.save(attempt, was: known.state)
            var session = prepared
            session.device = attempt.device
            return try SignIn.open(session, for: openID, tx, ports, now)
        }
        return SignIn.SignedIn(
            token: token, session: opened.session, accountOpened: opened.accountOpened)
    }

    /// Gives an attempt up; one that is unknown or has ended is no error.
    package func cancel(_ secret: LoginAttemptSecret) async throws {
        try await refuse(.cancelled, digest: try secret.digest)
    }

    private static let watchedEnough = Failure(
        .rateLimited, "This login is waited for in too many places; close the others first.",
        retryAfterMilliseconds: Limits.loginAttemptLookMilliseconds)

    private func standing(digest: [UInt8]) async throws -> LoginAttempt.Standing {
        let attempt = try await ports.store.read { tx in
            try tx.loginAttempts.attempt(secretDigest: digest)
        }
        return attempt?.standing(at: ports.clock.now()) ?? .ended(LoginAttempt.over)
    }

    private func refuse(_ refusal: LoginAttempt.Refusal, digest: [UInt8]) async throws {
        let seen = try await ports.store.read { tx in
            try tx.loginAttempts.attempt(secretDigest: digest)
        }
        guard var likely = seen, likely.refuse(refusal) else { return }
        try await ports.store.write { tx in
            guard let known = try tx.loginAttempts.attempt(secretDigest: digest) else { return }
            var attempt = known
            guard attempt.refuse(refusal) else { return }
            try tx.loginAttempts.save(attempt, was: known.state)
        }
    }
}

/// How many watch each login attempt at this server: every one looks at the store again and again.
private final class AttemptWatchers: Sendable {
    private let counts = Mutex<[[UInt8]: Int]>([:])

    /// Whether one more may watch; whoever may leaves again.
    func enter(_ digest: [UInt8]) -> Bool {
        counts.withLock { counts in
            let count = counts[digest, default: 0]
            guard count < Limits.loginAttemptWatchers else { return false }
            counts[digest] = count + 1
            return true
        }
    }

    func leave(_ digest: [UInt8]) {
        counts.withLock { counts in
            let left = counts[digest, default: 1] - 1
            counts[digest] = left > 0 ? left : nil
        }
    }
}
