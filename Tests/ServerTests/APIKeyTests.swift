import TestSupport
import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct APIKeyTests {
    @Test(arguments: Reach.allCases)
    func `A key chats on its owner's account until it is revoked`(reach: Reach) async throws {
        try await ServerBench.with(reach) { world in
            let (token, account) = try await world.signIn()
            try await world.client("cli") { client in
                let owner = CallOptions(authorization: token)
                let keys = ApiKeysServiceClient(client)
                let made = try await keys.createApiKey(
                    V1.CreateApiKeyRequest(name: "ci", requestsPerMinute: 5), options: owner)
                let key = try #require(made.key)
                #expect(made.secret.hasPrefix("\(key.keyId)-"))
                let program = Person(client, authorization: "Bearer \(made.secret)")
                #expect(try await program.ask(id: "1").done?.trialLeftCalls == 0)
                #expect(try await program.ask(id: "2").done?.chargedMicroCredits == 1_000_000)
                let who = try await AuthServiceClient(client).whoAmI(
                    V1.WhoAmIRequest(), options: program.options)
                #expect(who.accountId == account.description)
                #expect(who.keyId == key.keyId)
                #expect(who.sessionExpiresAtMilliseconds == 0)
                #expect(try await program.quota().balanceMicroCredits == 1_000_000)
                let listed = try await keys.listApiKeys(V1.ListApiKeysRequest(), options: owner)
                #expect(listed.keys.map(\.spentMicroCredits) == [1_000_000])
                #expect(listed.keys.allSatisfy { $0.lastUsedAtMilliseconds > 0 })
                let revoked = try await keys.revokeApiKey(
                    V1.RevokeApiKeyRequest(keyId: key.keyId), options: owner)
                #expect((revoked.key?.revokedAtMilliseconds ?? 0) > 0)
                let refused = await error { _ = try await program.ask(id: "3") }
                #expect(refused?.code == "unauthenticated")
            }
        }
    }

    @Test func `A key opens nothing that is a person's`() async throws {
        try await ServerBench.with { world in
            let (token, _) = try await world.signIn()
            try await world.client("cli") { client in
                let keys = ApiKeysServiceClient(client)
                let made = try await keys.createApiKey(
                    V1.CreateApiKeyRequest(name: "ci"),
                    options: CallOptions(authorization: token))
                let options = CallOptions(authorization: "Bearer \(made.secret)")
                let program = Person(client, authorization: "Bearer \(made.secret)")
                let codes = [
                    await error { _ = try await program.order() }?.code,
                    await error {
                        _ = try await keys.createApiKey(
                            V1.CreateApiKeyRequest(name: "child"), options: options)
                    }?.code,
                    await error {
                        _ = try await keys.listApiKeys(V1.ListApiKeysRequest(), options: options)
                    }?.code,
                    await error {
                        _ = try await AuthServiceClient(client).logout(
                            V1.LogoutRequest(), options: options)
                    }?.code,
                ]
                #expect(codes == Array(repeating: "forbidden", count: 4))
            }
        }
    }
}
