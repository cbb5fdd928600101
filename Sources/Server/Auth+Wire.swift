internal import Accounts
internal import Application
internal import Auth
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// Login codes and login sessions on the wire.
struct AuthHandlers: AuthServiceHandlers {
    let caller: CallerIdentity
    let signIn: SignIn
    let scanLogin: ScanLogin
    let sessions: LoginSessions

    func login(_ request: V1.LoginRequest, _ context: ServerCallContext) async throws
        -> V1.LoginResponse
    {
        let signedIn = try await signIn.signIn(
            typed: request.code, source: Self.source(request.source, context),
            device: request.device)
        return V1.LoginResponse(signedIn)
    }

    /// Where a call is limited by: only a web tier may speak for somebody else's address.
    private static func source(_ told: String, _ context: ServerCallContext) -> String {
        context.identity?.role == .web && !told.isEmpty ? told : context.peer
    }

    func logout(_ request: V1.LogoutRequest, _ context: ServerCallContext) async throws
        -> V1.LogoutResponse
    {
        try await signIn.signOut(CallerIdentity.token(of: context))
        return V1.LogoutResponse()
    }

    func whoAmI(_ request: V1.WhoAmIRequest, _ context: ServerCallContext) async throws
        -> V1.WhoAmIResponse
    {
        let caller = try await caller.caller(of: context)
        let end = caller.session?.expiresAt ?? caller.apiKey?.expiresAt
        return V1.WhoAmIResponse(
            accountId: caller.account.id.description,
            openedAtMilliseconds: caller.account.openedAt.milliseconds,
            sessionExpiresAtMilliseconds: end?.milliseconds ?? 0,
            accountStatus: caller.account.status.rawValue, keyId: caller.apiKey?.id.shown ?? "")
    }
}

// MARK: - Sessions

extension AuthHandlers {
    func listLoginSessions(_ request: V1.ListLoginSessionsRequest, _ context: ServerCallContext)
        async throws -> V1.ListLoginSessionsResponse
    {
        let live = try await sessions.list(for: CallerIdentity.token(of: context))
        return V1.ListLoginSessionsResponse(
            sessions: live.sessions.map { V1.LoginSession($0, isOwn: $0.id == live.own) })
    }

    func endLoginSession(_ request: V1.EndLoginSessionRequest, _ context: ServerCallContext)
        async throws -> V1.EndLoginSessionResponse
    {
        let ended = try await sessions.end(
            LoginSessionID(text: request.sessionId), by: CallerIdentity.token(of: context))
        return V1.EndLoginSessionResponse(ended: ended.isEnded, ownEnded: ended.isOwn)
    }

    func endLoginSessions(_ request: V1.EndLoginSessionsRequest, _ context: ServerCallContext)
        async throws -> V1.EndLoginSessionsResponse
    {
        let ended = try await sessions.endAll(
            by: CallerIdentity.token(of: context), keepsOwn: request.keepOwn)
        return V1.EndLoginSessionsResponse(endedSessions: Int64(ended))
    }
}

extension V1.LoginSession {
    fileprivate init(_ session: LoginSession, isOwn: Bool) {
        self.init(
            sessionId: session.id.description, device: session.device,
            createdAtMilliseconds: session.createdAt.milliseconds,
            lastUsedAtMilliseconds: session.lastUsedAt.milliseconds,
            expiresAtMilliseconds: session.expiresAt.milliseconds, own: isOwn)
    }
}

// MARK: - By QR code

extension AuthHandlers {
    func beginScanLogin(_ request: V1.BeginScanLoginRequest, _ context: ServerCallContext)
        async throws -> V1.BeginScanLoginResponse
    {
        let begun = try await scanLogin.begin(
            source: Self.source(request.source, context), device: request.device)
        return V1.BeginScanLoginResponse(
            attemptSecret: begun.secret.text, codeUrl: begun.url,
            expiresAtMilliseconds: begun.expiresAt.milliseconds)
    }

    func awaitScanLogin(
        _ request: V1.AwaitScanLoginRequest, _ context: ServerCallContext,
        _ responses: ServerStreamWriter<V1.ScanLoginEvent>
    ) async throws {
        try await scanLogin.follow(Self.secret(request.attemptSecret)) { standing in
            try await responses.write(V1.ScanLoginEvent(standing))
        }
    }

    func redeemScanLogin(_ request: V1.RedeemScanLoginRequest, _ context: ServerCallContext)
        async throws -> V1.LoginResponse
    {
        V1.LoginResponse(try await scanLogin.redeem(Self.secret(request.attemptSecret)))
    }

    func cancelScanLogin(_ request: V1.CancelScanLoginRequest, _ context: ServerCallContext)
        async throws -> V1.CancelScanLoginResponse
    {
        try await scanLogin.cancel(Self.secret(request.attemptSecret))
        return V1.CancelScanLoginResponse()
    }

    private static func secret(_ text: String) throws(Failure) -> LoginAttemptSecret {
        guard let secret = LoginAttemptSecret(text: text) else { throw LoginAttempt.over }
        return secret
    }
}

extension V1.LoginResponse {
    fileprivate init(_ signedIn: SignIn.SignedIn) {
        self.init(
            sessionToken: signedIn.token.text,
            expiresAtMilliseconds: signedIn.session.expiresAt.milliseconds,
            accountId: signedIn.session.account.description,
            accountOpened: signedIn.accountOpened)
    }
}

extension V1.ScanLoginEvent {
    fileprivate init(_ standing: LoginAttempt.Standing) {
        switch standing {
        case .waiting: self.init(event: .waiting(V1.ScanLoginWaiting()))
        case .scanned(let number):
            self.init(event: .scanned(V1.ScanLoginScanned(number: number)))
        case .confirmed: self.init(event: .done(V1.ScanLoginDone()))
        case .ended(let failure):
            self.init(
                event: .error(
                    V1.ScanLoginError(code: failure.code.rawValue, message: failure.message)))
        }
    }
}
