import Application
import Auth
import Chat
import Operations
import TestSupport
import Testing
import TollgateKernel

/// Channels that operators stock, and what a running server makes of them.
@Suite struct ChannelAdministrationTests {
    private static let by = ActedBy(
        credential: "admin", person: "olga", reason: "opening", correlationID: 7)
    private static let secret = "sk-operator-0123456789-wxyz"
    private static let m = ModelName(rawValue: "m")

    private static func wish(
        _ change: (inout CatalogueAdministration.ChannelWish) -> Void = { _ in }
    ) -> CatalogueAdministration.ChannelWish {
        var wish = CatalogueAdministration.ChannelWish(
            key: "openai", kind: .openAICompatible, baseURL: "https://api.openai.com/v1",
            apiKey: secret, allowsPlain: false, isInUse: true,
            offers: [
                ChannelOffer(model: m, upstreamModel: "gpt-4o-mini", priority: 2, weight: 3)
            ])
        change(&wish)
        return wish
    }

    private func code(_ body: () async throws -> Void) async -> Failure.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? Failure)?.code
        }
    }

    private func with(
        channels: [String] = [], _ body: (Asking, CatalogueAdministration) async throws -> Void
    ) async throws {
        try await Asking.with(
            policy: ServicePolicy(trialCallsPerDay: 0, welcomeGrant: Credits(whole: 9)),
            channels: channels
        ) { asking in
            try await body(
                asking,
                CatalogueAdministration(asking.bench.ports, vault: asking.bench.vault))
        }
    }

    private func age(_ asking: Asking) {
        asking.bench.clock.advance(milliseconds: Limits.catalogueAgeMilliseconds)
    }

    @Test func `A channel that is stocked answers under its key, and the log holds the key's end`()
        async throws
    {
        try await with { asking, catalogue in
            let stocked = try await catalogue.set(Self.wish(), by: Self.by)
            #expect(stocked.channel.keyHint == "…wxyz")
            #expect(!"\(stocked)".contains(Self.secret))
            #expect(try await catalogue.channels() == [stocked])
            _ = try await asking.ask("1")
            #expect(asking.models.asked == ["openai"])
            #expect(asking.models.keys == [Self.secret])
            #expect(asking.models.requests.map(\.upstreamModel) == ["gpt-4o-mini"])
            let acts = try await Administration(asking.bench.ports).acts(before: nil, limit: 9)
            #expect(acts.map(\.kind) == [.channelSet])
            #expect(acts.map(\.object) == ["openai"])
            #expect(acts.map(\.before) == ["none"])
            #expect(
                acts.map(\.after) == [
                    "in use, openai at https://api.openai.com/v1, key …wxyz, given now, "
                        + "answers m as gpt-4o-mini (2, 3)"
                ])
        }
    }

    @Test func `A new key, a disabled channel and one that is back are taken within a second`()
        async throws
    {
        try await with { asking, catalogue in
            _ = try await catalogue.set(Self.wish(), by: Self.by)
            _ = try await asking.ask("1")
            let other = "sk-operator-9876543210-abcd"
            let rotated = try await catalogue.set(
                Self.wish { $0.apiKey = other }, by: Self.by)
            age(asking)
            _ = try await asking.ask("2")
            #expect(asking.models.keys == [Self.secret, other])
            // Without a key the one that is there stays.
            let kept = try await catalogue.set(Self.wish { $0.apiKey = nil }, by: Self.by)
            #expect(kept == rotated)
            age(asking)
            _ = try await asking.ask("3")
            #expect(asking.models.keys.last == other)
            _ = try await catalogue.setInUse(false, channel: "openai", by: Self.by)
            age(asking)
            #expect(await code { _ = try await asking.ask("4") } != nil)
            #expect(asking.models.asked.count == 3)
            #expect(try await catalogue.channels().map(\.channel.isInUse) == [false])
            _ = try await catalogue.setInUse(true, channel: "openai", by: Self.by)
            age(asking)
            _ = try await asking.ask("5")
            let acts = try await Administration(asking.bench.ports).acts(before: nil, limit: 9)
            #expect(
                acts.map(\.kind)
                    == [.channelEnabled, .channelDisabled, .channelSet, .channelSet, .channelSet])
            #expect(acts.allSatisfy { $0.by == Self.by && $0.object == "openai" })
            #expect(acts.allSatisfy { !($0.before + $0.after).contains("operator") })
        }
    }

    @Test func `Who sends back what they read before leaves a disabled channel disabled`()
        async throws
    {
        try await with { _, catalogue in
            _ = try await catalogue.set(Self.wish(), by: Self.by)
            _ = try await catalogue.setInUse(false, channel: "openai", by: Self.by)
            let late = try await catalogue.set(Self.wish(), by: Self.by)
            #expect(!late.channel.isInUse)
            #expect(try await catalogue.channels().map(\.channel.isInUse) == [false])
        }
    }

    @Test func `A new key for an address where it can be read needs to be allowed as well`()
        async throws
    {
        try await with { _, catalogue in
            let plain = "http://10.0.0.1/v1"
            _ = try await catalogue.set(
                Self.wish { ($0.baseURL, $0.allowsPlain) = (plain, true) }, by: Self.by)
            let refused = await code {
                _ = try await catalogue.set(
                    Self.wish { ($0.baseURL, $0.apiKey) = (plain, "sk-another-0123456789") },
                    by: Self.by)
            }
            #expect(refused == .invalidRequest)
            let kept = try await catalogue.set(
                Self.wish { ($0.baseURL, $0.apiKey) = (plain, nil) }, by: Self.by)
            #expect(kept.channel.keyHint == "…wxyz")
        }
    }

    @Test func `Who has a key for a channel that is disabled is not charged for another's answer`()
        async throws
    {
        try await with(channels: ["a", "b"]) { asking, catalogue in
            let own = OwnKeys(
                asking.bench.ports, catalogue: asking.bench.catalogue, vault: asking.bench.vault)
            _ = try await own.bind("own-key-of-ann", to: "a", for: asking.account)
            _ = try await catalogue.setInUse(false, channel: "a", by: Self.by)
            age(asking)
            #expect(await code { _ = try await asking.ask("1") } == .conflict)
            #expect(asking.models.asked.isEmpty)
            try await own.remove(from: "a", for: asking.account)
            _ = try await asking.ask("2")
            #expect(asking.models.asked == ["b"])
        }
    }

    @Test func `A channel that was put aside is asked at once when its operator has mended it`()
        async throws
    {
        try await with(channels: ["a"]) { asking, catalogue in
            asking.models.script("a", [.fail(.rejectedKey)])
            #expect(await code { _ = try await asking.ask("1") } == .upstreamFailed)
            asking.models.script(
                "a",
                [
                    .event(.delta("ok")),
                    .event(
                        .finished(
                            reason: "stop", usage: ScriptedModels.usage)),
                ])
            // It cools down for a second at least: nothing is asked of it.
            #expect(await code { _ = try await asking.ask("2") } == .upstreamFailed)
            #expect(asking.models.asked.count == 1)
            for number in 0..<4 {
                asking.models.script("a", [.fail(.rejectedKey)])
                asking.bench.clock.advance(milliseconds: 10_000)
                _ = await code { _ = try await asking.ask("again-\(number)") }
            }
            asking.models.script(
                "a",
                [
                    .event(.delta("ok")),
                    .event(
                        .finished(
                            reason: "stop", usage: ScriptedModels.usage)),
                ])
            _ = try await catalogue.set(
                Self.wish {
                    $0.key = "a"
                    $0.baseURL = "http://127.0.0.1"
                }, by: Self.by)
            age(asking)
            _ = try await asking.ask("3")
            #expect(asking.models.keys.last == Self.secret)
        }
    }

    @Test func `A key goes to no other address than the one it was given for`() async throws {
        try await with { asking, catalogue in
            let stocked = try await catalogue.set(Self.wish(), by: Self.by)
            let elsewhere = "https://elsewhere.example/v1"
            let told = await code {
                _ = try await catalogue.set(
                    Self.wish {
                        $0.baseURL = elsewhere
                        $0.apiKey = nil
                    }, by: Self.by)
            }
            #expect(told == .invalidRequest)
            #expect(try await catalogue.channels() == [stocked])
            // People's own keys were given for the old address too.
            let own = OwnKeys(
                asking.bench.ports, catalogue: asking.bench.catalogue, vault: asking.bench.vault)
            _ = try await own.bind("own-key-of-ann", to: "openai", for: asking.account)
            let moved = Self.wish { $0.baseURL = elsewhere }
            #expect(await code { _ = try await catalogue.set(moved, by: Self.by) } == .conflict)
            let dearer = Self.wish { $0.offers[0].weight = 9 }
            _ = try await catalogue.set(dearer, by: Self.by)
            try await own.remove(from: "openai", for: asking.account)
            #expect(try await catalogue.set(moved, by: Self.by).channel.baseURL == elsewhere)
        }
    }

    @Test func `Over plain HTTP a key leaves this machine only if that is allowed`() async throws {
        try await with { asking, catalogue in
            let plain = Self.wish { $0.baseURL = "http://10.0.0.1/v1" }
            #expect(
                await code { _ = try await catalogue.set(plain, by: Self.by) } == .invalidRequest)
            _ = try await catalogue.set(
                Self.wish {
                    $0.baseURL = "http://10.0.0.1/v1"
                    $0.allowsPlain = true
                }, by: Self.by)
            // Once it was allowed, other changes need not say so again.
            _ = try await catalogue.set(
                Self.wish {
                    $0.baseURL = "http://10.0.0.1/v1"
                    $0.apiKey = nil
                }, by: Self.by)
        }
    }

    /// What a channel may not be; each breaks one bound.
    private static let wrong:
        [(String, Failure.Code, @Sendable (inout CatalogueAdministration.ChannelWish) -> Void)] = [
            ("no key", .invalidRequest, { $0.key = "" }),
            ("a key with a colon", .invalidRequest, { $0.key = "a:b" }),
            ("no address", .invalidRequest, { $0.baseURL = "" }),
            ("no secret", .invalidRequest, { $0.apiKey = nil }),
            ("a short secret", .invalidRequest, { $0.apiKey = "1234567" }),
            (
                "a long secret", .invalidRequest,
                { $0.apiKey = String(repeating: "a", count: 513) }
            ),
            ("a secret on two lines", .invalidRequest, { $0.apiKey = "12345678\n12345678" }),
            ("a model twice", .invalidRequest, { $0.offers += $0.offers }),
            ("no upstream name", .invalidRequest, { $0.offers[0].upstreamModel = "" }),
            (
                "a long upstream name", .invalidRequest,
                { $0.offers[0].upstreamModel = String(repeating: "a", count: 129) }
            ),
            ("a name with a space", .invalidRequest, { $0.offers[0].upstreamModel = "a b" }),
            ("before the first", .invalidRequest, { $0.offers[0].priority = -1 }),
            ("behind the last", .invalidRequest, { $0.offers[0].priority = 1_001 }),
            ("no weight", .invalidRequest, { $0.offers[0].weight = 0 }),
            (
                "too heavy", .invalidRequest,
                { $0.offers[0].weight = Limits.channelWeight + 1 }
            ),
            (
                "too many models", .invalidRequest,
                {
                    $0.offers = (0...50).map {
                        ChannelOffer(
                            model: ModelName(rawValue: "m\($0)"), upstreamModel: "a", priority: 0,
                            weight: 1)
                    }
                }
            ),
            (
                "an unknown model", .notFound,
                { $0.offers[0].model = ModelName(rawValue: "none") }
            ),
        ]

    @Test func `What a channel may not be is refused, and nothing is written`() async throws {
        try await with { asking, catalogue in
            for (what, expected, change) in Self.wrong {
                let told = await code {
                    _ = try await catalogue.set(Self.wish(change), by: Self.by)
                }
                #expect(told == expected, "\(what)")
            }
            var by = Self.by
            by.reason = ""
            let nameless = by
            let codes = [
                await code { _ = try await catalogue.set(Self.wish(), by: nameless) },
                await code {
                    _ = try await catalogue.setInUse(false, channel: "openai", by: Self.by)
                },
            ]
            #expect(codes == [.invalidRequest, .notFound])
            let channels = try await catalogue.channels()
            let acts = try await Administration(asking.bench.ports).acts(before: nil, limit: 9)
            #expect(channels == [])
            #expect(acts == [])
        }
    }

    @Test func `There are so many channels and no more, and any can be changed`() async throws {
        try await with { asking, catalogue in
            let first = try await catalogue.set(Self.wish(), by: Self.by)
            try await asking.bench.store.write { tx in
                for number in 1..<Limits.channels {
                    var another = first
                    another.channel.key = "c\(number)"
                    try tx.chat.save(another)
                }
            }
            let more = Self.wish { $0.key = "more" }
            #expect(await code { _ = try await catalogue.set(more, by: Self.by) } == .conflict)
            _ = try await catalogue.set(Self.wish { $0.offers = [] }, by: Self.by)
        }
    }
}
