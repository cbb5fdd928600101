import Analytics
import Application
import Operations
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

    @Test func itAnswersFiguresAndIncidentsAndNothingElse() async throws {
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
        #expect(try await Array(queries.jobs().keys) == ["fresh"])
        #expect(try await queries.audit().allSatisfy { $0.violationCount == 0 })
        await store.close()
        await stale.close()
        try schema.remove()
        try behind.remove()
    }
}
