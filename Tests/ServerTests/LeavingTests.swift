import Accounts
import Application
import Chat
import Storage
import Synchronization
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Askers who leave, and a server that stops, while an answer streams.
@Suite(.timeLimit(.minutes(5))) struct LeavingTests {
    /// A credit for each token of the answer, so that the charge tells what was delivered.
    private static let price = ChatPrice(
        perCall: .zero, perThousandPromptTokens: .zero,
        perThousandCompletionTokens: Credits(whole: 1_000))
    private static let policy = ServicePolicy(
        trialCallsPerDay: 0, welcomeGrant: Credits(whole: 1_000))

    /// Runs a server whose model says two pieces, waits at a gate, and says a third.
    private func with(
        _ reach: Reach,
        _ body: (_ world: ServerBench, _ gate: Gate, _ authorization: String, AccountID)
            async throws -> Void
    ) async throws {
        try await ServerBench.with(reach, policy: Self.policy) { world in
            try await world.bench.store.write { tx in
                var model = try #require(try tx.chat.enabledModels().first)
                model.price = Self.price
                try tx.chat.save(model)
            }
            let gate = Gate()
            world.models.script(
                "a",
                [
                    .event(.delta("one ")), .event(.delta("two ")), .wait(gate),
                    .event(.delta("three")),
                    .event(
                        .finished(
                            reason: "stop",
                            usage: TokenUsage(promptTokens: 1, completionTokens: 33))),
                ])
            let (authorization, account) = try await world.signIn()
            try await body(world, gate, authorization, account)
        }
    }

    private func ledger(_ world: ServerBench, _ account: AccountID) async throws -> CustomerLedger {
        try await AccountQueries(world.bench.ports).quota(of: account).ledger
    }

    /// What is charged for this part of an answer, as our own estimate has it.
    private static func charge(for text: String) -> Credits {
        ChatPricing.price(
            of: TokenEstimate.usage(
                prompt: [ChatMessage(role: .user, content: "hello")], answer: TokenEstimate(text)),
            at: price)
    }

    @Test(arguments: Reach.allCases)
    func `Who leaves mid-answer pays for what was delivered, and the provider is told at once`(
        reach: Reach
    ) async throws {
        try await with(reach) { world, _, authorization, account in
            try await world.client { client in
                let read = Mutex("")
                let asking = Task {
                    try await Person(client, authorization: authorization).ask(id: "q1") { event in
                        if case .delta(let text) = event.event { read.withLock { $0 += text } }
                    }
                }
                try await expectEventually { read.withLock { $0 } == "one two " }
                #expect(try await ledger(world, account).held > 0)
                let left = ContinuousClock.now
                asking.cancel()
                try await expectEventually { try await ledger(world, account).held == 0 }
                let took = left.duration(to: .now)
                #expect(took < .seconds(10), "\(took)")
                try await expectEventually { world.models.cancelled == 1 }
                await #expect(throws: CancellationError.self) { try await asking.value }
            }
            let charged = Self.charge(for: "one two ")
            #expect(charged > .zero && charged < Self.charge(for: "one two three"))
            #expect(
                try await ledger(world, account).balance == Credits(whole: 1_000) - charged)
            try await expectEventually { world.settlements.underWay == 0 }
        }
    }

    @Test(arguments: Reach.allCases)
    func `Who leaves before the first token pays nothing`(reach: Reach) async throws {
        try await with(reach) { world, _, authorization, account in
            world.models.script("a", [.wait(Gate())])
            try await world.client { client in
                let asking = Task {
                    try await Person(client, authorization: authorization).ask(id: "q1")
                }
                // Asked when the hold was applied; it is seen once it is durable.
                try await expectEventually { try await ledger(world, account).held > 0 }
                #expect(world.models.asked.count == 1)
                let left = ContinuousClock.now
                asking.cancel()
                try await expectEventually {
                    let held = try await ledger(world, account).held
                    return held == 0 && world.models.cancelled == 1
                }
                let took = left.duration(to: .now)
                #expect(took < .seconds(10), "\(took)")
                _ = await asking.result
            }
            #expect(try await ledger(world, account).balance == Credits(whole: 1_000))
        }
    }

    @Test(arguments: Reach.allCases)
    func `Who hangs up mid-answer is charged alike`(reach: Reach) async throws {
        try await with(reach) { world, _, authorization, account in
            let read = Mutex("")
            let asking = Task {
                try await world.client { client in
                    try await Person(client, authorization: authorization).ask(id: "q1") { event in
                        if case .delta(let text) = event.event { read.withLock { $0 += text } }
                        // The connection goes, no cancel is sent first.
                        if read.withLock({ $0 }) == "one two " { Task { await client.close() } }
                    }
                }
            }
            try await expectEventually { world.models.cancelled == 1 }
            try await expectEventually { try await ledger(world, account).held == 0 }
            #expect(
                try await ledger(world, account).balance
                    == Credits(whole: 1_000) - Self.charge(for: "one two "))
            guard case .failure = await asking.result else {
                return #expect(Bool(false), "an answer that was cut off looked whole")
            }
        }
    }

    @Test(arguments: Reach.allCases)
    func `A server that stops lets its answers end, settles them, and takes no new calls`(
        reach: Reach
    ) async throws {
        try await with(reach) { world, gate, authorization, account in
            try await world.client { client in
                let person = Person(client, authorization: authorization)
                let deltas = Mutex(0)
                let asking = Task {
                    try await person.ask(id: "q1") { event in
                        if case .delta = event.event { deltas.withLock { $0 += 1 } }
                    }
                }
                try await expectEventually { deltas.withLock { $0 } == 2 }
                world.server.drain()
                // Refused as soon as the drain has reached the connection's loop.
                try await expectEventually {
                    let options = CallOptions(
                        authorization: authorization, timeoutMilliseconds: 5_000)
                    return await error {
                        _ = try await AccountsServiceClient(client).getQuota(
                            V1.GetQuotaRequest(), options: options)
                    }?.code == "unavailable"
                }
                #expect(deltas.withLock { $0 } == 2)
                gate.open()
                let answer = try await asking.value
                #expect(answer.text == "one two three")
                #expect(answer.done?.completionTokens == 33)
                #expect(answer.done?.chargedMicroCredits == Credits(whole: 33).micro)
            }
            #expect(try await ledger(world, account).held == 0)
            #expect(try await ledger(world, account).balance == Credits(whole: 967))
            #expect(world.models.cancelled == 0)
        }
    }
}
