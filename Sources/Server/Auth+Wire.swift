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

    func login(_ request: V1.LoginRequest, _ context: ServerCallContext) async throws
        -> V1.LoginResponse
    {
        // Only a web tier may speak for somebody else's address.
        let isBelieved = context.identity?.role == .web && !request.source.isEmpty
        let source = isBelieved ? request.source : context.peer
        let signedIn = try await signIn.signIn(
            typed: request.code, source: source, device: request.device)
        return V1.LoginResponse(
            sessionToken: signedIn.token.text,
            expiresAtMilliseconds: signedIn.session.expiresAt.milliseconds,
            accountId: signedIn.session.account.description,
            accountOpened: signedIn.accountOpened)
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
