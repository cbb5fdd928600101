internal import Accounts
internal import Application
internal import Auth
internal import TollgateKernel
internal import TollgateRPC

/// Finds out on whose behalf a call is made.
struct CallerIdentity: Sendable {
    let callers: Callers

    /// The login session or API key that the call carries.
    ///
    /// - Throws: `unauthenticated` if there is none or it has no such shape.
    static func credential(of context: ServerCallContext) throws(Failure) -> CallerCredential {
        guard let text = context.authorization else {
            throw Failure(.unauthenticated, "You are not signed in; sign in first.")
        }
        guard let credential = CallerCredential.parse(authorization: text) else {
            throw Failure(
                .unauthenticated,
                "This is neither a login session nor an API key; sign in, or take another key.")
        }
        return credential
    }

    /// The secret of the login session that the call carries.
    ///
    /// - Throws: `forbidden` for an API key: what it would need a person for.
    static func token(of context: ServerCallContext) throws(Failure) -> SessionToken {
        guard case .session(let token) = try credential(of: context) else { throw needsPerson }
        return token
    }

    /// Who calls, a person or a program.
    func caller(of context: ServerCallContext) async throws -> Caller {
        try await callers.whoIs(Self.credential(of: context))
    }

    /// The account of whoever calls, a person or a program.
    func account(of context: ServerCallContext) async throws -> Account {
        try await caller(of: context).account
    }

    /// The account of the person who calls.
    ///
    /// - Throws: `forbidden` for a live API key.
    func person(of context: ServerCallContext) async throws -> Account {
        let caller = try await caller(of: context)
        guard caller.session != nil else { throw Self.needsPerson }
        return caller.account
    }

    private static let needsPerson = Failure(
        .forbidden, "An API key may not do this; sign in and do it yourself.")
}
