import Accounts
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

@Suite struct RetentionJobTests {
    private static let year: Int64 = 400 * 86_400_000

    /// A chat, a refusal, a paid order and its message: of each kind of row one.
    private func live(_ jobs: JobsBench) async throws -> SignIn.SignedIn {
        let bench = jobs.bench
        let mine = try await bench.signIn()
        try await bench.withSettlements { settlements in
            try await AnswerQuestion(
                bench.ports, catalogue: bench.catalogue, gateway: ScriptedModels(),
                vault: bench.vault, settlements: settlements, heavyWork: CountedWork()
            ).answer(
                Question(
                    caller: .session(mine.token), model: "m",
                    turns: [ChatMessage(role: .user, content: "hello")], maxTokens: 64,
                    requestID: "r1")
            ) { _ in }
        }
        let now = bench.clock.now()
        try await bench.store.write { tx in
            for _ in 0..<3 {
                try tx.chat.insertRefusal(
                    account: mine.session.account, model: ModelName(rawValue: "m"),
                    code: .rateLimited, at: now)
            }
            _ = try tx.orders.insertNotification(id: "EV", outTradeNumber: "T", at: now)
            try tx.operations.insert(
                Incident(
                    key: "k", kind: .undeliverableMessage, reference: "", summary: "", at: now))
            try tx.outbox.insert(
                OutboxMessage(
                    id: OutboxID(rawValue: 1), kind: .creditsArrived,
                    account: mine.session.account, values: [:], state: .sent, attempts: 0,
                    nextAttemptAt: now, createdAt: now))
        }
        // A process of jobs that writes once and is gone.
        let other = try await SQLiteStore.open(
            folder: bench.folder, realm: .sandbox, role: .jobs, clock: bench.clock)
        try await other.write { tx in
            _ = try tx.orders.insertNotification(id: "EV2", outTradeNumber: "T2", at: now)
        }
        await other.close()
        let keys = APIKeys(bench.ports)
        let key = try await keys.create(
            APIKeys.Wish(name: "robot"), for: mine.session.account
        ).key
        _ = try await keys.revoke(key.id, of: mine.session.account)
        return mine
    }

    private func points(_ jobs: JobsBench, _ resolution: RollupResolution) async throws
        -> [RollupPoint]
    {
        try await jobs.bench.store.read { tx in
            try tx.analytics.points(
                resolution: resolution, from: Timestamp(milliseconds: 0),
                until: Timestamp(milliseconds: .max), limit: 1_000)
        }
    }

    private func removed(_ run: JobRun, _ jobs: JobsBench) async throws -> Set<String> {
        #expect(run.state == .succeeded)
        return Set(try await jobs.items(of: run).map(\.reference))
    }

    @Test func `What is old goes once it is counted; figures, books and history stay`()
        async throws
    {
        try await JobsBench.with { jobs in
            let mine = try await live(jobs)
            #expect(try await jobs.run("retention").summary == "no old rows")
            jobs.bench.clock.advance(milliseconds: Self.year + 2 * 86_400_000)
            // Nobody has counted usage and refusals yet: they stay.
            #expect(
                try await removed(jobs.run("retention"), jobs) == [
                    "payment_notifications", "incidents", "messages", "api_keys",
                    "write_attempts",
                ])
            let counting = jobs.standard(rollupHoursPerRun: 24)
            _ = try await jobs.scheduler(counting).runNow("metric-rollup")
            let days = try await points(jobs, .day)
            #expect(days.contains { $0.metric == .refusals && $0.value == 3 })
            #expect(days.contains { $0.metric == .chats && $0.value == 1 })
            // The rollup has come as far as now.
            let now = jobs.bench.clock.now()
            try await jobs.bench.store.write { tx in
                try tx.jobs.saveCheckpoint(now.milliseconds, of: "metric-rollup")
            }
            let hours = try await points(jobs, .hour).count
            let preview = try await jobs.scheduler(jobs.standard()).preview("retention")
            #expect(preview.summary == "\(2 + hours) old rows would be removed")
            let second = try await jobs.run("retention")
            #expect(
                try await removed(second, jobs) == ["refusals", "usage_records", "hourly_figures"])
            #expect(second.itemsDone == Int64(2 + hours))
            // Counting again takes nothing away from what was counted.
            try await jobs.run("metric-rollup")
            #expect(try await points(jobs, .day) == days)
            #expect(try await points(jobs, .hour) == [])
            #expect(try await jobs.run("retention").summary == "no old rows")
            // The call is told as ever; the session it was made with is over by now.
            let again = try await jobs.bench.signIn()
            #expect(again.session.account == mine.session.account)
            var cursor: String?
            var calls = 0
            repeat {
                let page = try await ExportAccount(jobs.bench.ports)
                    .page(after: cursor, for: again.token)
                if case .calls(let told) = page.rows { calls += told.count }
                cursor = page.next
            } while cursor != nil
            #expect(calls == 1)
        }
    }

    @Test func `What a rollup will count again stays, however old`() async throws {
        try await JobsBench.with { jobs in
            _ = try await live(jobs)
            try await jobs.run("metric-rollup")
            // The rollup stands still for more than a year.
            jobs.bench.clock.advance(milliseconds: Self.year + 2 * 86_400_000)
            let kinds = try await removed(jobs.run("retention"), jobs)
            #expect(kinds.isDisjoint(with: ["refusals", "usage_records"]))
            let counting = jobs.standard(rollupHoursPerRun: 24)
            _ = try await jobs.scheduler(counting).runNow("metric-rollup")
            let figures = try await points(jobs, .day)
            #expect(figures.contains { $0.metric == .refusals && $0.value == 3 })
            #expect(figures.contains { $0.metric == .chats && $0.value == 1 })
        }
    }

    @Test func `However much has gathered goes in one run, and who lost the lease removes nothing`()
        async throws
    {
        try await JobsBench.with { jobs in
            let now = jobs.bench.clock.now()
            let count = 2 * Limits.rowsPerJobTransaction + 7
            try await jobs.bench.store.write { tx in
                for number in 0..<count {
                    _ = try tx.orders.insertNotification(
                        id: "EV-\(number)", outTradeNumber: "T", at: now)
                }
            }
            jobs.bench.clock.advance(milliseconds: Self.year)
            try await jobs.runner().register(jobs.standard())
            let stale = JobFence(job: "retention", fencingToken: 99)
            await #expect(throws: StoreError.fenced("the lease of retention was taken over")) {
                try await Retention(jobs.bench.ports, rollupJob: "metric-rollup")
                    .remove(.paymentNotifications, limit: 10, fence: stale)
            }
            let run = try await jobs.run("retention")
            #expect(run.itemsDone == Int64(count))
            #expect(run.summary == "\(count) old rows removed")
        }
    }
}
