import Accounts
import Application
import Auth
import Chat
import Storage
import Synchronization
import TestSupport
import Testing
import TollgateKernel

/// Asks and collects.
struct Asking {
    let bench: TestBench
    let models = ScriptedModels()
    let heavyWork = CountedWork()
    let useCase: AnswerQuestion
    let token: SessionToken
    let account: AccountID

    init(_ bench: TestBench, _ settlements: Settlements) async throws {
        self.bench = bench
        useCase = AnswerQuestion(
            bench.ports, catalogue: bench.catalogue, gateway: models, vault: bench.vault,
            settlements: settlements, heavyWork: heavyWork)
        let signedIn = try await bench.signIn()
        token = signedIn.token
        account = signedIn.session.account
    }

    func question(_ id: String, text: String = "hi") -> Question {
        Question(
            caller: .session(token), model: "", turns: [ChatMessage(role: .user, content: text)],
            maxTokens: 0, requestID: id)
    }

    func ask(_ id: String, text: String = "hi") async throws -> [AnswerEvent] {
        var events: [AnswerEvent] = []
        try await useCase.answer(question(id, text: text)) { events.append($0) }
        return events
    }

    func balance() async throws -> (posted: Credits, held: Credits, trialUsed: Int64) {
        let quota = try await AccountQueries(bench.ports).quota(of: account)
        return (
            Credits(micro: quota.ledger.posted), Credits(micro: quota.ledger.held),
            quota.trialUsed
        )
    }

    static func with(
        policy: ServicePolicy = ServicePolicy(), channels: [String] = ["a"],
        _ body: (Asking) async throws -> Void
    ) async throws {
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer(channels: channels)
            try await bench.withSettlements { settlements in
                try await body(Asking(bench, settlements))
            }
            #expect(try await bench.violations() == [])
        }
    }
}

