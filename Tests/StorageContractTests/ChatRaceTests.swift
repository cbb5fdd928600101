import Accounts
import Application
import Auth
import Chat
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Chats while what lets them in is taken away: the use cases as a server runs them, on both
/// engines.
@Suite struct ChatRaceTests {
    /// A person without limits and with credits for every chat of a test.
    private struct Chatting {
        let bench: TestBench
        let first: SignIn.SignedIn
        let useCase: AnswerQuestion

        static let grant: Int64 = 2_000

        init(_ store: any OpenedStore, _ settlements: Settlements) async throws {
            bench = try TestBench(
                over: store,
                policy: ServicePolicy(
                    trialCallsPerDay: 0, welcomeGrant: Credits(whole: Self.grant)))
            try await bench.offer()
            try await store.write { tx in
                try tx.tiers.save(
                    Tier(name: .standard, priceFactor: .one, limits: CallLimits()))
            }
            first = try await bench.signIn()
            useCase = AnswerQuestion(
                bench.ports, catalogue: bench.catalogue, gateway: ScriptedModels(),
                vault: bench.vault, settlements: settlements, heavyWork: CountedWork())
        }

        static func with(
            _ engine: Engine, _ body: (Chatting) async throws -> Void
        ) async throws {
            try await withStore(on: engine) { store in
                let settlements = Settlements()
                async let running: Void = settlements.run()
                do {
                    try await body(Chatting(store, settlements))
                } catch {
                    settlements.drain()
                    await running
                    throw error
                }
                settlements.drain()
                await running
            }
        }

        /// What a chat with a session comes to.
        func ask(_ token: SessionToken, _ id: String) async -> Ending {
            await Ending {
                try await useCase.answer(
                    Question(
                        caller: .session(token), model: "m",
                        turns: [ChatMessage(role: .user, content: "hi")], maxTokens: 0,
                        requestID: id)
                ) { _ in }
            }
        }

        func ledger() async throws -> CustomerLedger? {
            let account = first.session.account
            return try await bench.store.read { tx in try tx.ledger.customerLedger(account) }
        }
    }

    /// How often each ending came, and in all.
    private final class Endings: Sendable {
        private let counts = Mutex<[Ending: Int]>([:])
        func add(_ ending: Ending) { counts.withLock { $0[ending, default: 0] += 1 } }
        func count(_ ending: Ending) -> Int { counts.withLock { $0[ending, default: 0] } }
        var kinds: Set<Ending> { counts.withLock { Set($0.keys) } }
    }

    private static let over = Ending.failure(.unauthenticated)

    /// More sessions than one transaction of a deletion ends: whoever asks with one of the others
    /// is kept out by the account alone.
    @Test(arguments: Engine.all) func ofChatsAndADeletionEachComesBeforeOrAfter(
        _ engine: Engine
    ) async throws {
        var answered = 0
        var refused = 0
        for _ in 0..<10 where answered == 0 || refused == 0 {
            try await Chatting.with(engine) { chatting in
                let endings = try await deleteAmongChats(chatting)
                #expect(endings.kinds.isSubset(of: [.value, Self.over]), "\(endings.kinds)")
                answered += endings.count(.value)
                refused += endings.count(Self.over)
                let ledger = try await chatting.ledger()
                #expect(ledger?.held == 0 && ledger?.posted == 0)
                #expect(ledger?.activity.openCalls == 0)
                #expect(try await chatting.bench.violations() == [])
            }
        }
        #expect(answered > 0 && refused > 0, "answered \(answered), refused \(refused)")
    }

    private func deleteAmongChats(_ chatting: Chatting) async throws -> Endings {
        var tokens = [chatting.first.token]
        while tokens.count < Limits.rowsOfOneErasure + 8 {
            tokens.append(try await chatting.bench.signIn().token)
        }
        let sessions = tokens
        let endings = Endings()
        let workers = 3
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    // The sessions that outlive the deletion's first transaction come last.
                    for place in stride(from: worker, to: sessions.count, by: workers) {
                        endings.add(await chatting.ask(sessions[place], "chat-\(place)"))
                    }
                }
            }
            group.addTask {
                _ = try await eventually { endings.count(.value) > 0 }
                let deletion = DeleteAccount(chatting.bench.ports)
                // Refused as long as a chat is under way.
                var outcome = Ending.failure(.conflict)
                while outcome == .failure(.conflict) {
                    outcome = await Ending { _ = try await deletion.delete(by: sessions[0]) }
                }
                #expect(outcome == .value)
            }
            try await group.waitForAll()
        }
        let account = chatting.first.session.account
        let left = try await chatting.bench.store.read { tx in
            (
                status: try tx.accounts.account(account)?.status,
                sessions: try tx.auth.loginSessions(of: account, after: nil, limit: 99).count
            )
        }
        #expect(left.status == .deleting && left.sessions == 8)
        for (place, token) in sessions.enumerated() {
            #expect(await chatting.ask(token, "late-\(place)") == Self.over)
        }
        return endings
    }

    @Test(arguments: Engine.all) func ofChatsAndTheirSessionsEndEachComesBeforeOrAfter(
        _ engine: Engine
    ) async throws {
        try await Chatting.with(engine) { chatting in
            let mine = try await chatting.bench.signIn()
            let endings = Endings()
            let workers = 4
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<workers {
                    group.addTask {
                        // Until the session is over, which the last of them has to find out.
                        for number in 0..<400 {
                            let ending = await chatting.ask(mine.token, "\(worker)-\(number)")
                            endings.add(ending)
                            guard ending == .value else { return }
                        }
                    }
                }
                group.addTask {
                    let began = try? await eventually { endings.count(.value) >= 10 }
                    #expect(began == true)
                    let ended = try? await LoginSessions(chatting.bench.ports)
                        .end(mine.session.id, by: mine.token)
                    #expect(ended?.isOwn == true)
                }
            }
            let answered = endings.count(.value)
            #expect(answered >= 10)
            #expect(endings.count(Self.over) == workers)
            #expect(endings.kinds == [.value, Self.over])
            let ledger = try await chatting.ledger()
            #expect(
                ledger?.posted == Credits(whole: Chatting.grant - Int64(answered)).micro)
            #expect(ledger?.held == 0 && ledger?.activity.openCalls == 0)
            #expect(try await chatting.bench.violations() == [])
            // The person's other session goes on.
            #expect(await chatting.ask(chatting.first.token, "other") == .value)
        }
    }
}
