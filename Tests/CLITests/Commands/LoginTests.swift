import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("login, logout, whoami")
struct LoginTests {
    private let opened = MethodRegistration.unary(Methods.AuthService.login) {
        (request: V1.LoginRequest, context) in
        guard request.code == "K7QM-4T2X" else {
            throw Failure(.unauthenticated, "This code is wrong or was used.")
        }
        #expect(request.device.hasPrefix("tollgate on "))
        #expect(context.identity?.role == .cli)
        #expect(context.authorization == nil)
        return V1.LoginResponse(
            sessionToken: "fresh", expiresAtMilliseconds: CommandTest.began + 60_000,
            accountId: "0H2K9QW3ZT4BM", accountOpened: true)
    }

    @Test func aCodeSignsInAndTheSessionIsKept() async throws {
        let test = try CommandTest()
        let outcome = try await test.run("login", "K7QM-4T2X", against: [opened])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "Welcome: an account was opened for you.",
                "Signed in as 0H2K9QW3ZT4BM until 2026-01-31 06:06:09.",
                "Next: tollgate quota, tollgate chat",
            ])
        #expect(
            try test.profile().session()
                == LoginSession(
                    server: "127.0.0.1:7400", token: "fresh", account: "0H2K9QW3ZT4BM",
                    expiresAtMilliseconds: CommandTest.began + 60_000))
        #expect(try test.folder.mode(of: ".config/tollgate/default/session.json") == 0o600)
    }

    @Test func theJSONHoldsNoSecret() async throws {
        let test = try CommandTest()
        let outcome = try await test.run("login", "K7QM-4T2X", "--json", against: [opened])
        #expect(
            outcome.output
                == #"{"accountId":"0H2K9QW3ZT4BM","accountOpened":true,"#
                + #""expiresAtMilliseconds":1769839569000,"server":"127.0.0.1:7400","#
                + #""profile":"default"}"# + "\n")
    }

    @Test func withoutACodeItAsks() async throws {
        let test = try CommandTest(
            isTerminal: true, input: ScriptedInput(["  K7QM-4T2X "], isTerminal: true))
        let outcome = try await test.run("login", against: [opened])
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("send it 登录"))
        #expect(outcome.errors.hasSuffix("Code: "))
    }

    @Test func anEndInsteadOfACodeIsAUsageError() async throws {
        let outcome = try await CommandTest().run("login", against: [opened])
        #expect(outcome.status == 2)
        #expect(
            outcome.errors
                == "error: There is no code.\n"
                + "Send 登录 to the official account, then: tollgate login CODE\n")
    }

    @Test func aWrongCodeSaysHowToGetAnother() async throws {
        let test = try CommandTest()
        let outcome = try await test.run("login", "AAAA-AAAA", against: [opened])
        #expect(outcome.status == 3)
        #expect(
            outcome.errors
                == "error: This code is wrong or was used.\n"
                + "Send 登录 to the official account, then: tollgate login CODE\n")
        #expect(try test.profile().session() == nil)
    }

    @Test func tooManyGuessesTellHowLongToWait() async throws {
        let limited = MethodRegistration.unary(Methods.AuthService.login) {
            (_: V1.LoginRequest, _) -> V1.LoginResponse in
            throw Failure(.rateLimited, "Too many guesses.", retryAfterMilliseconds: 42_000)
        }
        let outcome = try await CommandTest().run("login", "X", "--json", against: [limited])
        #expect(outcome.status == 7)
        #expect(outcome.output.isEmpty)
        #expect(
            outcome.errors
                == #"{"error":{"code":"rate_limited","message":"Too many guesses.","#
                + #""retryAfterMilliseconds":42000}}"# + "\n")
    }

    @Test func theReplacedSessionIsEnded() async throws {
        let test = try CommandTest()
        try test.signIn(token: "old")
        try await confirmation { ended in
            let logout = MethodRegistration.unary(Methods.AuthService.logout) {
                (_: V1.LogoutRequest, context) in
                #expect(context.authorization == "Bearer old")
                ended()
                return V1.LogoutResponse()
            }
            let outcome = try await test.run("login", "K7QM-4T2X", against: [opened, logout])
            #expect(outcome.status == 0)
        }
        #expect(try test.profile().session()?.token == "fresh")
    }

    @Test func logoutEndsTheSessionThereAndHere() async throws {
        let test = try CommandTest()
        try test.signIn()
        try await confirmation { ended in
            let logout = MethodRegistration.unary(Methods.AuthService.logout) {
                (_: V1.LogoutRequest, context) in
                #expect(context.authorization == "Bearer session-of-ann")
                ended()
                return V1.LogoutResponse()
            }
            let outcome = try await test.run("logout", against: [logout])
            #expect(outcome.status == 0)
            #expect(outcome.output == "Signed out.\n")
        }
        #expect(try test.profile().session() == nil)
    }

    @Test func logoutOfASessionTheServerForgotIsDone() async throws {
        let test = try CommandTest()
        try test.signIn()
        let logout = MethodRegistration.unary(Methods.AuthService.logout) {
            (_: V1.LogoutRequest, _) -> V1.LogoutResponse in
            throw Failure(.unauthenticated, "No such session.")
        }
        #expect(try await test.run("logout", against: [logout]).status == 0)
        #expect(try test.profile().session() == nil)
    }

    @Test func anUnreachableServerKeepsTheSessionUnlessLocal() async throws {
        let test = try CommandTest()
        try test.signIn()
        #expect(await test.run(["logout"], connector: Unreachable()).status == 9)
        #expect(try test.profile().session() != nil)
        #expect(await test.run(["logout", "--local"], connector: Unreachable()).status == 0)
        #expect(try test.profile().session() == nil)
    }

    @Test func logoutWhenNobodyIsSignedInIsDone() async throws {
        let outcome = try await CommandTest().run("logout", "--json", against: [])
        #expect(outcome.status == 0)
        #expect(outcome.output == "{\"wasSignedIn\":false}\n")
    }

    @Test func whoamiTellsPersonServerAndProfile() async throws {
        let test = try CommandTest()
        try test.signIn()
        let method = MethodRegistration.unary(Methods.AuthService.whoAmI) {
            (_: V1.WhoAmIRequest, _) in
            V1.WhoAmIResponse(
                accountId: "0H2K9QW3ZT4BM", openedAtMilliseconds: CommandTest.began,
                sessionExpiresAtMilliseconds: CommandTest.began + 60_000, accountStatus: "active")
        }
        let outcome = try await test.run("whoami", against: [method])
        #expect(
            outcome.lines == [
                "Account          0H2K9QW3ZT4BM",
                "Status           active",
                "Opened           2026-01-31 06:05:09",
                "Signed in until  2026-01-31 06:06:09",
                "Server           127.0.0.1:7400",
                "Profile          default",
            ])
    }

    @Test func whoamiWithoutASessionCallsNobody() async throws {
        let outcome = try await CommandTest().run("whoami", against: [])
        #expect(outcome.status == 3)
        #expect(
            outcome.errors
                == "error: You are not signed in.\n"
                + "Send 登录 to the official account, then: tollgate login CODE\n")
    }

    @Test func anEndedSessionIsToldBeforeCalling() async throws {
        let test = try CommandTest()
        try test.signIn(expiresIn: 0)
        let outcome = try await test.run("whoami", "--json", against: [])
        #expect(outcome.status == 3)
        #expect(
            outcome.errors
                == #"{"error":{"code":"unauthenticated","message":"Your login session is over."}}"#
                + "\n")
    }
}
