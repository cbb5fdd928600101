import Accounts
import Application
import Auth
import Chat
import Operations
import Storage
import TestSupport
import Testing
import TollgateKernel

@Suite struct AdministrationTests {
    private let policy = ServicePolicy(trialCallsPerDay: 0, welcomeGrant: Credits(whole: 5))
    private let by = ActedBy(
        credential: "admin", person: "olga", reason: "as agreed", correlationID: 7)
    private let partner = TierName(rawValue: "partner")

    private func tier(_ factor: (Int64, Int64), _ limits: CallLimits) -> Tier {
        Tier(name: partner, priceFactor: PriceFactor(stored: factor.0, factor.1), limits: limits)
    }

    private func put(_ asking: Asking, _ tier: Tier) async throws {
        let administration = Administration(asking.bench.ports)
        _ = try await administration.set(tier, by: by)
        _ = try await administration.setTier(of: asking.account, to: partner, by: by)
    }

    @Test func `A tier's factor holds for reservation and charge alike`() async throws {
        try await Asking.with(policy: policy) { asking in
            try await put(asking, tier((4, 5), .none))
            let events = try await asking.ask("1")
            guard case .finished(let receipt) = events.last else {
                Issue.record("no receipt")
                return
            }
            #expect(receipt.charged == Credits(micro: 800_000))
            #expect(try await asking.balance().posted == Credits(micro: 4_200_000))
            #expect(try await asking.balance().held == .zero)
        }
    }

    @Test func `A tier changed under a running call does not change its price`() async throws {
        try await Asking.with(policy: policy) { asking in
            try await put(asking, tier((1, 2), .none))
            var charged: Credits?
            try await asking.useCase.answer(asking.question("1")) { event in
                if case .started = event { try await put(asking, tier((2, 1), .none)) }
                if case .finished(let receipt) = event { charged = receipt.charged }
            }
            #expect(charged == Credits(micro: 500_000))
        }
    }

    @Test func `Chats beyond a minute's are refused before the provider is asked`() async throws {
        try await Asking.with(policy: policy) { asking in
            try await put(asking, tier((1, 1), CallLimits(requestsPerMinute: 2)))
            for id in ["1", "2"] { _ = try await asking.ask(id) }
            let refusal = await #expect(throws: Failure.self) { try await asking.ask("3") }
            #expect(refusal?.code == .rateLimited)
            let wait = try #require(refusal?.retryAfterMilliseconds)
            #expect((1...60_000).contains(wait))
            #expect(asking.models.asked.count == 2)
            asking.bench.clock.advance(milliseconds: wait)
            _ = try await asking.ask("4")
        }
    }

    @Test func `Of parallel chats just as many run as the tier lets`() async throws {
        try await Asking.with(policy: policy) { asking in
            try await put(asking, tier((1, 1), CallLimits(concurrentChats: 1)))
            var inner: Failure?
            try await asking.useCase.answer(asking.question("1")) { event in
                guard case .started = event else { return }
                do {
                    _ = try await asking.ask("2")
                } catch let failure as Failure {
                    inner = failure
                }
            }
            #expect(inner?.code == .rateLimited)
            #expect(inner?.retryAfterMilliseconds == Limits.concurrentChatRetryMilliseconds)
            _ = try await asking.ask("3")
        }
    }

    @Test func `A frozen account is refused, what it has under way is settled`() async throws {
        try await Asking.with(policy: policy) { asking in
            let administration = Administration(asking.bench.ports)
            var charged: Credits?
            try await asking.useCase.answer(asking.question("1")) { event in
                if case .started = event {
                    _ = try await administration.setStatus(
                        of: asking.account, to: .frozen, by: by)
                }
                if case .finished(let receipt) = event { charged = receipt.charged }
            }
            #expect(charged == Credits(whole: 1))
            let refusal = await #expect(throws: Failure.self) { try await asking.ask("2") }
            #expect(refusal?.code == .accountFrozen)
            #expect(try await asking.balance().held == .zero)
            _ = try await administration.setStatus(of: asking.account, to: .active, by: by)
            _ = try await asking.ask("3")
            let acts = try await administration.acts(before: nil, limit: 10)
            #expect(acts.map(\.kind) == [.accountUnfrozen, .accountFrozen])
            #expect(acts.map(\.before) == ["frozen", "active"])
            #expect(acts.allSatisfy { $0.by == by && $0.object == asking.account.description })
        }
    }

