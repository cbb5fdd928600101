import Accounts
import Application
import Auth
import Chat
import Storage
import TestSupport
import Testing
import TollgateKernel

@Suite struct APIKeyTests {
    private let noTrial = ServicePolicy(trialCallsPerDay: 0, welcomeGrant: Credits(whole: 5))

    private func ask(
        _ asking: Asking, with secret: APIKeySecret, _ id: String
    ) async throws -> AnswerReceipt? {
        var question = asking.question(id)
        question.caller = .apiKey(secret)
        var receipt: AnswerReceipt?
        try await asking.useCase.answer(question) { event in
            if case .finished(let finished) = event { receipt = finished }
        }
        return receipt
    }

    private func refusal(
        _ asking: Asking, with secret: APIKeySecret, _ id: String
    ) async -> Failure? {
        await #expect(throws: Failure.self) { try await ask(asking, with: secret, id) }
    }

    @Test func `A chat with a key spends its owner's credits and is remembered on the key`()
        async throws
    {
        try await Asking.with(policy: noTrial) { asking in
            let keys = APIKeys(asking.bench.ports)
            let made = try await keys.create(APIKeys.Wish(name: "ci"), for: asking.account)
            #expect(made.secret.text.hasPrefix("tg-"))
            let receipt = try await ask(asking, with: made.secret, "1")
            #expect(receipt?.balance == Credits(whole: 4))
            #expect(try await asking.balance().posted == Credits(whole: 4))
            let key = try await keys.list(of: asking.account).first
            #expect(key?.spent == Credits(whole: 1))
            #expect(key?.held == .zero)
            #expect(key?.lastUsedAt == asking.bench.clock.now())
            let caller = try await Callers(asking.bench.ports).whoIs(.apiKey(made.secret))
            #expect(caller.account.id == asking.account)
            #expect(caller.session == nil)
        }
    }

    @Test func `A free call counts for its owner and not for the key's cap`() async throws {
        try await Asking.with { asking in
            let keys = APIKeys(asking.bench.ports)
            let wish = APIKeys.Wish(name: "ci", spendCap: Credits(micro: 1))
            let made = try await keys.create(wish, for: asking.account)
            #expect(try await ask(asking, with: made.secret, "1")?.charged == .zero)
            #expect(try await asking.balance().trialUsed == 1)
            let refusal = await refusal(asking, with: made.secret, "2")
            #expect(refusal?.code == .quotaExhausted)
        }
    }

    @Test func `A key stops at its cap, its owner goes on`() async throws {
        try await Asking.with(policy: noTrial) { asking in
            let keys = APIKeys(asking.bench.ports)
            let wish = APIKeys.Wish(name: "ci", spendCap: Credits(micro: 2_500_000))
            let made = try await keys.create(wish, for: asking.account)
            for id in ["1", "2"] { _ = try await ask(asking, with: made.secret, id) }
            let refusal = await refusal(asking, with: made.secret, "3")
            #expect(refusal?.code == .quotaExhausted)
            #expect(refusal?.message.contains("API key's spend cap") == true)
            #expect(asking.models.asked.count == 2)
            _ = try await asking.ask("4")
            #expect(try await asking.balance().posted == Credits(whole: 2))
        }
    }

