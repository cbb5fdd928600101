import Accounts
import Application
import Auth
import Chat
import Operations
import Storage
import TestSupport
import Testing
import TollgateKernel

/// Questions under a key of one's own.
@Suite struct OwnKeyTests {
    private static let secret = "sk-own-0123456789-abcdefgh"

    private func keys(_ asking: Asking) -> OwnKeys {
        OwnKeys(asking.bench.ports, catalogue: asking.bench.catalogue, vault: asking.bench.vault)
    }

    private func start(of events: [AnswerEvent]) -> Hold.Source? {
        guard case .started(_, let source) = events.first else { return nil }
        return source
    }

    private func receipt(of events: [AnswerEvent]) -> AnswerReceipt? {
        guard case .finished(let receipt) = events.last else { return nil }
        return receipt
    }

    /// The code that a question fails with.
    private func refusal(_ asking: Asking, _ id: String) async -> Failure? {
        await #expect(throws: Failure.self) { try await asking.ask(id) }
    }

    @Test func `A question goes under the own key and costs neither credits nor the free call`()
        async throws
    {
        try await Asking.with(channels: ["a", "b"]) { asking in
            _ = try await keys(asking).bind(Self.secret, to: "b", for: asking.account)
            let events = try await asking.ask("1")
            #expect(start(of: events) == .ownKey)
            #expect(receipt(of: events)?.charged == .zero)
            #expect(receipt(of: events)?.trialLeft == 1)
            // The operator's first channel is not the one the key is for.
            #expect(asking.models.asked == ["b"])
            #expect(asking.models.keys == [Self.secret])
            #expect(try await asking.balance() == (Credits(whole: 2), .zero, 0))
            // A repetition is one all the same.
            #expect(await refusal(asking, "1")?.code == .alreadyAnswered)
            #expect(asking.models.asked.count == 1)
        }
    }

    @Test func `With neither credits nor free calls the own key still asks`() async throws {
        let policy = ServicePolicy(trialCallsPerDay: 0, welcomeGrant: .zero)
        try await Asking.with(policy: policy) { asking in
            #expect(await refusal(asking, "1")?.code == .quotaExhausted)
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            #expect(start(of: try await asking.ask("2")) == .ownKey)
            try await keys(asking).remove(from: "a", for: asking.account)
            #expect(await refusal(asking, "3")?.code == .quotaExhausted)
            #expect(asking.models.keys == [Self.secret])
        }
    }

    @Test func `A refused own key is told, and never becomes a call that credits pay`() async throws
    {
        try await Asking.with(channels: ["a", "b"]) { asking in
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            asking.models.script("a", [.fail(.rejectedKey)])
            let refused = await refusal(asking, "1")
            #expect(refused?.code == .upstreamFailed)
            #expect(refused?.message.contains("your own key") == true)
            #expect(asking.models.asked == ["a"])
            #expect(try await asking.balance() == (Credits(whole: 2), .zero, 0))
        }
    }

    @Test(arguments: [ModelGatewayFailure.Kind.rejectedKey, .overloaded, .unknownModel])
    func `One person's key puts no channel aside for the others`(kind: ModelGatewayFailure.Kind)
        async throws
    {
        try await Asking.with { asking in
            let other = try await asking.bench.signIn(openID: "o_bob")
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            asking.models.script("a", [.fail(kind)])
            for number in 0..<20 { _ = await refusal(asking, "own-\(number)") }
            #expect(asking.models.asked.count == 20, "its owner is not kept from it either")
            asking.models.script("a", [.event(.finished(reason: "stop", usage: nil))])
            var question = asking.question("theirs")
            question.caller = .session(other.token)
            var events: [AnswerEvent] = []
            try await asking.useCase.answer(question) { events.append($0) }
            #expect(start(of: events) == .trial)
            #expect(asking.models.keys.last == "key-a")
        }
    }

