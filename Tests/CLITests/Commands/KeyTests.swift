import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("keys")
struct KeyTests {
    private static let secret = "tg-0H2K9QW3ZT4BM-\(String(repeating: "A", count: 43))"
    private static let key = V1.ApiKey(
        keyId: "tg-0H2K9QW3ZT4BM", name: "ci", createdAtMilliseconds: CommandTest.began,
        expiresAtMilliseconds: CommandTest.began + 86_400_000, models: ["fast"],
        spendCapMicroCredits: 2_500_000, spentMicroCredits: 500_000, requestsPerMinute: 60)

    private var create: MethodRegistration {
        .unary(Methods.ApiKeysService.createApiKey) { (request: V1.CreateApiKeyRequest, context) in
            #expect(context.authorization == "Bearer session-of-ann")
            #expect(
                request
                    == V1.CreateApiKeyRequest(
                        name: "ci", expiresAtMilliseconds: CommandTest.began + 86_400_000,
                        models: ["fast"], spendCapMicroCredits: 2_500_000, requestsPerMinute: 60))
            return V1.CreateApiKeyResponse(secret: Self.secret, key: Self.key)
        }
    }

    private static let wish = [
        "keys", "create", "ci", "--model", "fast", "--cap", "2.5", "--per-minute", "60",
        "--expires", "1d",
    ]

    @Test func aNewKeyAloneGoesToStandardOutput() async throws {
        let test = try CommandTest(variables: ["TOLLGATE_API_KEY": "tg-of-somebody"])
        try test.signIn()
        let outcome = try await test.run(Self.wish, against: [create])
        #expect(outcome.status == 0)
        #expect(outcome.output == Self.secret + "\n")
        #expect(outcome.errors.hasPrefix("Made tg-0H2K9QW3ZT4BM for ci.\n"))
    }

    @Test func aNewKeyInAFileIsNotShown() async throws {
        let test = try CommandTest()
        try test.signIn()
        let path = test.folder.path + "/ci.key"
        let outcome = try await test.run(
            Self.wish + ["--to", path, "--json"], against: [create])
        #expect(outcome.status == 0)
        #expect(!outcome.output.contains(Self.secret) && !outcome.errors.contains(Self.secret))
        #expect(try SecretFile.read(path) == Self.secret)
        #expect(try test.folder.mode(of: "ci.key") == 0o600)
    }

    @Test func aFileThatIsThereIsKept() async throws {
        let test = try CommandTest()
        try test.signIn()
        let path = test.folder.path + "/ci.key"
        try SecretFile.write("tg-the-only-copy", to: path)
        // No method is registered: nothing may be asked of the server.
        let outcome = try await test.run(Self.wish + ["--to", path], against: [])
        #expect(outcome.status == 6)
        #expect(outcome.errors.contains("exists, so no key was made."))
        #expect(try SecretFile.read(path) == "tg-the-only-copy")
    }

    @Test func aKeyThatCannotBeKeptIsRevoked() async throws {
        let test = try CommandTest()
        try test.signIn()
        let revoke = MethodRegistration.unary(Methods.ApiKeysService.revokeApiKey) {
            (request: V1.RevokeApiKeyRequest, _) in
            #expect(request.keyId == Self.key.keyId)
            return V1.RevokeApiKeyResponse(key: Self.key)
        }
        let outcome = try await test.run(
            Self.wish + ["--to", "/dev/null/ci.key"], against: [create, revoke])
        #expect(outcome.status == 9)
        #expect(outcome.errors.contains("The key's file cannot be used"))
    }

    @Test func keysAreListed() async throws {
        var old = Self.key
        old.name = "old"
        old.models = []
        old.spendCapMicroCredits = 0
        old.requestsPerMinute = 0
        old.lastUsedAtMilliseconds = CommandTest.began
        old.revokedAtMilliseconds = CommandTest.began
        let keys = [Self.key, old]
        let list = MethodRegistration.unary(Methods.ApiKeysService.listApiKeys) {
            (_: V1.ListApiKeysRequest, _) in V1.ListApiKeysResponse(keys: keys)
        }
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run("keys", "list", against: [list])
        #expect(
            outcome.lines == [
                "KEY               NAME  STATE             SPENT  CAP  A MINUTE  USED LAST"
                    + "            MODELS",
                "tg-0H2K9QW3ZT4BM  ci    until 2026-02-01    0.5  2.5        60  never    "
                    + "            fast",
                "tg-0H2K9QW3ZT4BM  old   revoked             0.5    -         -  "
                    + "2026-01-31 06:05:09  all",
            ])
    }

    @Test func aWholeSecretIsNotTakenOnTheCommandLine() async throws {
        let outcome = try await CommandTest().run("keys", "revoke", Self.secret, against: [])
        #expect(outcome.status == 2)
    }

    @Test func aChatTakesAKeyFromTheEnvironmentOrAFile() async throws {
        let ask = MethodRegistration.serverStreaming(Methods.ChatService.ask) {
            (_: V1.AskRequest, context, responses: ServerStreamWriter<V1.AnswerEvent>) in
            #expect(context.authorization == "Bearer \(Self.secret)")
            try await responses.write(
                V1.AnswerEvent(event: .start(V1.AnswerStart(model: "m", source: "credits"))))
            try await responses.write(V1.AnswerEvent(event: .delta("yes")))
            try await responses.write(
                V1.AnswerEvent(event: .done(V1.AnswerDone(finishReason: "stop"))))
        }
        let named = try CommandTest(variables: ["TOLLGATE_API_KEY": Self.secret])
        #expect(try await named.run("chat", "sky?", against: [ask]).output == "yes\n")
        let folder = try TemporaryFolder()
        try folder.write(Self.secret + "\n", to: "key")
        let filed = try CommandTest(
            variables: ["TOLLGATE_API_KEY_FILE": folder.path + "/key"])
        #expect(try await filed.run("chat", "sky?", against: [ask]).output == "yes\n")
        try folder.write(Self.secret, to: "open", mode: 0o644)
        let open = try CommandTest(variables: ["TOLLGATE_API_KEY_FILE": folder.path + "/open"])
        let refused = try await open.run("chat", "sky?", against: [ask])
        #expect(refused.status == 9)
        #expect(refused.errors.contains("can be read by others"))
    }

    @Test(
        arguments: [
            ("5", 5_000_000), ("0.25", 250_000), ("1,000", 1_000_000_000), ("0.000001", 1),
            ("-1", nil), ("1.", nil), (".5", nil), ("0.0000001", nil), ("x", nil), ("", nil),
            ("99999999999999999999", nil),
        ] as [(String, Int64?)])
    func creditsAreReadAsPeopleWriteThem(text: String, micro: Int64?) {
        #expect(Amounts.parseCredits(text) == micro)
    }
}