    @Test func `Parallel calls of one key do not get past its cap`() async throws {
        try await Asking.with(policy: noTrial) { asking in
            let keys = APIKeys(asking.bench.ports)
            let wish = APIKeys.Wish(name: "ci", spendCap: Credits(whole: 3))
            let made = try await keys.create(wish, for: asking.account)
            let answered = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<12 {
                    group.addTask {
                        (try? await ask(asking, with: made.secret, "\(index)")) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(answered == 3)
            #expect(try await keys.list(of: asking.account).first?.spent == Credits(whole: 3))
        }
    }

    @Test func `A key is refused other models, beyond its rate, after its end and when revoked`()
        async throws
    {
        try await Asking.with(policy: noTrial) { asking in
            let keys = APIKeys(asking.bench.ports)
            try await asking.bench.store.write { tx in
                var other = try #require(try tx.chat.model(ModelName(rawValue: "m")))
                other.name = ModelName(rawValue: "other")
                other.position = 9
                try tx.chat.save(other)
            }
            let wish = APIKeys.Wish(name: "a", models: [ModelName(rawValue: "other")])
            let others = try await keys.create(wish, for: asking.account)
            let model = await refusal(asking, with: others.secret, "1")
            #expect(model?.code == .modelNotPermitted)

            let end = asking.bench.clock.now().adding(milliseconds: 120_000)
            let limited = try await keys.create(
                APIKeys.Wish(name: "b", requestsPerMinute: 1, expiresAt: end),
                for: asking.account)
            _ = try await ask(asking, with: limited.secret, "2")
            let rate = await refusal(asking, with: limited.secret, "3")
            #expect(rate?.code == .rateLimited)
            #expect((1...60_000).contains(rate?.retryAfterMilliseconds ?? 0))
            asking.bench.clock.advance(milliseconds: 60_000)
            _ = try await ask(asking, with: limited.secret, "4")
            asking.bench.clock.advance(milliseconds: 60_000)
            let ended = await refusal(asking, with: limited.secret, "5")
            #expect(ended?.code == .unauthenticated)

            _ = try await keys.revoke(others.key.id, of: asking.account)
            let revoked = await refusal(asking, with: others.secret, "6")
            #expect(revoked == ended)
            #expect(asking.models.asked.count == 2)
        }
    }

    @Test func `Another secret under a key's id is as unknown as an unknown id`() async throws {
        try await TestBench.with { bench in
            let signedIn = try await bench.signIn()
            let made = try await APIKeys(bench.ports).create(
                APIKeys.Wish(name: "ci"), for: signedIn.session.account)
            let zeros = [UInt8](repeating: 0, count: 32)
            for id in [made.key.id, APIKeyID(rawValue: 1)] {
                let forged = try #require(APIKeySecret(id: id, randomBytes: zeros))
                let failure = await #expect(throws: Failure.self) {
                    try await Callers(bench.ports).whoIs(.apiKey(forged))
                }
                #expect(failure == APIKey.unknown)
            }
        }
    }

    @Test func `Wishes nobody can have are refused, and another's key is as unknown as none`()
        async throws
    {
        try await TestBench.with { bench in
            let ann = try await bench.signIn(openID: "o_ann").session.account
            let bob = try await bench.signIn(openID: "o_bob").session.account
            let keys = APIKeys(bench.ports)
            let now = bench.clock.now()
            let wishes: [(APIKeys.Wish, Failure.Code)] = [
                (APIKeys.Wish(name: ""), .invalidRequest),
                (APIKeys.Wish(name: String(repeating: "n", count: 65)), .invalidRequest),
                (APIKeys.Wish(name: "a\nb"), .invalidRequest),
                (APIKeys.Wish(name: "a", spendCap: Credits(micro: -1)), .invalidRequest),
                (APIKeys.Wish(name: "a", requestsPerMinute: -1), .invalidRequest),
                (APIKeys.Wish(name: "a", expiresAt: now), .invalidRequest),
                (APIKeys.Wish(name: "a", models: [ModelName(rawValue: "none")]), .notFound),
            ]
            for (wish, code) in wishes {
                let failure = await #expect(throws: Failure.self) {
                    try await keys.create(wish, for: ann)
                }
                #expect(failure?.code == code)
            }
            for number in 0..<Limits.apiKeysOfAccount {
                _ = try await keys.create(APIKeys.Wish(name: "\(number)"), for: ann)
            }
            let full = await #expect(throws: Failure.self) {
                try await keys.create(APIKeys.Wish(name: "more"), for: ann)
            }
            #expect(full?.code == .conflict)
            let id = try #require(try await keys.list(of: ann).first?.id)
            let foreign = await #expect(throws: Failure.self) {
                try await keys.revoke(id, of: bob)
            }
            #expect(foreign?.code == .notFound)
            let first = try await keys.revoke(id, of: ann)
            bench.clock.advance(milliseconds: 5)
            #expect(try await keys.revoke(id, of: ann) == first)
            _ = try await keys.create(APIKeys.Wish(name: "more"), for: ann)
        }
    }
}
