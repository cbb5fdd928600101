import TestSupport
import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct LoginSessionTests {
    @Test(arguments: Reach.allCases)
    func `A person sees where they are signed in and ends it`(reach: Reach) async throws {
        try await ServerBench.with(reach) { world in
            let (phone, _) = try await world.signIn()
            let (laptop, _) = try await world.signIn()
            try await world.client("cli") { client in
                let auth = AuthServiceClient(client)
                let options = CallOptions(authorization: laptop)
                func list() async throws -> [V1.LoginSession] {
                    try await auth.listLoginSessions(
                        V1.ListLoginSessionsRequest(), options: options
                    ).sessions
                }
                let both = try await list()
                #expect(both.map(\.own) == [true, false])
                #expect(both.allSatisfy { $0.expiresAtMilliseconds > $0.createdAtMilliseconds })
                let other = try #require(both.last)
                #expect(!phone.contains(other.sessionId))
                let ended = try await auth.endLoginSession(
                    V1.EndLoginSessionRequest(sessionId: other.sessionId), options: options)
                #expect(ended == V1.EndLoginSessionResponse(ended: true, ownEnded: false))
                let refused = await error {
                    _ = try await Person(client, authorization: phone).ask(id: "1")
                }
                #expect(refused?.code == "unauthenticated")
                let unread = await error {
                    _ = try await Person(client, authorization: phone).quota()
                }
                #expect(unread?.code == "unauthenticated")
                #expect(try await Person(client, authorization: laptop).ask(id: "2").done != nil)
                #expect(try await list().map(\.sessionId) == [both[0].sessionId])
                let all = try await auth.endLoginSessions(
                    V1.EndLoginSessionsRequest(keepOwn: false), options: options)
                #expect(all.endedSessions == 1)
                #expect(await error { _ = try await list() }?.code == "unauthenticated")
            }
        }
    }

    @Test func `An API key neither sees sessions nor ends them`() async throws {
        try await ServerBench.with { world in
            let (token, _) = try await world.signIn()
            try await world.client("cli") { client in
                let made = try await ApiKeysServiceClient(client).createApiKey(
                    V1.CreateApiKeyRequest(name: "ci"),
                    options: CallOptions(authorization: token))
                let program = CallOptions(authorization: "Bearer \(made.secret)")
                let auth = AuthServiceClient(client)
                let codes = [
                    await error {
                        _ = try await auth.listLoginSessions(
                            V1.ListLoginSessionsRequest(), options: program)
                    }?.code,
                    await error {
                        _ = try await auth.endLoginSession(
                            V1.EndLoginSessionRequest(sessionId: "0H2K9QW3ZT4BM"), options: program)
                    }?.code,
                    await error {
                        _ = try await auth.endLoginSessions(
                            V1.EndLoginSessionsRequest(), options: program)
                    }?.code,
                ]
                #expect(codes == Array(repeating: "forbidden", count: 3))
            }
        }
    }

    @Test func `An operator signs an account out, and the log says so`() async throws {
        try await ServerBench.with { world in
            let (token, account) = try await world.signIn()
            try await world.client("admin") { client in
                let admin = AdminServiceClient(client)
                let by = V1.ActedBy(person: "olga", reason: "lost laptop")
                let out = try await admin.signOutAccount(
                    V1.SignOutAccountRequest(by: by, accountId: account.description))
                #expect(out.endedSessions == 1)
                let act = try await admin.listAdminActs(V1.ListAdminActsRequest()).acts.first
                #expect(act?.kind == "account_signed_out")
                #expect(act?.before == "1 login session")
                let nobody = await error {
                    _ = try await admin.signOutAccount(
                        V1.SignOutAccountRequest(by: by, accountId: "0H2K9QW3ZT4BM"))
                }
                #expect(nobody?.code == "not_found")
            }
            try await world.client("cli") { client in
                let refused = await error {
                    _ = try await Person(client, authorization: token).quota()
                }
                #expect(refused?.code == "unauthenticated")
            }
        }
    }
}
