import Application
import Foundation
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Who follows a PostgreSQL server and is a standby, and who only follows.
@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLStandbyTests {
    @Test
    func `who copies rows, keeps the log or makes a backup is no standby, and one who replays is`()
        async throws
    {
        try await FollowedServer.with { followed in
            try followed.server.run(
                """
                CREATE ROLE plain LOGIN;
                CREATE PUBLICATION everything FOR ALL TABLES;
                SELECT pg_create_logical_replication_slot('copy', 'pgoutput')
                """)
            try followed.follow(
                "pg_recvlogical",
                [
                    "-d", "postgres", "--slot=copy", "--start", "--no-loop", "--file=/dev/null",
                    "-o", "proto_version=1", "-o", "publication_names=everything",
                ])
            let kept = "\(followed.folder)/log-kept"
            try FileManager.default.createDirectory(
                atPath: kept, withIntermediateDirectories: false)
            // Afterwards, so that no mask takes off what the server's user needs.
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: kept)
            try followed.follow("pg_receivewal", ["-D", kept, "--no-loop"])
            try followed.follow(
                "pg_basebackup",
                [
                    "-D", "\(followed.folder)/backup", "--wal-method=stream", "--checkpoint=fast",
                    "--max-rate=32k",
                ])
            // The backup follows twice: once for its files, once for the log meanwhile.
            #expect(try await eventually { try followed.follow(1, where: "state = 'backup'") })
            #expect(try await eventually { try followed.follow(3, where: "state = 'streaming'") })
            for user in ["postgres", "plain"] { #expect(try followed.standbys(seenBy: user) == 0) }
            #expect(try await followed.sendAway("pg_basebackup"))
            try await followed.copyForStandby()
            try followed.startStandby()
            // Of all who follow, it alone tells that it replays.
            #expect(
                try await eventually { try followed.follow(1, where: "replay_lsn IS NOT NULL") })
            #expect(try followed.follow(3, where: "state = 'streaming'"))
            for user in ["postgres", "plain"] { #expect(try followed.standbys(seenBy: user) == 1) }
        }
    }

    // MARK: A standby that answers

    /// Who is asked: the standby tells that it replays.
    private static let whoAnswers = SQL("SELECT pg_is_in_recovery()")

    private func isStandby(
        _ store: PostgreSQLStore, _ freshness: ReadFreshness
    ) async throws -> Bool {
        try await store.read(freshness) { tx in
            try connection(tx).first(Self.whoAnswers) { $0.integer(0) } == 1
        }
    }

    private func report(_ key: String, _ store: PostgreSQLStore) async throws {
        try await store.write { tx in
            #expect(try connection(tx).first(Self.whoAnswers) { $0.integer(0) } == 0)
            try tx.operations.insert(
                Incident(
                    key: key, kind: .undeliverableMessage, reference: "", summary: "", at: start))
        }
    }

    private func incidents(_ store: PostgreSQLStore) async throws -> [String] {
        try await OperatorQueries(try ports(store)).incidents(limit: 9).map(\.key).sorted()
    }

    @Test func `a standby answers what may be old, and the primary what the standby cannot`()
        async throws
    {
        try await FollowedServer.with { followed in
            try await followed.copyForStandby()
            let standby = try followed.startStandby()
            #expect(try await eventually { followed.tellStandby("SELECT pg_wal_replay_pause()") })
            let schema = try TemporarySchema(on: followed.server)
            let store = try await schema.open(
                replica: followed.standbyAddress(schema: schema.name))
            try await report("a", store)
            // It has not come to the schema.
            #expect(try await isStandby(store, .stale))
            #expect(try await incidents(store) == ["a"])
            #expect(followed.tellStandby("SELECT pg_wal_replay_resume()"))
            // It has: what comes while it stands still, it does not know.
            #expect(
                try await eventually {
                    followed.tellStandby("SELECT 1 / COUNT(*) FROM \(schema.name).incidents")
                })
            #expect(followed.tellStandby("SELECT pg_wal_replay_pause()"))
            try await report("b", store)
            #expect(try await incidents(store) == ["a"])
            #expect(try await !isStandby(store, .fresh))
            // Nor does it know of the lease that a run counts under: the primary counts.
            let runs = PostgreSQLReplicaTests()
            try await runs.refuse(.quotaExhausted, store, token: 5)
            #expect(try await runs.counted(store, token: 5) == ["quota_exhausted"])
            #expect(followed.tellStandby("SELECT pg_wal_replay_resume()"))
            #expect(try await eventually { try await incidents(store) == ["a", "b"] })
            #expect(try await isStandby(store, .stale))
            // It goes, and comes back.
            standby.interrupt()
            #expect(try await eventually { !followed.tellStandby("SELECT 1") })
            #expect(try await !isStandby(store, .stale))
            #expect(try await incidents(store) == ["a", "b"])
            // What a replica fails in is no failure of the store.
            if case .failing(let reason) = store.health { Issue.record("\(reason)") }
            try followed.startStandby()
            #expect(try await eventually { try await isStandby(store, .stale) })
            await store.close()
        }
    }

    @Test func `nothing is written to a standby, wherever it stands in the address`() async throws {
        try await FollowedServer.with { followed in
            let schema = try TemporarySchema(on: followed.server)
            await (try schema.open()).close()
            try await followed.copyForStandby()
            try followed.startStandby()
            #expect(try await eventually { followed.tellStandby("SELECT 1") })
            func open(_ hosts: String, role: StoreRole) async throws -> PostgreSQLStore {
                try await PostgreSQLStore.open(
                    PostgreSQLTarget(
                        "postgres://postgres@/postgres?host=\(hosts)&port=\(followed.server.port)"
                            + "&options=-csearch_path%3D\(schema.name)"),
                    realm: .sandbox, role: role,
                    clock: FixedClock(milliseconds: 1_000_000), clockLimits: .none)
            }
            let alone = "\(followed.folder)/standby"
            for role in [StoreRole.serve, .jobs] {
                let refusal = await #expect(throws: StoreRefusal.self) {
                    try await open(alone, role: role).close()
                }
                #expect("\(String(describing: refusal))".contains("session is read-only"))
            }
            let store = try await open("\(alone),127.0.0.1", role: .serve)
            try await report("a", store)
            #expect(try await incidents(store) == ["a"])
            #expect(try await !isStandby(store, .fresh))
            // Without a replica of its own the store asks one server alone.
            #expect(try await !isStandby(store, .stale))
            await store.close()
        }
    }
}
