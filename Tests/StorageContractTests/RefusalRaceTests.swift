import Accounts
import Application
import Auth
import Chat
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// A store that counts how often its writes' closures had to run beyond the first time.
private final class TalliedStore: Store {
    private let base: any Store
    private let asked = Tally()
    private let run = Tally()

    init(_ base: any Store) { self.base = base }

    /// Attempts that were undone: another transaction was in their way.
    var undone: Int { run.value - asked.value }

    private func tallied<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) -> @Sendable (any Transaction) throws -> Value {
        asked.add()
        return { [run] tx in
            run.add()
            return try body(tx)
        }
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await base.write(tallied(body)) }

    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> { try await base.begin(tallied(body)) }

    func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await base.read(freshness, body) }
}

/// What one client's refusals do to its others.
@Suite struct RefusalRaceTests {
    /// A person without credits, asking over a store of the test's.
    private struct Asking {
        let bench: TestBench
        let person: SignIn.SignedIn
        let useCase: AnswerQuestion

        static func with(
            _ store: any OpenedStore, over asked: any Store, _ body: (Asking) async throws -> Void
        ) async throws {
            let bench = try TestBench(
                over: store, policy: ServicePolicy(trialCallsPerDay: 0, welcomeGrant: .zero))
            try await bench.offer()
            try await store.write { tx in
                try tx.tiers.save(
                    Tier(name: .standard, priceFactor: .one, limits: CallLimits()))
            }
            let person = try await bench.signIn()
            var ports = bench.ports
            ports.store = asked
            try await bench.withSettlements { [ports] settlements in
                try await body(
                    Asking(
                        bench: bench, person: person,
                        useCase: AnswerQuestion(
                            ports, catalogue: bench.catalogue, gateway: ScriptedModels(),
                            vault: bench.vault, settlements: settlements, heavyWork: CountedWork()))
                )
            }
        }

        func ask(_ id: String) async -> Ending {
            await Ending {
                try await useCase.answer(
                    Question(
                        caller: .session(person.token), model: "m",
                        turns: [ChatMessage(role: .user, content: "hi")], maxTokens: 0,
                        requestID: id)
                ) { _ in }
            }
        }

        func counted() async throws -> [Int64] {
            let account = person.session.account
            return try await bench.store.read { tx in
                try tx.chat.refusals(of: account, after: 0, limit: 9).map(\.times)
            }
        }
    }

    @Test(arguments: Engine.all)
    func `a client that is refused in many calls at once is nowhere in its own way`(
        _ engine: Engine
    ) async throws {
        let (workers, asks) = (16, 25)
        try await withStore(on: engine) { store in
            let tallied = TalliedStore(store)
            try await Asking.with(store, over: tallied) { asking throws in
                await withTaskGroup(of: Void.self) { group in
                    for worker in 0..<workers {
                        group.addTask {
                            for number in 0..<asks {
                                let ending = await asking.ask("\(worker)-\(number)")
                                #expect(ending == .failure(.quotaExhausted))
                            }
                        }
                    }
                }
                // Each was counted before it was told, and all are one row.
                #expect(try await asking.counted() == [Int64(workers * asks)])
                #expect(tallied.undone == 0)
                #expect(try await asking.bench.violations() == [])
            }
        }
    }

    @Test func `who is refused is told why also when that cannot be counted`() async throws {
        try await withStore(on: .sqlite) { store in
            // The first is the hold's, the second the count's.
            let cut = CutStore(store) { $0 == 2 }
            try await Asking.with(store, over: cut) { asking throws in
                #expect(await asking.ask("lost") == .failure(.quotaExhausted))
                #expect(try await asking.counted() == [])
                #expect(await asking.ask("kept") == .failure(.quotaExhausted))
                #expect(try await asking.counted() == [1])
            }
        }
    }

    @Test func `a request that was asked before is not counted as refused`() async throws {
        try await withStore(on: .sqlite) { store in
            try await Asking.with(store, over: store) { asking throws in
                let now = asking.bench.clock.now()
                let account = asking.person.session.account
                try await store.write { [ports = asking.bench.ports] tx in
                    _ = try Ledger(
                        tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers
                    ).hold(
                        HoldRequest(
                            account: account, requestID: IdempotencyKey(rawValue: "twice"),
                            requestHash: digest(1), source: .promotion, amount: .zero,
                            trialDay: nil, trialLimit: 0,
                            expiresAt: now.adding(milliseconds: 1_000)), at: now)
                }
                #expect(await asking.ask("twice") == .failure(.mismatch))
                #expect(try await asking.counted() == [])
            }
        }
    }
}
