import TestSupport
import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct OwnKeyTests {
    private static let secret = "sk-own-0123456789-abcdefgh"

    @Test(arguments: Reach.allCases)
    func `A person binds a key, asks under it, and removes it`(reach: Reach) async throws {
        try await ServerBench.with(reach) { world in
            let (token, _) = try await world.signIn()
            try await world.client("cli") { client in
                let person = Person(client, authorization: token)
                let accounts = AccountsServiceClient(client)
                let bound = try await accounts.bindProviderKey(
                    V1.BindProviderKeyRequest(provider: "a", key: Self.secret),
                    options: person.options)
                #expect(bound.key?.hint == "…efgh")
                let answer = try await person.ask(id: "1")
                #expect(answer.start?.source == "own_key")
                #expect(answer.done?.chargedMicroCredits == 0)
                #expect(answer.done?.trialLeftCalls == 1)
                #expect(world.models.keys == [Self.secret])
                let listed = try await accounts.listProviderKeys(
                    V1.ListProviderKeysRequest(), options: person.options)
                #expect(listed.providers.map(\.provider) == ["a"])
                #expect(listed.providers.map(\.bound) == [true])
                #expect(listed.providers.first?.models == ["m"])
                _ = try await accounts.removeProviderKey(
                    V1.RemoveProviderKeyRequest(provider: "a"), options: person.options)
                #expect(try await person.ask(id: "2").start?.source == "trial")
                #expect(world.models.keys == [Self.secret, "key-a"])
            }
        }
    }

    @Test func `A program's key neither sees nor changes them`() async throws {
        try await ServerBench.with { world in
            let (token, _) = try await world.signIn()
            try await world.client("cli") { client in
                let made = try await ApiKeysServiceClient(client).createApiKey(
                    V1.CreateApiKeyRequest(name: "ci"), options: CallOptions(authorization: token))
                let options = CallOptions(authorization: "Bearer \(made.secret)")
                let accounts = AccountsServiceClient(client)
                let codes = [
                    await error {
                        _ = try await accounts.listProviderKeys(
                            V1.ListProviderKeysRequest(), options: options)
                    }?.code,
                    await error {
                        _ = try await accounts.bindProviderKey(
                            V1.BindProviderKeyRequest(provider: "a", key: Self.secret),
                            options: options)
                    }?.code,
                    await error {
                        _ = try await accounts.removeProviderKey(
                            V1.RemoveProviderKeyRequest(provider: "a"), options: options)
                    }?.code,
                ]
                #expect(codes == ["forbidden", "forbidden", "forbidden"])
            }
        }
    }
}