    @Test func `While the operator's key is refused, the own one answers and clears it not`()
        async throws
    {
        try await Asking.with { asking in
            let other = try await asking.bench.signIn(openID: "o_bob")
            func askAsOther(_ id: String) async -> Failure? {
                var question = asking.question(id)
                question.caller = .session(other.token)
                let asked = question
                return await #expect(throws: Failure.self) {
                    try await asking.useCase.answer(asked) { _ in }
                }
            }
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            asking.models.script("a", [.fail(.rejectedKey)])
            #expect(await askAsOther("1")?.code == .upstreamFailed)
            #expect(await askAsOther("2")?.code == .upstreamFailed)
            #expect(asking.models.keys == ["key-a"], "the channel is put aside")
            asking.models.script("a", [.event(.finished(reason: "stop", usage: nil))])
            #expect(start(of: try await asking.ask("own")) == .ownKey)
            // The provider liked the own key; of the operator's that says nothing.
            #expect(await askAsOther("3")?.code == .upstreamFailed)
            #expect(asking.models.keys == ["key-a", Self.secret])
        }
    }

    @Test func `Chats under an own key are counted and limited like all others`() async throws {
        try await Asking.with { asking in
            let by = ActedBy(
                credential: "admin", person: "olga", reason: "as agreed", correlationID: 7)
            let tier = Tier(
                name: TierName(rawValue: "partner"), priceFactor: .one,
                limits: CallLimits(requestsPerMinute: 2, tokensPerMinute: 1_000_000))
            let administration = Administration(asking.bench.ports)
            _ = try await administration.set(tier, by: by)
            _ = try await administration.setTier(of: asking.account, to: tier.name, by: by)
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            for id in ["1", "2"] { _ = try await asking.ask(id) }
            let activity = try await AccountQueries(asking.bench.ports).quota(
                of: asking.account
            ).ledger.activity
            #expect(activity.openCalls == 0 && activity.requests.count == 2)
            #expect(activity.tokens.count == 2 * 12)
            #expect(await refusal(asking, "3")?.code == .rateLimited)
            #expect(asking.models.asked.count == 2)
        }
    }

    @Test func `A channel that is down is put aside whoever's key found out`() async throws {
        try await Asking.with { asking in
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            asking.models.script("a", [.fail(.unreachable)])
            for number in 0..<20 { _ = await refusal(asking, "own-\(number)") }
            #expect((1..<20).contains(asking.models.asked.count))
        }
    }

    @Test func `A program's key asks under its owner's, and spends nothing of its cap`()
        async throws
    {
        try await Asking.with { asking in
            let programs = APIKeys(asking.bench.ports)
            let made = try await programs.create(
                APIKeys.Wish(name: "ci", spendCap: Credits(micro: 1)), for: asking.account)
            _ = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            var question = asking.question("1")
            question.caller = .apiKey(made.secret)
            var events: [AnswerEvent] = []
            try await asking.useCase.answer(question) { events.append($0) }
            #expect(start(of: events) == .ownKey)
            let key = try #require(try await programs.list(of: asking.account).first)
            #expect(key.spent == .zero && key.held == .zero && key.lastUsedAt != nil)
        }
    }

    @Test func `A sealed key opens in its own row alone`() async throws {
        try await Asking.with { asking in
            let thief = try await asking.bench.signIn(openID: "o_eve")
            let bound = try await keys(asking).bind(Self.secret, to: "a", for: asking.account)
            #expect(!String(decoding: bound.sealed, as: UTF8.self).contains("sk-own"))
            var stolen = bound
            stolen.account = thief.session.account
            let row = stolen
            try await asking.bench.store.write { tx in try tx.ownKeys.save(row) }
            var question = asking.question("1")
            question.caller = .session(thief.token)
            let asked = question
            let failure = await #expect(throws: Failure.self) {
                try await asking.useCase.answer(asked) { _ in }
            }
            #expect(failure?.code == .internalError)
            // What only the operator can mend is for the log alone.
            #expect(
                failure?.message
                    == "Your own key cannot be used just now; ask again later, or bind it anew.")
            #expect(asking.models.asked.isEmpty)
            // What was held for it is free again.
            let quota = try await AccountQueries(asking.bench.ports).quota(
                of: thief.session.account)
            #expect(quota.ledger.activity.openCalls == 0)
        }
    }

    @Test func `The list tells providers, models and the key's end, and a new key replaces it`()
        async throws
    {
        try await Asking.with(channels: ["a", "b"]) { asking in
            let keys = keys(asking)
            _ = try await keys.bind("sk-the-first-of-all-keys", to: "b", for: asking.account)
            _ = try await keys.bind(Self.secret, to: "b", for: asking.account)
            let listed = try await keys.providers(for: asking.account)
            #expect(listed.map(\.channel) == ["a", "b"])
            #expect(
                listed.map(\.models) == [[ModelName(rawValue: "m")], [ModelName(rawValue: "m")]])
            #expect(listed.map(\.key?.hint) == [nil, "…efgh"])
            _ = try await asking.ask("1")
            #expect(asking.models.keys == [Self.secret])
        }
    }

    @Test func `What can be no key and what is no provider is refused`() async throws {
        try await Asking.with { asking in
            let keys = keys(asking)
            for wrong in ["", "short", "with blank inside it", "钥匙钥匙钥匙", "line\nof-two-lines"] {
                let failure = await #expect(throws: Failure.self) {
                    try await keys.bind(wrong, to: "a", for: asking.account)
                }
                #expect(failure?.code == .invalidRequest)
            }
            let unknown = await #expect(throws: Failure.self) {
                try await keys.bind(Self.secret, to: "http://169.254.169.254", for: asking.account)
            }
            #expect(unknown?.code == .notFound)
            let none = await #expect(throws: Failure.self) {
                try await keys.remove(from: "a", for: asking.account)
            }
            #expect(none?.code == .notFound)
        }
    }
}
