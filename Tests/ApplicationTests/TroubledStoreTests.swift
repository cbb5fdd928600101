import Accounts
import Application
import Chat
import Storage
import Synchronization
import TestSupport
import Testing
import TollgateKernel

/// A store in trouble: its engine undoes the batch of each applied write, which then runs again on
/// what stands by then; and some of its writes find no room, or are made without an answer.
private final class TroubledStore: Store {
    private struct Undone: Error {}

    private let inner: any Store
    /// What a write that has no good end does.
    enum Trouble: Sendable {
        /// It finds no room.
        case noRoom
        /// It is made, and nobody can tell.
        case noAnswer
    }

    private let refusals: Mutex<Int>
    private let trouble: Trouble
    private let beforeSecondRun: @Sendable (any Store) async throws -> Void

    /// - Parameters:
    ///   - refusals: writes that have no good end before one does.
    ///   - beforeSecondRun: what others change before an undone batch runs again; nil undoes none.
    init(
        _ inner: any Store, refusals: Int = 0, trouble: Trouble = .noRoom,
        beforeSecondRun: @escaping @Sendable (any Store) async throws -> Void = { _ in }
    ) {
        self.inner = inner
        self.refusals = Mutex(refusals)
        self.trouble = trouble
        self.beforeSecondRun = beforeSecondRun
    }

    var refusalsLeft: Int { refusals.withLock { $0 } }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        let isTroubled = refusals.withLock { left in
            left -= 1
            return left >= 0
        }
        guard isTroubled else { return try await inner.write(body) }
        switch trouble {
        case .noRoom: throw Failure(.unavailable, "no room")
        case .noAnswer:
            _ = try await inner.write(body)
            throw Failure(.unknownOutcome, "no answer")
        }
    }

    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        let first = Mutex<Value?>(nil)
        do {
            try await inner.write { tx in
                let value = try body(tx)
                first.withLock { $0 = value }
                throw Undone()
            }
        } catch is Undone {}
        let value = try #require(first.withLock { $0 })
        try await beforeSecondRun(inner)
        let second = try await inner.write(body)
        return AppliedWrite(value: value) { second }
    }

    func read<Value: Sendable>(
        _ freshness: ReadFreshness, _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await inner.read(freshness, body) }
}

@Suite struct TroubledStoreTests {
    /// Asks once, through a store in trouble.
    private static func ask(
        _ asking: Asking, _ settlements: Settlements, over store: TroubledStore
    ) async throws -> [AnswerEvent] {
        var ports = asking.bench.ports
        ports.store = store
        let useCase = AnswerQuestion(
            ports, catalogue: asking.bench.catalogue, gateway: asking.models,
            vault: asking.bench.vault, settlements: settlements, heavyWork: CountedWork())
        var events: [AnswerEvent] = []
        try await useCase.answer(asking.question("1")) { events.append($0) }
        return events
    }

    private static func freeze(_ account: AccountID) -> @Sendable (any Store) async throws -> Void {
        { store in
            try await store.write { tx in
                var frozen = try #require(try tx.accounts.account(account))
                frozen.status = .frozen
                try tx.accounts.update(frozen)
            }
        }
    }

