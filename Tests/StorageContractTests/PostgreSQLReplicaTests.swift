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
