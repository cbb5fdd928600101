import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// What is told of credentials that are wrong, or of two accounts.
@Suite("credentials")
struct CredentialTests {
    private static let mine = "0H2K9QW3ZT4BM"
    private static let key = "tg-of-somebody"

    /// Knows one API key, of this account.
    private func whoAmI(_ owner: String) -> MethodRegistration {
        .unary(Methods.AuthService.whoAmI) { (_: V1.WhoAmIRequest, context) in
            guard context.authorization == "Bearer \(Self.key)" else {
                throw Failure(.unauthenticated, "This API key is not valid.")
            }
            return V1.WhoAmIResponse(accountId: owner, keyId: "tg-0H2K9QW3ZT4BM")
        }
    }

    private let orders = MethodRegistration.unary(Methods.OrdersService.listOrders) {
        (_: V1.ListOrdersRequest, context) in
        #expect(context.authorization == "Bearer session-of-ann")
        return V1.ListOrdersResponse()
    }

    private func run(
        _ words: [String], key: String, owner: String, signsIn: Bool = true,
        against methods: [MethodRegistration]
    ) async throws -> Outcome {
        let test = try CommandTest(variables: ["TOLLGATE_API_KEY": key])
        if signsIn { try test.signIn() }
        return try await test.run(words, against: methods + [whoAmI(owner)])
    }

    @Test(arguments: [
        ["orders"], ["order", "0H2K9QW3ZT4BM"], ["buy", "starter"], ["sessions"],
        ["sessions", "end", "--all"], ["keys", "list"], ["provider-keys", "list"],
    ])
    func aKeyOfAnotherAccountStopsWhatGoesByTheSession(words: [String]) async throws {
        // Nothing but whose key it is may be asked of the server.
        let outcome = try await run(words, key: Self.key, owner: "0H2K9QW3ZT4BN", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(
            outcome.errors == """
                error: You are signed in as 0H2K9QW3ZT4BM, and TOLLGATE_API_KEY has an API key of \
                0H2K9QW3ZT4BN: nothing was done.
                This goes by the login session, what a key may do by the key. Unset \
                TOLLGATE_API_KEY to act for 0H2K9QW3ZT4BM.

                """)
    }

    @Test(arguments: [Self.key, "tg-of-nobody"])
    func aKeyOfTheSameAccountOrOfNobodyStopsNothing(key: String) async throws {
        let outcome = try await run(["orders"], key: key, owner: Self.mine, against: [orders])
        #expect(outcome.status == 0)
        #expect(outcome.lines == ["You have ordered nothing yet."])
        #expect(outcome.errors.isEmpty)
    }

    @Test func signingOutIsOfTheSessionWhoseverKeyIsSet() async throws {
        let logout = MethodRegistration.unary(Methods.AuthService.logout) {
            (_: V1.LogoutRequest, _) in V1.LogoutResponse()
        }
        let outcome = try await run(
            ["logout"], key: Self.key, owner: "0H2K9QW3ZT4BN", against: [logout])
        #expect(outcome.lines == ["Signed out."])
    }

    @Test func whoHasAKeyAloneIsToldThatItMayNot() async throws {
        let outcome = try await run(
            ["orders"], key: Self.key, owner: Self.mine, signsIn: false, against: [])
        #expect(outcome.status == 3)
        #expect(
            outcome.errors == """
                error: You are not signed in, and the API key in TOLLGATE_API_KEY may not do this.
                \(Advice.signIn)

                """)
    }

    @Test func theAdviceAfterAWrongKeyIsAboutTheKey() async throws {
        let outcome = try await run(
            ["whoami"], key: "tg-of-nobody", owner: Self.mine, against: [])
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains("The API key comes from TOLLGATE_API_KEY."))
        #expect(!outcome.errors.contains(Advice.signIn))
    }

    @Test(arguments: [
        ["orders"], ["quota"], ["ping"], ["login", "K7QM-4T2X"], ["admin", "audit"],
    ])
    func theAdviceAfterAWrongConnectionCredentialIsAboutThat(words: [String]) async throws {
        let test = try CommandTest()
        try test.signIn()
        try test.folder.write("a-stranger", to: "wrong")
        let path = test.folder.path + "/wrong"
        let outcome = try await test.run(words + ["--credential-file", path], against: [])
        #expect(outcome.status == 3)
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.first == "error: The server does not know this connection's credential.")
        #expect(lines.last?.hasPrefix("It comes from \(path). ") == true)
        #expect(lines.last?.contains("admin credential") == (words[0] == "admin"))
    }

    @Test func aCredentialOfAnotherRoleIsNamed() async throws {
        let test = try CommandTest(variables: ["TOLLGATE_CREDENTIAL": "cli"])
        let audit = MethodRegistration.unary(Methods.OperationsService.audit) {
            (_: V1.AuditRequest, _) in V1.AuditResponse()
        }
        let outcome = try await test.run("admin", "audit", against: [audit])
        #expect(outcome.status == 5)
        #expect(outcome.errors.contains("TOLLGATE_CREDENTIAL holds another credential."))
    }
}
