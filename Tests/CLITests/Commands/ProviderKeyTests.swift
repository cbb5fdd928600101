import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("provider-keys")
struct ProviderKeyTests {
    private static let secret = "sk-own-0123456789-abcdefgh"
    private static let bound = V1.ProviderKey(
        provider: "openai", models: ["fast", "slow"], bound: true, hint: "…efgh",
        boundAtMilliseconds: CommandTest.began)

    private var bind: MethodRegistration {
        .unary(Methods.AccountsService.bindProviderKey) {
            (request: V1.BindProviderKeyRequest, context) in
            #expect(context.authorization == "Bearer session-of-ann")
            #expect(request == V1.BindProviderKeyRequest(provider: "openai", key: Self.secret))
            return V1.BindProviderKeyResponse(key: Self.bound)
        }
    }

    @Test func aKeyFromAFileIsBoundAndNotShown() async throws {
        let test = try CommandTest()
        try test.signIn()
        try test.folder.write(Self.secret + "\n", to: "openai.key")
        let outcome = try await test.run(
            "provider-keys", "bind", "openai", "--from", test.folder.path + "/openai.key",
            against: [bind])
        #expect(outcome.status == 0)
        #expect(
            outcome.output == "Bound your key …efgh at openai; its models cost no credits now.\n")
        #expect(!(outcome.output + outcome.errors).contains(Self.secret))
    }

    @Test func aKeyFromStandardInputIsBound() async throws {
        let test = try CommandTest(input: ScriptedInput([Self.secret]))
        try test.signIn()
        let outcome = try await test.run(
            "provider-keys", "bind", "openai", "--json", against: [bind])
        #expect(outcome.status == 0)
        #expect(
            outcome.output
                == #"{"provider":"openai","models":["fast","slow"],"bound":true,"hint":"…efgh","#
                + #""boundAtMilliseconds":1769839509000}"# + "\n")
    }

    @Test func noKeyAtAllIsAUsageError() async throws {
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run("provider-keys", "bind", "openai", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("There is no key."))
    }

    @Test func theListShowsWhereAKeyIsBound() async throws {
        let test = try CommandTest()
        try test.signIn()
        let list = MethodRegistration.unary(Methods.AccountsService.listProviderKeys) {
            (_: V1.ListProviderKeysRequest, _) in
            V1.ListProviderKeysResponse(
                providers: [V1.ProviderKey(provider: "other", models: ["slow"]), Self.bound])
        }
        let outcome = try await test.run("provider-keys", "list", against: [list])
        #expect(
            outcome.lines == [
                "PROVIDER  YOUR KEY  BOUND                MODELS",
                "other     -         -                    slow",
                "openai    …efgh     2026-01-31 06:05:09  fast, slow",
            ])
    }

    @Test func aKeyIsRemovedAndOneThatIsNotThereIsNotFound() async throws {
        let test = try CommandTest()
        try test.signIn()
        let remove = MethodRegistration.unary(Methods.AccountsService.removeProviderKey) {
            (request: V1.RemoveProviderKeyRequest, _) in
            guard request.provider == "openai" else {
                throw Failure(.notFound, "You have no key of your own at this provider.")
            }
            return V1.RemoveProviderKeyResponse()
        }
        let removed = try await test.run("provider-keys", "remove", "openai", against: [remove])
        #expect(removed.status == 0)
        #expect(removed.output == "Removed your key at openai.\n")
        let none = try await test.run("provider-keys", "remove", "other", against: [remove])
        #expect(none.status == 10)
    }
}
