internal import Accounts
internal import Application
internal import Auth
internal import TollgateKernel
internal import TollgateRPC

/// Finds out who a call's login session belongs to.
struct CallerIdentity: Sendable {
    let signIn: SignIn

    /// The session's secret as the call carries it.
    ///
    /// - Throws: `unauthenticated` if there is none or it has no such shape.
    static func token(of context: ServerCallContext) throws(Failure) -> SessionToken {
        guard let text = context.userFields["authorization"],
            let token = SessionToken.parse(authorization: text)
        else {
            throw Failure(.unauthenticated, "You are not signed in; sign in first.")
        }
        return token
    }

    /// The account behind the call.
    func account(of context: ServerCallContext) async throws -> Account {
        try await signIn.whoIs(Self.token(of: context)).account
    }
}
