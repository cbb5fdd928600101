import Application
import TestSupport
import Testing
import TollgateKernel

/// A server whose clock was set wrong while it runs.
@Suite struct WrongClockTests {
    private static func useCase(
        _ asking: Asking, _ settlements: Settlements, over store: CutStore
    ) -> AnswerQuestion {
        var ports = asking.bench.ports
        ports.store = store
        return AnswerQuestion(
            ports, catalogue: asking.bench.catalogue, gateway: asking.models,
            vault: asking.bench.vault, settlements: settlements, heavyWork: CountedWork())
    }

    @Test func `No chat begins by a wrong clock, and one begins once it is set right`()
        async throws
    {
        try await TestBench.with { bench in
            try await bench.offer()
            try await bench.withSettlements { settlements in
                let asking = try await Asking(bench, settlements)
                let store = CutStore(
                    bench.store, clockRefusal: "This machine's clock is 90.0 s behind."
                ) { _ in false }
                let chats = Self.useCase(asking, settlements, over: store)
                let failure = await #expect(throws: Failure.self) {
                    try await chats.answer(asking.question("1")) { _ in }
                }
                #expect(failure?.code == .unavailable)
                #expect(failure?.isNotProcessed == true)
                #expect(failure?.message.contains("cannot tell the time") == true)
                #expect(asking.models.asked == [] && store.writes == 0)
                #expect(try await asking.balance().trialUsed == 0)

                store.clockRefusal = nil
                var events: [AnswerEvent] = []
                try await chats.answer(asking.question("1")) { events.append($0) }
                guard case .finished = events.last else {
                    Issue.record("no answer")
                    return
                }
            }
            #expect(try await bench.violations() == [])
        }
    }

    @Test func `A chat that was begun is settled whatever the clock does then`() async throws {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer()
            try await bench.withSettlements { settlements in
                let asking = try await Asking(bench, settlements)
                let store = CutStore(bench.store) { _ in false }
                let chats = Self.useCase(asking, settlements, over: store)
                var events: [AnswerEvent] = []
                try await chats.answer(asking.question("1")) { event in
                    store.clockRefusal = "This machine's clock is 90.0 s ahead."
                    events.append(event)
                }
                guard case .finished(let receipt) = events.last else {
                    Issue.record("no receipt")
                    return
                }
                #expect(receipt.charged == Credits(whole: 1))
                #expect(try await asking.balance().held == .zero)
                await #expect(throws: Failure.self) {
                    try await chats.answer(asking.question("2")) { _ in }
                }
            }
            #expect(try await bench.violations() == [])
        }
    }
}
