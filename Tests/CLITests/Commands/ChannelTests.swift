import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("admin channels")
struct ChannelCommandTests {
    private static let secret = "sk-operator-0123456789-wxyz"
    private static let openai = V1.CatalogueChannel(
        key: "openai", kind: "openai", baseUrl: "https://api.openai.com/v1", keyHint: "…wxyz",
        offers: [
            V1.ChannelOffer(
                model: "fast", upstreamModel: "gpt-4o-mini", priority: 1, weight: 2),
            V1.ChannelOffer(model: "pro", upstreamModel: "gpt-4o", priority: 1, weight: 2),
        ])

    private func list(_ channels: [V1.CatalogueChannel]) -> MethodRegistration {
        .unary(Methods.CatalogueService.listChannels) { (_: V1.ListChannelsRequest, context) in
            #expect(context.identity?.role == .admin)
            return V1.ListChannelsResponse(channels: channels)
        }
    }

    private func sets(
        _ expected: V1.CatalogueChannel, key: String = "", allowsPlain: Bool = false
    ) -> MethodRegistration {
        .unary(Methods.CatalogueService.setChannel) { (request: V1.SetChannelRequest, _) in
            #expect(request.channel == expected)
            #expect(request.apiKey == key)
            #expect(request.allowsPlain == allowsPlain)
            #expect(request.by == V1.ActedBy(person: "olga", reason: "r"))
            return V1.SetChannelResponse(channel: request.channel)
        }
    }

    private func run(
        _ words: [String], input: ScriptedInput = ScriptedInput([]),
        against methods: [MethodRegistration]
    ) async throws -> Outcome {
        try await CommandTest(input: input, variables: ["USER": "olga"])
            .run(["admin", "channels"] + words, against: methods)
    }

    @Test func channelsAreListedWithoutTheirKeys() async throws {
        var idle = Self.openai
        idle.key = "idle"
        idle.offers = []
        idle.disabled = true
        let channels = [idle, Self.openai]
        let outcome = try await run(["list"], against: [list(channels)])
        #expect(
            outcome.lines == [
                "CHANNEL  STATE     MODEL  THEIR NAME   PRIORITY  WEIGHT  KEY    ADDRESS",
                "idle     disabled  -      -                   -       -  …wxyz  "
                    + "https://api.openai.com/v1",
                "openai   in use    fast   gpt-4o-mini         1       2  …wxyz  "
                    + "https://api.openai.com/v1",
                "openai   in use    pro    gpt-4o              1       2  …wxyz  "
                    + "https://api.openai.com/v1",
            ])
        let json = try await run(["list", "--json"], against: [list([idle])])
        #expect(
            json.output
                == #"{"channels":[{"key":"idle","disabled":true,"kind":"openai","#
                + #""baseUrl":"https://api.openai.com/v1","keyHint":"…wxyz","offers":[]}]}"#
                + "\n")
        let none = try await run(["list"], against: [list([])])
        #expect(
            none.output
                == "There are no channels yet. Make one with: tollgate admin channels set\n")
    }

    @Test func aKeyComesFromAFileAndIsShownNowhere() async throws {
        let wanted = V1.CatalogueChannel(
            key: "glm", kind: "openai", baseUrl: "https://open.bigmodel.cn/api/paas/v4",
            offers: [
                V1.ChannelOffer(
                    model: "fast", upstreamModel: "glm-4-flash", priority: 3, weight: 1),
                V1.ChannelOffer(model: "pro", upstreamModel: "pro", priority: 3, weight: 1),
            ])
        let test = try CommandTest(variables: ["USER": "olga"])
        try test.folder.write(Self.secret + "\n", to: "glm.key")
        let outcome = try await test.run(
            [
                // As it is pasted.
                "admin", "channels", "set", "glm", "--url",
                "https://open.bigmodel.cn/api/paas/v4/", "--key-from",
                test.folder.path + "/glm.key", "--model", "fast=glm-4-flash", "--model", "pro",
                "--priority", "3", "--reason", "r",
            ], against: [list([Self.openai]), sets(wanted, key: Self.secret)])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(!(outcome.output + outcome.errors).contains(Self.secret))
    }

    @Test(arguments: [["--key-from", "-"], ["--url", "https://elsewhere/v1"]])
    func aKeyThatIsTypedIsNotShown(words: [String]) async throws {
        let input = ScriptedInput([Self.secret], isTerminal: true)
        var wanted = Self.openai
        if words[0] == "--url" { wanted.baseUrl = words[1] }
        let outcome = try await run(
            ["set", "openai", "--reason", "r"] + words, input: input,
            against: [list([Self.openai]), sets(wanted, key: Self.secret)])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(input.wasShownAtStart == false)
        #expect(!(outcome.output + outcome.errors).contains(Self.secret))
    }

    @Test func whatIsNotNamedStaysAndNoKeyIsAskedFor() async throws {
        var wanted = Self.openai
        wanted.offers = [
            V1.ChannelOffer(model: "fast", upstreamModel: "gpt-5", priority: 1, weight: 9)
        ]
        let outcome = try await run(
            [
                "set", "openai", "--model", "fast=gpt-5", "--weight", "9", "--without", "pro",
                "--reason", "r",
            ], against: [list([Self.openai]), sets(wanted)])
        #expect(outcome.status == 0, "\(outcome.errors)")
        var all = Self.openai
        for place in all.offers.indices { all.offers[place].priority = 0 }
        let every = try await run(
            ["set", "openai", "--priority", "0", "--insecure", "--reason", "r"],
            against: [list([Self.openai]), sets(all, allowsPlain: true)])
        #expect(every.status == 0, "\(every.errors)")
    }

    @Test(arguments: [true, false])
    func aChannelIsDisabledAndEnabled(disabled: Bool) async throws {
        let status = MethodRegistration.unary(Methods.CatalogueService.setChannelStatus) {
            (request: V1.SetChannelStatusRequest, _) in
            #expect(
                request
                    == V1.SetChannelStatusRequest(
                        by: V1.ActedBy(person: "olga", reason: "r"), key: "openai",
                        disabled: disabled))
            var channel = Self.openai
            channel.disabled = disabled
            return V1.SetChannelStatusResponse(channel: channel)
        }
        let outcome = try await run(
            [disabled ? "disable" : "enable", "openai", "--reason", "r"], against: [status])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.lines.last?.contains(disabled ? "  disabled  " : "  in use  ") == true)
    }

    @Test(
        arguments: [
            (
                ["set", "new", "--reason", "r"],
                "There is no channel new yet.\nA new one needs --url."
            ),
            (
                ["set", "new", "--url", "https://new/v1", "--reason", "r"],
                "There is no key.\nName its file with --key-from."
            ),
            (
                ["set", "openai", "--without", "none", "--reason", "r"],
                "The channel does not answer none.\n"
                    + "See what it answers with: tollgate admin channels list"
            ),
            (["set", "openai", "--model", "=a", "--reason", "r"], "--model takes a model"),
            (
                ["set", "openai", "--weight", "0", "--reason", "r"],
                "--weight takes a number from 1"
            ),
            (["set", "openai"], "--reason"), (["disable", "openai"], "--reason"),
        ])
    func aWrongCommandSaysWhatItNeeds(words: [String], sentence: String) async throws {
        let outcome = try await run(words, against: [list([Self.openai])])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains(sentence), "\(outcome.errors)")
    }
}
