import CLI
import Foundation
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("operators")
struct OperatorTests {
    private static let standard = V1.Tier(
        name: "standard", priceNumerator: 1, priceDenominator: 1, requestsPerMinute: 60,
        tokensPerMinute: 200_000, concurrentChats: 8)
    private static let account = V1.AccountStanding(
        accountId: "0H2K9QW3ZT4BM", status: "frozen", tier: "standard",
        openedAtMilliseconds: CommandTest.began, postedMicroCredits: 7_500_000,
        heldMicroCredits: 500_000, openChats: 1)

    private var list: MethodRegistration {
        .unary(Methods.AdminService.listTiers) { (_: V1.ListTiersRequest, context) in
            #expect(context.identity?.role == .admin)
            return V1.ListTiersResponse(tiers: [Self.standard])
        }
    }

    @Test func tiersAreListed() async throws {
        let outcome = try await CommandTest().run("admin", "tiers", "list", against: [list])
        #expect(
            outcome.lines == [
                "TIER      PRICE  CHATS A MINUTE  TOKENS A MINUTE  CHATS AT ONCE",
                "standard    × 1              60          200,000              8",
            ])
    }

    @Test func whatIsNotNamedOfATierStaysAsItIs() async throws {
        var wanted = Self.standard
        wanted.priceNumerator = 4
        wanted.priceDenominator = 5
        wanted.tokensPerMinute = 0
        let expected = wanted
        let set = MethodRegistration.unary(Methods.AdminService.setTier) {
            (request: V1.SetTierRequest, _) in
            #expect(request.tier == expected)
            #expect(request.by == V1.ActedBy(person: "olga", reason: "Spring"))
            return V1.SetTierResponse(tier: expected)
        }
        let test = try CommandTest(variables: ["USER": "olga"])
        let outcome = try await test.run(
            [
                "admin", "tiers", "set", "standard", "--price", "4/5", "--tokens", "none",
                "--reason", "Spring",
            ], against: [list, set])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines.last
                == "standard  × 4/5              60              any              8")
    }

    @Test(arguments: [
        ["set", "a", "--reason", "r", "--price", "0.8"], ["set", "a"],
        ["set", "a", "--reason", " "], ["set", "a", "--reason", "r", "--requests", "0"],
    ])
    func aWrongTierIsAUsageError(words: [String]) async throws {
        let outcome = try await CommandTest().run(["admin", "tiers"] + words, against: [])
        #expect(outcome.status == 2)
    }

    @Test func anActWithoutAnAnswerSendsItsOperatorToTheLog() async throws {
        let lost = Failure(.unknownOutcome, "The connection to the server was lost.")
        let freeze = MethodRegistration.unary(Methods.AdminService.setAccountStatus) {
            (_: V1.SetAccountStatusRequest, _) -> V1.SetAccountStatusResponse in throw lost
        }
        let outcome = try await CommandTest(variables: ["USER": "olga"]).run(
            "admin", "accounts", "freeze", "0H2K9QW3ZT4BM", "--reason", "r", against: [freeze])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("Look before you repeat it: tollgate admin log"))

        let show = MethodRegistration.unary(Methods.AdminService.getAccount) {
            (_: V1.GetAccountRequest, _) -> V1.GetAccountResponse in throw lost
        }
        let harmless = try await CommandTest().run(
            "admin", "accounts", "show", "0H2K9QW3ZT4BM", against: [show])
        #expect(harmless.status == 9)
        #expect(!harmless.errors.contains("Look before you repeat it"))
    }

    @Test(
        arguments: [
            (["--operator", "flag"], ["TOLLGATE_OPERATOR": "variable", "USER": "user"], "flag"),
            ([], ["TOLLGATE_OPERATOR": "variable", "USER": "user"], "variable"),
            ([], ["TOLLGATE_OPERATOR": "", "USER": "user"], "user"),
            // Cron, systemd and containers set no USER.
            ([], [:], "daemon"),
        ] as [([String], [String: String], String)])
    func theOperatorIsFoundOut(
        flags: [String], variables: [String: String], name: String
    ) async throws {
        let freeze = MethodRegistration.unary(Methods.AdminService.setAccountStatus) {
            (request: V1.SetAccountStatusRequest, _) in
            #expect(request.by?.person == name)
            return V1.SetAccountStatusResponse(account: Self.account)
        }
        let test = try CommandTest(variables: variables, userName: "daemon")
        let outcome = try await test.run(
            ["admin", "accounts", "freeze", "0H2K9QW3ZT4BM", "--reason", "r"] + flags,
            against: [freeze])
        #expect(outcome.status == 0)
    }

    @Test func theSystemKnowsWhomThisRunsAs() {
        #expect(OperatorName.ofProcess() == NSUserName())
    }

    @Test func aKeyOfAnotherAdjustmentIsToldByItsOption() async throws {
        let adjust = MethodRegistration.unary(Methods.AdminService.adjustCredits) {
            (_: V1.AdjustCreditsRequest, _) -> V1.AdjustCreditsResponse in
            throw Failure(.mismatch, "The server's words.")
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "adjust", "0H2K9QW3ZT4BM", "--give", "1", "--key", "monday",
                "--reason", "r", "--operator", "olga",
            ], against: [adjust])
        #expect(outcome.status == 6)
        #expect(outcome.errors.hasPrefix("error: --key monday was used for another adjustment"))
    }

    @Test func anActNeedsSomebody() async throws {
        let outcome = try await CommandTest().run(
            "admin", "accounts", "freeze", "0H2K9QW3ZT4BM", "--reason", "r", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("--operator"))
    }

    @Test func anAccountIsFrozenAndShown() async throws {
        let freeze = MethodRegistration.unary(Methods.AdminService.setAccountStatus) {
            (request: V1.SetAccountStatusRequest, _) in
            #expect(
                request
                    == V1.SetAccountStatusRequest(
                        by: V1.ActedBy(person: "olga", reason: "r"), accountId: "0H2K9QW3ZT4BM",
                        status: "frozen"))
            return V1.SetAccountStatusResponse(account: Self.account)
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "freeze", "0H2K9QW3ZT4BM", "--reason", "r", "--operator",
                "olga",
            ], against: [freeze])
        #expect(
            outcome.lines == [
                "Account             0H2K9QW3ZT4BM",
                "Status              frozen",
                "Tier                standard",
                "White-listed        no",
                "Opened              2026-01-31 06:05:09",
                "Credits             7.5 credits",
                "Reserved for calls  0.5 credits",
                "Chats under way     1",
            ])
    }

    @Test func takingIsNegativeAndRepeatedUnderItsKey() async throws {
        let adjust = MethodRegistration.unary(Methods.AdminService.adjustCredits) {
            (request: V1.AdjustCreditsRequest, _) in
            #expect(request.amountMicroCredits == -2_500_000)
            #expect(request.requestId == "again")
            return V1.AdjustCreditsResponse(account: Self.account, doneNow: false)
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "adjust", "0H2K9QW3ZT4BM", "--take", "2.5", "--key", "again",
                "--reason", "r", "--operator", "olga",
            ], against: [adjust])
        #expect(outcome.status == 0)
        #expect(outcome.errors == "It was done before under this key; nothing changed.\n")
        let both = try await CommandTest().run(
            [
                "admin", "accounts", "adjust", "0H2K9QW3ZT4BM", "--take", "2.5", "--give", "1",
                "--reason", "r",
            ], against: [])
        #expect(both.status == 2)
    }

    @Test func theLogTellsWhoDidWhatAndWhy() async throws {
        let log = MethodRegistration.unary(Methods.AdminService.listAdminActs) {
            (request: V1.ListAdminActsRequest, _) in
            #expect(request == V1.ListAdminActsRequest(limit: 1))
            return V1.ListAdminActsResponse(
                acts: [
                    V1.AdminAct(
                        actId: "A1", atMilliseconds: CommandTest.began, credential: "admin",
                        person: "olga", kind: "account_frozen", object: "0H2K9QW3ZT4BM",
                        before: "active", after: "frozen", reason: "Disputed", correlationId: 7)
                ], nextBeforeActId: "A1")
        }
        let outcome = try await CommandTest().run(
            "admin", "log", "--limit", "1", against: [log])
        #expect(
            outcome.lines.last
                == "2026-01-31 06:05:09  olga (admin)  account_frozen  0H2K9QW3ZT4BM  active  "
                + "frozen  Disputed")
        #expect(outcome.errors == "More: tollgate admin log --before A1\n")
        let json = try await CommandTest().run(
            "admin", "log", "--limit", "1", "--json", against: [log])
        #expect(
            json.output
                == #"{"acts":[{"actId":"A1","atMilliseconds":1769839509000,"person":"olga","#
                + #""credential":"admin","kind":"account_frozen","object":"0H2K9QW3ZT4BM","#
                + #""before":"active","after":"frozen","reason":"Disputed","correlationId":7}],"#
                + #""nextBeforeActId":"A1"}"# + "\n")
    }
}