    @Test func `A batch that ran again charges the hold of its second run, once`() async throws {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer()
            try await bench.withSettlements { settlements in
                let asking = try await Asking(bench, settlements)
                let events = try await Self.ask(
                    asking, settlements, over: TroubledStore(bench.store))
                guard case .finished(let receipt) = events.last else {
                    Issue.record("no receipt")
                    return
                }
                #expect(receipt.charged == Credits(whole: 1))
                #expect(try await asking.balance().held == .zero)
            }
            #expect(try await bench.violations() == [])
        }
    }

    @Test(arguments: [true, false])
    func `A hold that its second run refuses is told as that refusal, however the model fares`(
        modelAnswers: Bool
    ) async throws {
        try await TestBench.with { bench in
            try await bench.offer()
            try await bench.withSettlements { settlements in
                let asking = try await Asking(bench, settlements)
                if !modelAnswers { asking.models.script("a", [.fail(.unreachable)]) }
                let store = TroubledStore(
                    bench.store, beforeSecondRun: Self.freeze(asking.account))
                let failure = await #expect(throws: Failure.self) {
                    try await Self.ask(asking, settlements, over: store)
                }
                #expect(failure?.code == .accountFrozen)
                #expect(try await asking.balance().held == .zero)
                #expect(try await asking.balance().trialUsed == 0)
            }
            #expect(try await bench.violations() == [])
        }
    }

    /// Reserves some of an account's credits for another call.
    private static func reserve(
        _ amount: Credits, of account: AccountID, _ bench: TestBench
    ) -> @Sendable (any Store) async throws -> Void {
        let (now, identifiers) = (bench.clock.now(), bench.ports.identifiers)
        return { store in
            try await store.write { tx in
                let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                let other = HoldRequest(
                    account: account, requestID: try #require(IdempotencyKey(checking: "other")),
                    requestHash: Array(repeating: 1, count: 32), source: .credits, amount: amount,
                    trialDay: nil, trialLimit: 0, expiresAt: now.adding(milliseconds: 600_000))
                let lots = try ledger.spendable(by: account, at: now)
                _ = try ledger.holdNew(other, from: lots, standing: nil, at: now)
            }
        }
    }

    @Test func `A second run that covers fewer tokens asks the model again, for those`()
        async throws
    {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer()
            try await bench.store.write { tx in
                // Two credits of welcome cover 500 of these tokens.
                try tx.chat.save(
                    ChatModel(
                        name: ModelName(rawValue: "m"), summary: "",
                        price: ChatPrice(
                            perCall: .zero, perThousandPromptTokens: .zero,
                            perThousandCompletionTokens: Credits(whole: 4)), maxTokens: 1_000,
                        isOpenToAll: true, isEnabled: true, position: 1))
            }
            try await bench.withSettlements { settlements in
                let asking = try await Asking(bench, settlements)
                asking.models.script(
                    "a",
                    [
                        .event(.delta("ok")),
                        .event(
                            .finished(
                                reason: "length",
                                usage: TokenUsage(promptTokens: 5, completionTokens: 250))),
                    ])
                let store = TroubledStore(
                    bench.store,
                    beforeSecondRun: Self.reserve(Credits(whole: 1), of: asking.account, bench))
                let events = try await Self.ask(asking, settlements, over: store)
                #expect(asking.models.requests.map(\.maxTokens) == [500, 250])
                let starts = events.filter { if case .started = $0 { true } else { false } }
                #expect(starts.count == 1)
                guard case .finished(let receipt) = events.last else {
                    Issue.record("no receipt")
                    return
                }
                // All that was held; nothing is written off.
                #expect(receipt.charged == Credits(whole: 1))
                #expect(receipt.balance == .zero)
            }
            #expect(try await bench.violations() == [])
        }
    }

    @Test(arguments: [TroubledStore.Trouble.noRoom, .noAnswer])
    fileprivate func `An answer is charged once although the store was in trouble at its end`(
        trouble: TroubledStore.Trouble
    ) async throws {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer()
            try await bench.withSettlements { settlements in
                let asking = try await Asking(bench, settlements)
                let store = TroubledStore(bench.store, refusals: 2, trouble: trouble)
                let events = try await Self.ask(asking, settlements, over: store)
                guard case .finished(let receipt) = events.last else {
                    Issue.record("no receipt")
                    return
                }
                #expect(receipt.charged == Credits(whole: 1))
                #expect(store.refusalsLeft < 0)
                let balance = try await asking.balance()
                #expect(balance.held == .zero)
                #expect(balance.posted == Credits(whole: 1))
            }
            #expect(try await bench.violations() == [])
        }
    }
}
