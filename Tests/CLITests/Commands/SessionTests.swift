import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("sessions")
struct SessionTests {
    private let list = MethodRegistration.unary(Methods.AuthService.listLoginSessions) {
        (_: V1.ListLoginSessionsRequest, context) in
        #expect(context.authorization == "Bearer session-of-ann")
        return V1.ListLoginSessionsResponse(
            sessions: [
                V1.LoginSession(
                    sessionId: "0H2K9QW3ZT4BM", device: "lab",
                    createdAtMilliseconds: CommandTest.began,
                    lastUsedAtMilliseconds: CommandTest.began + 60_000,
                    expiresAtMilliseconds: CommandTest.began + 86_400_000, own: true),
                V1.LoginSession(
                    sessionId: "0H2K9QW3ZT4BN", createdAtMilliseconds: CommandTest.began,
                    lastUsedAtMilliseconds: CommandTest.began,
                    expiresAtMilliseconds: CommandTest.began),
            ])
    }

    @Test(arguments: [["sessions"], ["sessions", "list"]])
    func theListSaysWhichIsThisOne(words: [String]) async throws {
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run(words, against: [list])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "SESSION        DEVICE         SIGNED IN   USED LAST (UTC)   UNTIL",
                "0H2K9QW3ZT4BM  this one: lab  2026-01-31  2026-01-31 06:06  2026-02-01",
                "0H2K9QW3ZT4BN  unknown        2026-01-31  2026-01-31 06:05  2026-01-31",
            ])
    }

    @Test func aLongDeviceHidesNotWhichIsThisOne() async throws {
        let long = MethodRegistration.unary(Methods.AuthService.listLoginSessions) {
            (_: V1.ListLoginSessionsRequest, _) in
            V1.ListLoginSessionsResponse(
                sessions: [
                    V1.LoginSession(
                        sessionId: "0H2K9QW3ZT4BM", device: "tollgate on a-machine-of-the-lab",
                        createdAtMilliseconds: CommandTest.began,
                        lastUsedAtMilliseconds: CommandTest.began,
                        expiresAtMilliseconds: CommandTest.began, own: true)
                ])
        }
        let test = try CommandTest(isTerminal: true, columns: 80)
        try test.signIn()
        let lines = try await test.run("sessions", against: [long]).lines
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { DisplayWidth.of($0) <= 80 })
        #expect(lines.last?.contains("  this one: tollgate on") == true)
    }

    @Test func endingOthersKeepsThisMachineSignedIn() async throws {
        let test = try CommandTest()
        try test.signIn()
        let end = MethodRegistration.unary(Methods.AuthService.endLoginSessions) {
            (request: V1.EndLoginSessionsRequest, _) in
            #expect(request.keepOwn)
            return V1.EndLoginSessionsResponse(endedSessions: 2)
        }
        let outcome = try await test.run("sessions", "end", "--others", against: [end])
        #expect(outcome.lines == ["Ended 2 login sessions."])
        #expect(try test.profile().session() != nil)
    }

    @Test func endingAllForgetsThisOneToo() async throws {
        let test = try CommandTest()
        try test.signIn()
        let end = MethodRegistration.unary(Methods.AuthService.endLoginSessions) {
            (request: V1.EndLoginSessionsRequest, _) in
            #expect(!request.keepOwn)
            return V1.EndLoginSessionsResponse(endedSessions: 1)
        }
        let outcome = try await test.run("sessions", "end", "--all", against: [end])
        #expect(outcome.lines == ["Ended 1 login session.", "Signed out here as well."])
        #expect(try test.profile().session() == nil)
    }

    @Test func aSessionThatIsGoneIsToldCalmly() async throws {
        let test = try CommandTest()
        try test.signIn()
        let end = MethodRegistration.unary(Methods.AuthService.endLoginSession) {
            (request: V1.EndLoginSessionRequest, _) in
            #expect(request.sessionId == "0H2K9QW3ZT4BN")
            return V1.EndLoginSessionResponse()
        }
        let outcome = try await test.run("sessions", "end", "0H2K9QW3ZT4BN", against: [end])
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("No login session of this number is live"))
        let again = try CommandTest()
        try again.signIn()
        let json = try await again.run(
            "sessions", "end", "0H2K9QW3ZT4BN", "--json", against: [end])
        #expect(json.output == #"{"endedSessions":0,"ownEnded":false}"# + "\n")
    }

    @Test(arguments: [
        ["sessions", "end"], ["sessions", "end", "--others", "--all"],
        ["sessions", "end", "0H2K9QW3ZT4BN", "--all"],
    ])
    func whatIsEndedIsSaidOnce(words: [String]) async throws {
        let test = try CommandTest()
        try test.signIn()
        #expect(try await test.run(words, against: []).status == 2)
    }

    @Test func anOperatorSignsAnAccountOut() async throws {
        let out = MethodRegistration.unary(Methods.AdminService.signOutAccount) {
            (request: V1.SignOutAccountRequest, _) in
            #expect(
                request
                    == V1.SignOutAccountRequest(
                        by: V1.ActedBy(person: "olga", reason: "r"), accountId: "0H2K9QW3ZT4BM"))
            return V1.SignOutAccountResponse(endedSessions: 3)
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "sign-out", "0H2K9QW3ZT4BM", "--reason", "r", "--operator",
                "olga",
            ], against: [out])
        #expect(outcome.lines == ["Ended 3 login sessions of 0H2K9QW3ZT4BM."])
    }
}
