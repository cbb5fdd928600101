import Accounts
import Analytics
import Application
import Auth
import Chat
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Which questions a replica answers: a second schema stands in for one, with rows of its own.
@Suite(.enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLReplicaTests {
    private func fill(_ store: any OpenedStore, _ name: String) async throws {
        try await store.write { tx in
            let hour = RollupResolution.hour.start(of: start)
            try tx.analytics.replace(
                [RollupPoint(periodStart: hour, metric: .chats, dimension: name, value: 1)],
                resolution: .hour, periodStart: hour)
            try tx.operations.insert(
                Incident(
                    key: name, kind: .undeliverableMessage, reference: "", summary: "", at: start))
            try tx.jobs.insertIfNew(
                JobRecord(
                    name: name, nextDueAt: start, fencingToken: 0, holder: "", heartbeat: 0))
        }
    }

    /// Rows of one person, and two acts.
    private func live(_ store: any OpenedStore, _ owner: AccountID, _ name: String) async throws {
        try await store.write { tx in
            if try tx.accounts.account(owner) == nil {
                try tx.accounts.insert(account(owner.rawValue), openID: "openid-\(owner)")
            }
            for number in 1...2 as ClosedRange<Int64> {
                var one = order(number, of: owner.rawValue)
                one.productName = name
                try tx.orders.insert(one)
                try tx.adminLog.insert(
                    AdminAct(
                        id: AdminActID(rawValue: number), key: "\(number)", kind: .accountFrozen,
                        by: ActedBy(
                            credential: "admin", person: "ann", reason: name, correlationID: 7),
                        object: "\(owner)", before: "active", after: "frozen", at: start))
            }
            try tx.chat.insertRefusal(
                account: owner, model: ModelName(rawValue: name), code: .quotaExhausted, at: start)
            try tx.outbox.insert(
                OutboxMessage(
                    id: OutboxID(rawValue: 1), kind: .creditsArrived, account: owner,
                    values: ["product": name], state: .sent, attempts: 0, nextAttemptAt: start,
                    createdAt: start))
        }
    }

    @Test func itAnswersNoPageOfAListAndNothingOfAnExport() async throws {
        let behind = try TemporarySchema()
        let stale = try await behind.open()
        let schema = try TemporarySchema()
        let store = try await schema.open(
            replica: behind.server.address(schema: behind.name, application: "replica"))
        let bench = try TestBench(over: store)
        let person = try await bench.signIn()
        let owner = person.session.account
        try await live(stale, owner, "stale")
        try await live(store, owner, "fresh")
        // Pages of one list are of one history, lest rows between them are lost.
        let queries = AccountQueries(bench.ports)
        let newest = try await queries.orders(of: owner, before: nil, limit: 1)
        #expect(newest.map(\.productName) == ["fresh"])
        let older = try await queries.orders(of: owner, before: newest.first?.id, limit: 9)
        #expect(older.map(\.productName) == ["fresh"])
        let administration = Administration(bench.ports)
        let acts = try await administration.acts(before: nil, limit: 1)
        #expect(acts.map(\.by.reason) == ["fresh"])
        let before = try await administration.acts(before: acts.first?.id, limit: 9)
        #expect(before.map(\.by.reason) == ["fresh"])
        var told: [String] = []
        var place: String?
        repeat {
            let page = try await ExportAccount(bench.ports).page(after: place, for: person.token)
            place = page.next
            switch page.rows {
            case .orders(let rows): told += rows.map { "order \($0.order.productName)" }
            case .refusals(let rows): told += rows.map { "refusal \($0.model)" }
            case .messages(let rows): told += rows.map { "message \($0.values["product"] ?? "")" }
            case .loginSessions(let rows): told += rows.map { "session \($0.device)" }
            case .account, .trialDays, .movements, .calls, .apiKeys: break
            }
        } while place != nil
        #expect(
            told == [
                "order fresh", "order fresh", "refusal fresh", "session test", "message fresh",
            ])
        await store.close()
        await stale.close()
        try schema.remove()
        try behind.remove()
    }

    /// A job's row as a run left it, and a refusal that its figures are counted from.
    func refuse(
        _ code: Failure.Code, _ store: any OpenedStore, token: Int64
    ) async throws {
        try await store.write { tx in
            if try tx.accounts.account(AccountID(rawValue: 1)) == nil {
                try tx.accounts.insert(account(), openID: "openid-1")
            }
            try tx.jobs.insertIfNew(
                JobRecord(
                    name: "metric-rollup", nextDueAt: start, fencingToken: token, holder: "one",
                    heartbeat: 0))
            try tx.chat.insertRefusal(
                account: AccountID(rawValue: 1), model: ModelName(rawValue: "m"), code: code,
                at: start)
        }
    }

    /// The refusals that a run under a lease counted, and so stored.
    func counted(
        _ store: any OpenedStore, token: Int64
    ) async throws -> [String] {
        let sweeps = Sweeps(try ports(store))
        _ = try await sweeps.rollUp(
            RollupPeriod(.hour, containing: start),
            fence: JobFence(job: "metric-rollup", fencingToken: token))
        return try await store.read { tx in
            try tx.analytics.points(
                resolution: .hour, from: Timestamp(milliseconds: 0), until: .after(1), limit: 9
            ).filter { $0.metric == .refusals }.map(\.dimension)
        }
    }

    /// Replicas replay in order: who has the lease has all that was there when the run began.
    @Test func itCountsWhatItsRunsLeaseHasReached() async throws {
        let behind = try TemporarySchema()
        let stale = try await behind.open()
        let schema = try TemporarySchema()
        let store = try await schema.open(
            replica: behind.server.address(schema: behind.name, application: "replica"))
        try await refuse(.quotaExhausted, stale, token: 4)
        try await refuse(.contentRefused, store, token: 5)
        // It lags: it does not know the run.
        #expect(try await counted(store, token: 5) == ["content_refused"])
        try await advance(stale, to: 5)
        #expect(try await counted(store, token: 5) == ["quota_exhausted"])
        // It is ahead of a run that has lost its lease, which keeps nothing of either.
        try await advance(store, to: 6)
        for token in 5...6 as ClosedRange<Int64> {
            try await advance(stale, to: token)
            #expect(
                await Ending { _ = try await counted(store, token: 5) }
                    == .store("fenced: the lease of metric-rollup was taken over"))
        }
        #expect(try await counted(store, token: 6) == ["quota_exhausted"])
        await store.close()
        // Without a replica the primary counts.
        let alone = try await schema.open()
        #expect(try await counted(alone, token: 6) == ["content_refused"])
        await alone.close()
        await stale.close()
        try schema.remove()
        try behind.remove()
    }

    /// Another lease is taken.
    func advance(_ store: any OpenedStore, to token: Int64) async throws {
        try await store.write { tx in
            guard let held = try tx.jobs.job("metric-rollup"), held.fencingToken < token else {
                return
            }
            var taken = held
            taken.fencingToken = token
            try tx.jobs.save(taken, replacing: held)
        }
    }

    @Test func itAnswersFiguresIncidentsAndDryRunsAndNoJobsOrAudits() async throws {
        let behind = try TemporarySchema()
        let stale = try await behind.open()
        try await fill(stale, "stale")
        let schema = try TemporarySchema()
        let store = try await schema.open(
            replica: behind.server.address(schema: behind.name, application: "replica"))
        try await fill(store, "fresh")
        let queries = OperatorQueries(try ports(store))
        let points = try await queries.metrics(
            .hour, from: Timestamp(milliseconds: 0), until: .after(1))
        #expect(points.map(\.dimension) == ["stale"])
        #expect(try await queries.incidents(limit: 9).map(\.key) == ["stale"])
        try await stale.write { tx in
            _ = try tx.orders.insertNotification(
                id: "old", outTradeNumber: "trade", at: Timestamp(milliseconds: 0))
        }
        let retention = Retention(try ports(store), rollupJob: "metric-rollup")
        #expect(try await retention.count(.paymentNotifications, limit: 9) == 1)
        #expect(try await Array(queries.jobs().keys) == ["fresh"])
        #expect(try await queries.audit().allSatisfy { $0.violationCount == 0 })
        await store.close()
        await stale.close()
        try schema.remove()
        try behind.remove()
    }
}
