import TestSupport
import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct AdminTests {
    private static let by = V1.ActedBy(person: "olga", reason: "as agreed")

    @Test func `An operator sets a tier, moves an account, and the account feels it`()
        async throws
    {
        try await ServerBench.with { world in
            let (token, account) = try await world.signIn()
            try await world.client("admin") { client in
                let admin = AdminServiceClient(client)
                let tier = V1.Tier(
                    name: "partner", priceNumerator: 1, priceDenominator: 2, requestsPerMinute: 2)
                _ = try await admin.setTier(V1.SetTierRequest(by: Self.by, tier: tier))
                let moved = try await admin.setAccountTier(
                    V1.SetAccountTierRequest(
                        by: Self.by, accountId: account.description, tier: "partner"))
                #expect(moved.account?.tier == "partner")
                #expect(
                    try await admin.listTiers(V1.ListTiersRequest()).tiers.map(\.name)
                        == ["partner", "standard"])
                let person = Person(client, authorization: token)
                let models = try await ChatServiceClient(client).listModels(
                    V1.ListModelsRequest(), options: person.options)
                #expect(models.models.map(\.pricePerCallMicroCredits) == [500_000])
                _ = try await person.ask(id: "1")
                #expect(try await person.ask(id: "2").done?.chargedMicroCredits == 500_000)
                let refused = await error { _ = try await person.ask(id: "3") }
                #expect(refused?.code == "rate_limited")
                #expect(refused?.httpStatus == 429)
                #expect((refused?.retryAfterMilliseconds ?? 0) > 0)
            }
        }
    }

    @Test func `Freezing, adjusting and the log are one story`() async throws {
        try await ServerBench.with { world in
            let (token, account) = try await world.signIn()
            try await world.client("admin") { client in
                let admin = AdminServiceClient(client)
                let id = account.description
                let gift = V1.AdjustCreditsRequest(
                    by: Self.by, accountId: id, amountMicroCredits: 1_000_000, requestId: "gift")
                #expect(try await admin.adjustCredits(gift).doneNow)
                #expect(try await !admin.adjustCredits(gift).doneNow)
                let frozen = try await admin.setAccountStatus(
                    V1.SetAccountStatusRequest(by: Self.by, accountId: id, status: "frozen"))
                #expect(frozen.account?.status == "frozen")
                let person = Person(client, authorization: token)
                #expect(
                    await error { _ = try await person.ask(id: "1") }?.code == "account_frozen")
                let standing = try await admin.getAccount(V1.GetAccountRequest(accountId: id))
                #expect(standing.account?.postedMicroCredits == 3_000_000)
                let acts = try await admin.listAdminActs(V1.ListAdminActsRequest(limit: 1))
                #expect(acts.acts.map(\.kind) == ["account_frozen"])
                #expect(acts.acts.map(\.credential) == ["admin"])
                let rest = try await admin.listAdminActs(
                    V1.ListAdminActsRequest(beforeActId: acts.nextBeforeActId))
                #expect(rest.acts.map(\.after) == ["+1 → 3"])
                #expect(rest.nextBeforeActId == "")
            }
        }
    }
}
