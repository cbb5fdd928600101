import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("models, quota, ledger, products, ping")
struct AccountTests {
    private func signedIn() throws -> CommandTest {
        let test = try CommandTest()
        try test.signIn()
        return test
    }

    private let quota = MethodRegistration.unary(Methods.AccountsService.getQuota) {
        (_: V1.GetQuotaRequest, context) in
        #expect(context.authorization == "Bearer session-of-ann")
        return V1.GetQuotaResponse(
            postedMicroCredits: 12_500_000, heldMicroCredits: 500_000,
            balanceMicroCredits: 12_000_000, trialGrantedCalls: 3, trialUsedCalls: 1,
            lots: [
                V1.CreditLot(
                    lotId: "L1", origin: "welcome", grantedMicroCredits: 2_000_000,
                    remainingMicroCredits: 2_000_000),
                V1.CreditLot(
                    lotId: "L2", origin: "order", orderId: "O1",
                    grantedMicroCredits: 1_200_000_000, remainingMicroCredits: 10_500_000,
                    expiresAtMilliseconds: CommandTest.began),
            ])
    }

    @Test func quotaShowsBalanceTrialAndLots() async throws {
        let outcome = try await signedIn().run("quota", against: [quota])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "Balance             12 credits",
                "Reserved for calls  0.5 credits",
                "Free calls today    2 of 3 left",
                "",
                "FROM     LEFT  GRANTED  EXPIRES              ORDER",
                "welcome     2        2  never",
                "order    10.5    1,200  2026-01-31 06:05:09  O1",
            ])
        #expect(outcome.errors.isEmpty)
    }

    @Test func quotaInJSONHasNumbers() async throws {
        let outcome = try await signedIn().run("quota", "--json", against: [quota])
        let start = [
            #"{"balanceMicroCredits":12000000,"postedMicroCredits":12500000,"#,
            #""heldMicroCredits":500000,"trialGrantedCalls":3,"trialUsedCalls":1,"lots":["#,
        ].joined()
        #expect(outcome.output.hasPrefix(start))
    }

    @Test func aLedgerPageSaysWhereTheNextStarts() async throws {
        let ledger = MethodRegistration.unary(Methods.AccountsService.listLedger) {
            (request: V1.ListLedgerRequest, _) in
            #expect(request == V1.ListLedgerRequest(limit: 2, beforeSequence: 9))
            return V1.ListLedgerResponse(
                entries: [
                    V1.LedgerEntry(
                        sequence: 8, kind: "usage", amountMicroCredits: -1_000_000,
                        postedAfterMicroCredits: 11_000_000, reference: "r-1",
                        atMilliseconds: CommandTest.began),
                    V1.LedgerEntry(
                        sequence: 7, kind: "purchase", amountMicroCredits: 10_000_000,
                        postedAfterMicroCredits: 12_000_000, reference: "O1",
                        atMilliseconds: CommandTest.began),
                ], nextBeforeSequence: 7)
        }
        let outcome = try await signedIn().run(
            "ledger", "--limit", "2", "--before", "9", against: [ledger])
        #expect(
            outcome.lines == [
                "NO.  WHEN (UTC)           WHAT      CREDITS  AFTER  ABOUT",
                "  8  2026-01-31 06:05:09  usage          -1     11  r-1",
                "  7  2026-01-31 06:05:09  purchase      +10     12  O1",
            ])
        #expect(outcome.errors == "More: tollgate ledger --before 7\n")
    }

    @Test func anEmptyLedgerIsASentence() async throws {
        let ledger = MethodRegistration.unary(Methods.AccountsService.listLedger) {
            (_: V1.ListLedgerRequest, _) in V1.ListLedgerResponse()
        }
        let outcome = try await signedIn().run("ledger", against: [ledger])
        #expect(outcome.output == "Nothing has moved on your account yet.\n")
    }

    @Test func modelsShowPricesAndPermission() async throws {
        let models = MethodRegistration.unary(Methods.ChatService.listModels) {
            (_: V1.ListModelsRequest, _) in
            V1.ListModelsResponse(models: [
                V1.Model(
                    name: "快问", summary: "Quick answers", pricePerCallMicroCredits: 1_000_000,
                    maxTokens: 1_024, permitted: true),
                V1.Model(
                    name: "deep", summary: "Long thoughts",
                    pricePerThousandPromptTokensMicroCredits: 500_000,
                    pricePerThousandCompletionTokensMicroCredits: 1_500_000, maxTokens: 8_192),
            ])
        }
        let outcome = try await signedIn().run("models", against: [models])
        #expect(
            outcome.lines == [
                "MODEL  A CALL  1,000 PROMPT  1,000 ANSWER  MAX TOKENS  ALLOWED  FOR",
                "快问        1             0             0       1,024  yes      Quick answers",
                "deep        0           0.5           1.5       8,192  no       Long thoughts",
            ])
    }

    @Test func productsNeedNobodySignedIn() async throws {
        let products = MethodRegistration.unary(Methods.OrdersService.listProducts) {
            (_: V1.ListProductsRequest, context) in
            #expect(context.authorization == nil)
            return V1.ListProductsResponse(products: [
                V1.Product(
                    key: "starter", name: "入门", summary: "Ten questions", priceFen: 990,
                    microCredits: 10_000_000, lifetimeDays: 365, models: ["fast", "deep"])
            ])
        }
        let outcome = try await CommandTest().run("products", against: [products])
        #expect(
            outcome.lines == [
                "KEY      NAME  PRICE  CREDITS       FOR  MODELS      WHAT IT IS",
                "starter  入门  ¥9.90       10  365 days  fast, deep  Ten questions",
            ])
        let json = try await CommandTest().run("products", "--json", against: [products])
        #expect(
            json.output
                == #"{"products":[{"key":"starter","name":"入门","summary":"Ten questions","#
                + #""priceFen":990,"microCredits":10000000,"lifetimeDays":365,"#
                + #""models":["fast","deep"]}]}"# + "\n")
    }

    @Test func pingTellsVersionAndRealm() async throws {
        let ping = MethodRegistration.unary(Methods.DiagnosticsService.ping) {
            (_: V1.PingRequest, _) in
            V1.PingResponse(version: "0.1.0", nowMilliseconds: 5, realm: "sandbox")
        }
        let outcome = try await CommandTest().run("ping", "--count", "3", against: [ping])
        #expect(outcome.lines.count == 3)
        for line in outcome.lines {
            #expect(line.hasPrefix("127.0.0.1:7400 answers in "))
            #expect(line.hasSuffix(" ms: version 0.1.0, realm sandbox"))
        }
        let json = try await CommandTest().run("ping", "--json", against: [ping])
        #expect(json.output.contains(#""version":"0.1.0","realm":"sandbox","nowMilliseconds":5"#))
    }

    @Test func anUnreachableServerIsNamed() async throws {
        let test = try CommandTest()
        let outcome = await test.run(["ping", "--timeout", "5"], connector: Unreachable())
        #expect(outcome.status == 9)
        #expect(outcome.errors.hasPrefix("error: "))
        #expect(
            outcome.errors.hasSuffix(
                "Is the server at 127.0.0.1:7400 running? If it wants TLS, set TOLLGATE_TLS_CA. "
                    + "Start one with: tollgate up; or name another with --server.\n"))
    }

    @Test func aMissingCredentialStopsBeforeCalling() async throws {
        let test = try CommandTest()
        let outcome = try await test.run(
            "ping", "--data", test.folder.path + "/nowhere", against: [])
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains("/nowhere/credentials/cli is missing"))
    }

    @Test func aWrongCredentialIsUnauthenticated() async throws {
        let test = try CommandTest()
        try test.folder.write("wrong", to: "key")
        let outcome = try await test.run(
            "products", "--credential-file", test.folder.path + "/key", "--json", against: [])
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains(#"{"error":{"code":"unauthenticated""#))
    }
}
