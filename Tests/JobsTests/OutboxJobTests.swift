import Accounts
import Application
import Auth
import Jobs
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel
import Weixin

@Suite struct OutboxJobTests {
    /// Buys something, which leaves a message behind.
    private func buy(_ jobs: JobsBench) async throws {
        let account = try await jobs.bench.signIn().session.account
        let order = try await PlaceOrder(jobs.bench.ports, payments: jobs.payments).place(
            product: ProductKey(rawValue: "starter"), for: account,
            idempotencyKey: IdempotencyKey(rawValue: "k"))
        let trade = try #require(jobs.payments.pay(order.outTradeNumber))
        _ = try await BookPayment(jobs.bench.ports).book(queried: trade)
    }

    private func results(_ jobs: JobsBench) async throws -> [String] {
        let run = try await jobs.run("outbox")
        return try await jobs.items(of: run).map(\.result)
    }

    private func incidents(_ jobs: JobsBench) async throws -> [Incident.Kind] {
        try await OperatorQueries(jobs.bench.ports).incidents(limit: 10).map(\.kind)
    }

    @Test func `A message is sent once, to the person, with what was bought`() async throws {
        try await JobsBench.with { jobs in
            try await buy(jobs)
            #expect(try await results(jobs) == ["sent"])
            #expect(try await results(jobs) == [])
            let sent = jobs.messages.asked
            #expect(sent.count == 1)
            #expect(sent.first?.openID == "o_ann")
            #expect(sent.first?.templateID == "template")
            #expect(sent.first?.values["product"] == "Starter")
        }
    }

    @Test func `Killed between sending and remembering, it is sent again under the same id`()
        async throws
    {
        try await JobsBench.with { jobs in
            try await buy(jobs)
            // Writes are: register, take the lease, remember that it was sent.
            let cut = CutStore(jobs.bench.store) { $0 >= 3 }
            _ = try? await jobs.run("outbox", over: cut)
            #expect(jobs.messages.asked.count == 1)
            #expect(try await jobs.takeOver("outbox")?.itemsDone == 1)
            #expect(jobs.messages.asked.count == 2)
            #expect(Set(jobs.messages.asked.map(\.clientMessageID)).count == 1)
            #expect(try await results(jobs) == [])
        }
    }

    @Test func `Messages to people who have left keep none from being sent`() async throws {
        try await JobsBench.with { jobs in
            let left = try await jobs.bench.signIn(openID: "o_left").session.account
            let now = jobs.bench.clock.now()
            // As many as one run looks at, and all of them older than what is to be sent.
            try await jobs.bench.store.write { tx in
                try tx.departures.begin(
                    left, placeholder: [UInt8](repeating: 1, count: 32), at: now)
                for number in 1...Limits.rowsPerJobTransaction {
                    try tx.outbox.insert(
                        OutboxMessage(
                            id: OutboxID(rawValue: Int64(number)), kind: .creditsArrived,
                            account: left, values: [:], state: .waiting, attempts: 0,
                            nextAttemptAt: now, createdAt: now))
                }
            }
            jobs.bench.clock.advance(milliseconds: 1)
            try await buy(jobs)
            _ = try await results(jobs)
            #expect(try await results(jobs).contains("sent"))
            #expect(jobs.messages.asked.map(\.openID) == ["o_ann"])
            // They are not lost: the deletion comes to them, and erases them.
            jobs.bench.clock.advance(milliseconds: Limits.outboxBackOffMilliseconds)
            #expect(Set(try await results(jobs)) == ["withdrawn"])
            try await jobs.run("hold-expire")
        }
    }

    @Test func `A failure is tried again after pauses that double, up to four hours`()
        async throws
    {
        try await JobsBench.with { jobs in
            try await buy(jobs)
            let attempts = Int(Limits.outboxAttempts)
            jobs.messages.failNext(
                [.misconfigured]
                    + [OfficialAccountFailure.Kind](
                        repeating: .temporary, count: attempts - 1))
            var pause: Int64 = 15_000
            for attempt in 1..<attempts {
                #expect(try await results(jobs) == ["postponed"], "\(attempt)")
                jobs.bench.clock.advance(milliseconds: pause - 1)
                #expect(try await results(jobs) == [], "\(attempt)")
                jobs.bench.clock.advance(milliseconds: 1)
                pause = min(pause * 2, 4 * 3_600_000)
            }
            #expect(try await incidents(jobs) == [])
            #expect(try await results(jobs) == ["dead"])
            #expect(try await incidents(jobs) == [.undeliverableMessage])
            jobs.bench.clock.advance(milliseconds: 86_400_000)
            #expect(try await results(jobs) == [])
            #expect(jobs.messages.asked.count == attempts)
            #expect(Set(jobs.messages.asked.map(\.clientMessageID)).count == 1)
        }
    }

    @Test func `A final refusal is given up at once, with an incident`() async throws {
        try await JobsBench.with { jobs in
            try await buy(jobs)
            jobs.messages.failNext([.final])
            #expect(try await results(jobs) == ["dead"])
            #expect(try await incidents(jobs) == [.undeliverableMessage])
            jobs.bench.clock.advance(milliseconds: 86_400_000)
            #expect(try await results(jobs) == [])
        }
    }
}