@Suite struct AnswerQuestionTests {
    @Test func `A long question is judged away from the event loop, and alike`() async throws {
        try await Asking.with { asking in
            try await asking.bench.store.write { tx in
                try tx.chat.save(SensitiveWord(word: "secret", action: .mask))
                try tx.chat.save(SensitiveWord(word: "forbidden", action: .refuse))
            }
            let longest = String(repeating: "a", count: Limits.chatBytesJudgedInPlace - 7)
            _ = try await asking.ask("1", text: longest + " secret")
            #expect(asking.heavyWork.count == 0)
            _ = try await asking.ask("2", text: longest + "a secret")
            #expect(asking.heavyWork.count == 1)
            let sent = asking.models.requests.map(\.messages.last?.content)
            #expect(sent == [longest + " ******", longest + "a ******"])
            let refusal = await #expect(throws: Failure.self) {
                try await asking.ask("3", text: longest + "a forbidden")
            }
            #expect(refusal?.code == .contentRefused)
            #expect(asking.heavyWork.count == 2)
            #expect(asking.models.requests.count == 2)
        }
    }

    @Test func `Trial first, then credits, then a refusal that asks no provider`() async throws {
        try await Asking.with { asking in
            for (id, source) in [("1", Hold.Source.trial), ("2", .credits), ("3", .credits)] {
                let events = try await asking.ask(id)
                #expect(events.first == .started(model: ModelName(rawValue: "m"), source: source))
                #expect(events.contains(.delta("ok")))
                guard case .finished(let receipt) = events.last else {
                    Issue.record("no receipt")
                    return
                }
                #expect(receipt.charged == (source == .trial ? .zero : Credits(whole: 1)))
            }
            let failure = await #expect(throws: Failure.self) { try await asking.ask("4") }
            #expect(failure?.code == .quotaExhausted)
            #expect(asking.models.asked.count == 3)
            let balance = try await asking.balance()
            #expect(balance.posted == .zero)
            #expect(balance.held == .zero)
            #expect(balance.trialUsed == 1)
        }
    }

    @Test func `A request id is answered once; other words under it are a mismatch`()
        async throws
    {
        try await Asking.with { asking in
            _ = try await asking.ask("same")
            let again = await #expect(throws: Failure.self) { try await asking.ask("same") }
            #expect(again?.code == .alreadyAnswered)
            let other = await #expect(throws: Failure.self) {
                try await asking.ask("same", text: "other")
            }
            #expect(other?.code == .mismatch)
            #expect(asking.models.asked.count == 1)
        }
    }

    @Test func `A channel whose key does not open is left for the next, and told calmly`()
        async throws
    {
        try await Asking.with(channels: ["a", "b"]) { asking in
            func reseal(_ channel: String) async throws {
                let elsewhere = Vault(
                    masterKey: [UInt8](repeating: 9, count: 32), random: SystemRandom())
                let sealed = try elsewhere.seal("key", label: "channel:\(channel)")
                try await asking.bench.store.write { tx in
                    let keys = try tx.chat.channelKeys(after: "", limit: 10)
                    for key in keys where key.channel == channel {
                        _ = try tx.chat.replace(key, with: sealed)
                    }
                }
                asking.bench.clock.advance(milliseconds: Limits.catalogueAgeMilliseconds + 1)
            }
            try await reseal("a")
            let events = try await asking.ask("1")
            #expect(asking.models.asked == ["b"])
            #expect(events.contains(.delta("ok")))
            try await reseal("b")
            let failure = await #expect(throws: Failure.self) { try await asking.ask("2") }
            #expect(failure?.code == .upstreamFailed)
            #expect(
                failure?.message
                    == "The model is out of order just now; try again or choose another.")
            #expect(asking.models.asked == ["b"])
            #expect(try await asking.balance().held == .zero)
        }
    }

    @Test func `A failing channel is left for the next before the first token`() async throws {
        try await Asking.with(channels: ["a", "b"]) { asking in
            asking.models.script("a", [.fail(.serverError)])
            let events = try await asking.ask("1")
            #expect(asking.models.asked == ["a", "b"])
            #expect(events.contains(.delta("ok")))
        }
    }

    @Test func `After the first token there is no failover; what was delivered is charged`()
        async throws
    {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await Asking.with(policy: policy, channels: ["a", "b"]) { asking in
            asking.models.script("a", [.event(.delta("half")), .fail(.truncated)])
            let events = try await asking.ask("1")
            #expect(asking.models.asked == ["a"])
            guard case .failed(let failure, let charged) = events.last else {
                Issue.record("the cut was not told")
                return
            }
            #expect(failure.code == .truncated)
            #expect(charged == Credits(whole: 1))
            #expect(try await asking.balance().posted == Credits(whole: 1))
        }
    }

    @Test func `A failure before the first token gives trial and credits back`() async throws {
        try await Asking.with { asking in
            asking.models.script("a", [.fail(.unreachable)])
            for id in ["1", "2"] {
                let failure = await #expect(throws: Failure.self) { try await asking.ask(id) }
                #expect(failure?.code == .upstreamFailed)
            }
            let balance = try await asking.balance()
            #expect(balance.posted == Credits(whole: 2))
            #expect(balance.held == .zero)
            #expect(balance.trialUsed == 0)
        }
    }

    @Test(arguments: 0..<5)
    func `Cancelled at any point, the hold ends and the provider is left`(point: Int)
        async throws
    {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await Asking.with(policy: policy) { asking in
            let gate = Gate()
            let reached = Gate()
            // The provider stops at the point; an earlier one has delivered less.
            var steps: [ScriptedModels.Step] = [
                .event(.delta("a")), .event(.delta("b")), .event(.delta("c")),
            ]
            steps.insert(.wait(gate), at: min(point, steps.count))
            steps.append(.event(.finished(reason: "stop", usage: nil)))
            asking.models.script("a", steps)
            let task = Task { () -> Bool in
                var seen = 0
                do {
                    try await asking.useCase.answer(asking.question("1")) { event in
                        if case .delta = event { seen += 1 }
                        if seen >= min(point, 3) { reached.open() }
                        // At the last point it is the asker's own connection that stalls.
                        if point == 4, seen == 3 { try await gate.wait() }
                    }
                    return true
                } catch {
                    return false
                }
            }
            if point == 0 {
                while asking.models.asked.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
            } else {
                try await reached.wait()
            }
            task.cancel()
            let finished = await task.value
            #expect(!finished)
            let balance = try await asking.balance()
            #expect(balance.held == .zero)
            #expect(balance.posted == (point == 0 ? Credits(whole: 2) : Credits(whole: 1)))
        }
    }

    @Test(arguments: [2, 10, 60])
    func `Of N parallel chats on quota for two exactly two pass`(count: Int) async throws {
        let policy = ServicePolicy(trialCallsPerDay: 0)
        try await Asking.with(policy: policy) { asking in
            let codes = await withTaskGroup(of: Failure.Code?.self) { group in
                for index in 0..<count {
                    group.addTask {
                        do {
                            _ = try await asking.ask("\(index)")
                            return nil
                        } catch {
                            return (error as? Failure)?.code ?? .internalError
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.filter { $0 == nil }.count == 2)
            #expect(codes.filter { $0 == .quotaExhausted }.count == count - 2)
            let balance = try await asking.balance()
            #expect(balance.posted == .zero)
        }
    }

    @Test func `A frozen account, a wrong session and refused words are told by their codes`()
        async throws
    {
        try await Asking.with { asking in
            try await asking.bench.store.write { tx in
                try tx.chat.save(SensitiveWord(word: "forbidden", action: .refuse))
                try tx.chat.save(SensitiveWord(word: "secret", action: .mask))
            }
            asking.bench.clock.advance(milliseconds: 2_000)
            let words = await #expect(throws: Failure.self) {
                try await asking.ask("1", text: "a FORBIDDEN word")
            }
            #expect(words?.code == .contentRefused)
            _ = try await asking.ask("2", text: "my secret is")
            #expect(asking.models.requests.last?.messages.last?.content == "my ****** is")
            try await asking.bench.store.write { tx in
                guard var account = try tx.accounts.account(asking.account) else { return }
                account.status = .frozen
                try tx.accounts.update(account)
            }
            let frozen = await #expect(throws: Failure.self) { try await asking.ask("3") }
            #expect(frozen?.code == .accountFrozen)
        }
    }
}
