import Analytics
import Application
import Auth
import Chat
import Jobs
import Operations
import Orders
import Storage
import TestSupport
import Testing
import TollgateKernel

/// Chats, refusals and sales, with what the rollup should make of them, added up by hand.
private struct Business {
    let jobs: JobsBench
    let token: SessionToken
    let account: AccountID
    private(set) var expected: [Figure: Int64] = [:]

    /// What one figure is about.
    struct Figure: Hashable {
        var resolution: RollupResolution
        var periodStart: Timestamp
        var metric: BusinessMetric
        var dimension: String
    }

    init(_ jobs: JobsBench) async throws {
        self.jobs = jobs
        let signedIn = try await jobs.bench.signIn()
        token = signedIn.token
        account = signedIn.session.account
    }

    private var now: Timestamp { jobs.bench.clock.now() }

    private mutating func expect(
        _ metric: BusinessMetric, _ dimension: String, _ value: Int64, at moment: Timestamp
    ) {
        for resolution in RollupResolution.allCases {
            let figure = Figure(
                resolution: resolution, periodStart: resolution.start(of: moment), metric: metric,
                dimension: dimension)
            expected[figure, default: 0] += value
        }
    }

    mutating func ask(times: Int) async throws {
        for _ in 0..<times {
            let question = Question(
                caller: .session(token), model: "m",
                turns: [ChatMessage(role: .user, content: "hello")],
                maxTokens: 64, requestID: "q\(jobs.bench.ports.identifiers.next())")
            try await jobs.bench.withSettlements { settlements in
                try await AnswerQuestion(
                    jobs.bench.ports, catalogue: jobs.bench.catalogue, gateway: ScriptedModels(),
                    vault: jobs.bench.vault, settlements: settlements,
                    heavyWork: CountedWork()
                ).answer(question) { _ in }
            }
            expect(.chats, "m", 1, at: now)
            expect(.promptTokens, "m", ScriptedModels.usage.promptTokens, at: now)
            expect(.completionTokens, "m", ScriptedModels.usage.completionTokens, at: now)
        }
    }

    /// A refusal, perhaps one whose row comes late.
    mutating func refuse(millisecondsAgo: Int64 = 0) async throws {
        let moment = now.adding(milliseconds: -millisecondsAgo)
        try await jobs.bench.store.write { [account] tx in
            try tx.chat.insertRefusal(
                account: account, model: ModelName(rawValue: "m"), code: .contentRefused, at: moment
            )
        }
        expect(.refusals, Failure.Code.contentRefused.rawValue, 1, at: moment)
    }

    mutating func order(isPaid: Bool) async throws {
        let order = try await PlaceOrder(jobs.bench.ports, payments: jobs.payments).place(
            product: ProductKey(rawValue: "starter"), for: account,
            idempotencyKey: IdempotencyKey(
                rawValue: "k\(jobs.bench.ports.identifiers.next())"))
        expect(.orders, "starter", 1, at: now)
        guard isPaid else { return }
        let trade = try #require(jobs.payments.pay(order.outTradeNumber))
        _ = try await BookPayment(jobs.bench.ports).book(queried: trade)
        expect(.paidOrders, "starter", 1, at: now)
        expect(.revenueFen, "starter", 100, at: now)
    }

    /// An evening in Shanghai, over midnight into an open hour.
    mutating func evening() async throws {
        try await ask(times: 2)
        try await refuse()
        jobs.bench.clock.advance(milliseconds: 50 * 60_000)
        try await ask(times: 1)
        try await order(isPaid: true)
        try await order(isPaid: false)
        jobs.bench.clock.advance(milliseconds: 3 * 3_600_000)
        try await ask(times: 1)
        try await order(isPaid: true)
        try await refuse()
    }

    func stored() async throws -> [Figure: Int64] {
        try await jobs.bench.store.read { tx in
            var stored: [Figure: Int64] = [:]
            for resolution in RollupResolution.allCases {
                let points = try tx.analytics.points(
                    resolution: resolution, from: Timestamp(milliseconds: 0),
                    until: Timestamp(milliseconds: .max), limit: 10_000)
                for point in points {
                    let figure = Figure(
                        resolution: resolution, periodStart: point.periodStart,
                        metric: point.metric, dimension: point.dimension)
                    stored[figure] = point.value
                }
            }
            return stored
        }
    }