    @Test func `Credits are given and taken once for a request id, never below what is held`()
        async throws
    {
        try await Asking.with(policy: policy) { asking in
            let administration = Administration(asking.bench.ports)
            func adjust(
                _ micro: Int64, _ key: String, expiresAt: Timestamp? = nil, by: ActedBy = by
            ) async throws -> (posted: Int64, now: Bool) {
                let done = try await administration.adjust(
                    asking.account, by: Credits(micro: micro),
                    requestID: IdempotencyKey(rawValue: key), expiresAt: expiresAt, by)
                return (done.standing.ledger.posted, done.isDoneNow)
            }
            #expect(try await adjust(2_500_000, "gift") == (7_500_000, true))
            #expect(try await adjust(2_500_000, "gift") == (7_500_000, false))
            #expect(try await adjust(-7_000_000, "back") == (500_000, true))
            let codes = [
                await #expect(throws: Failure.self) { try await adjust(1, "gift") }?.code,
                await #expect(throws: Failure.self) { try await adjust(-500_001, "more") }?.code,
                await #expect(throws: Failure.self) { try await adjust(0, "none") }?.code,
            ]
            #expect(codes == [.mismatch, .conflict, .invalidRequest])
            let acts = try await administration.acts(before: nil, limit: 10)
            #expect(acts.map(\.after) == ["-7 → 0.5", "+2.5 → 7.5"])
            let entries = try await AccountQueries(asking.bench.ports).ledger(
                of: asking.account, before: nil, limit: 2)
            #expect(entries.map(\.transfer.kind) == [.adjustment, .adjustment])
            #expect(entries.map(\.transfer.reference) == acts.map { "admin:\($0.id)" })

            // A repetition asks for the same in every word, or it would be told that it was done.
            let soon = asking.bench.clock.now().adding(milliseconds: 1_000)
            let later = soon.adding(milliseconds: 1)
            #expect(try await adjust(1, "loan", expiresAt: soon).now)
            #expect(try await !adjust(1, "loan", expiresAt: soon).now)
            var other = by
            other.reason = "another reason"
            let others = [
                await #expect(throws: Failure.self) { try await adjust(1, "loan") }?.code,
                await #expect(throws: Failure.self) {
                    try await adjust(1, "loan", expiresAt: later)
                }?.code,
                await #expect(throws: Failure.self) {
                    try await adjust(1, "loan", expiresAt: soon, by: other)
                }?.code,
                await #expect(throws: Failure.self) {
                    try await adjust(2_500_000, "gift", expiresAt: soon)
                }?.code,
            ]
            #expect(others == Array(repeating: .mismatch, count: 4))
        }
    }

    @Test func `An act without an operator, a reason or its object does nothing`() async throws {
        try await TestBench.with { bench in
            let administration = Administration(bench.ports)
            let account = try await bench.signIn().session.account
            var nobody = by
            nobody.person = ""
            var reasonless = by
            reasonless.reason = "a\nb"
            for wrong in [nobody, reasonless] {
                let failure = await #expect(throws: Failure.self) {
                    try await administration.setStatus(of: account, to: .frozen, by: wrong)
                }
                #expect(failure?.code == .invalidRequest)
            }
            let codes = [
                await #expect(throws: Failure.self) {
                    try await administration.setTier(of: account, to: partner, by: by)
                }?.code,
                await #expect(throws: Failure.self) {
                    try await administration.setStatus(
                        of: AccountID(rawValue: 9), to: .frozen, by: by)
                }?.code,
                await #expect(throws: Failure.self) {
                    try await administration.set(
                        Tier(name: TierName(rawValue: "A B"), priceFactor: .one, limits: .none),
                        by: by)
                }?.code,
                await #expect(throws: Failure.self) {
                    try await administration.set(
                        tier((1, 1), CallLimits(concurrentChats: 0)), by: by)
                }?.code,
            ]
            #expect(codes == [.notFound, .notFound, .invalidRequest, .invalidRequest])
            #expect(try await administration.standing(of: account).account.status == .active)
            #expect(try await administration.acts(before: nil, limit: 10) == [])
        }
    }
}