    func expectFigures(
        _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        #expect(try await stored() == expected, comment, sourceLocation: sourceLocation)
    }
}

@Suite struct MetricRollupTests {
    private static let policy = ServicePolicy(trialCallsPerDay: 1_000)

    @Test func `The figures are those of counting by hand, the open hour and day included`()
        async throws
    {
        try await JobsBench.with(policy: Self.policy) { jobs in
            var business = try await Business(jobs)
            try await business.evening()
            #expect(try await business.stored().isEmpty)
            #expect(try await jobs.run("metric-rollup").state == .succeeded)
            try await business.expectFigures()
            // Two days of Shanghai and three hours, all with figures.
            #expect(Set(business.expected.keys.map { [$0.periodStart: $0.resolution] }).count == 5)
        }
    }

    @Test func `A re-run replaces, and takes what came meanwhile or late`() async throws {
        try await JobsBench.with(policy: Self.policy) { jobs in
            var business = try await Business(jobs)
            try await business.evening()
            try await jobs.run("metric-rollup")
            try await jobs.run("metric-rollup")
            try await business.expectFigures("the same again")
            jobs.bench.clock.advance(milliseconds: 60_000)
            try await business.ask(times: 3)
            try await business.refuse(millisecondsAgo: 29 * 60_000)
            try await jobs.run("metric-rollup")
            try await business.expectFigures("with late rows")
            jobs.bench.clock.advance(milliseconds: 5 * 3_600_000)
            try await business.order(isPaid: true)
            try await jobs.run("metric-rollup")
            try await business.expectFigures("after hours without a run")
        }
    }

    @Test func `Killed before any of its writes, the next run ends at the same figures`()
        async throws
    {
        var number = 0
        var isWhole = false
        while !isWhole {
            number += 1
            isWhole = try await runAndKill(atWrite: number)
        }
        // Register, lease, four hours at least, two days, checkpoint, end.
        #expect(number > 9)
    }

    /// Kills a run at one of its writes; whether it had fewer.
    private func runAndKill(atWrite number: Int) async throws -> Bool {
        var isWhole = false
        try await JobsBench.with(policy: Self.policy) { jobs in
            var business = try await Business(jobs)
            try await business.evening()
            let cut = CutStore(jobs.bench.store) { $0 >= number }
            let result = try? await jobs.run("metric-rollup", over: cut)
            isWhole = result?.state == .succeeded && cut.writes < number
            #expect(isWhole == (cut.writes < number))
            let next = try await jobs.takeOver("metric-rollup")
            #expect(next?.state == .succeeded)
            try await business.expectFigures("killed at write \(number)")
            let checkpoint = try await jobs.bench.store.read { tx in
                try tx.jobs.checkpoint(of: "metric-rollup")
            }
            #expect(checkpoint == jobs.bench.clock.now().milliseconds)
        }
        return isWhole
    }

    @Test func `After a long stop several runs catch up, hours and days alike`() async throws {
        try await JobsBench.with(policy: Self.policy) { jobs in
            var business = try await Business(jobs)
            try await business.evening()
            jobs.bench.clock.advance(milliseconds: 3 * 86_400_000)
            try await business.evening()
            let definitions = jobs.standard(rollupHoursPerRun: 24)
            for _ in 0..<4 {
                _ = try await jobs.scheduler(definitions).runNow("metric-rollup")
            }
            try await business.expectFigures()
        }
    }

    @Test func `With the clock set back the figures stay right`() async throws {
        try await JobsBench.with(policy: Self.policy) { jobs in
            var business = try await Business(jobs)
            try await business.evening()
            try await jobs.run("metric-rollup")
            jobs.bench.clock.advance(milliseconds: -2 * 3_600_000)
            try await business.ask(times: 2)
            try await jobs.run("metric-rollup")
            try await business.expectFigures()
        }
    }
}
