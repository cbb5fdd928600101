import Application
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// What is waited for on PostgreSQL has an end: standbys, connections, replicas that catch up.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLWaitingTests {
    @Test func aStandbyThatIsGoneLeavesOutcomesUnknownAndBlocksNobodyForLong() async throws {
        let server = try PostgresServer()
        defer { server.end() }
        let schema = try TemporarySchema(on: server)
        var patience = PostgreSQLPatience()
        patience.statementMilliseconds = 500
        patience.probeMilliseconds = 300
        patience.settleMilliseconds = 1_000
        let store = try await schema.open(patience: patience)
        try await store.write { tx in try tx.pushes.insert(push("before")) }
        try await loseStandby(of: server)
        let ending = await Ending {
            try await store.write { tx in try tx.pushes.insert(push("doubtful")) }
        }
        #expect(ending == .failure(.unknownOutcome))
        // psql would wait for the standby too.
        try server.run(
            "SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names")
        try server.run("SELECT pg_reload_conf()")
        #expect(
            try await eventually {
                await Ending {
                    try await store.write { tx in try tx.pushes.insert(push("after")) }
                } == .value
            })
        #expect(try await store.hasPush("after"))
        await store.close()
    }

    /// Who ends the wait has the server answer the COMMIT, with a warning beside it.
    @Test func `a COMMIT that its standby did not confirm is not told as kept`() async throws {
        let server = try PostgresServer()
        defer { server.end() }
        let schema = try TemporarySchema(on: server)
        var patience = PostgreSQLPatience()
        patience.probeMilliseconds = 300
        patience.settleMilliseconds = 1_000
        let store = try await schema.open(patience: patience)
        try await loseStandby(of: server)
        async let ending = Ending {
            try await store.write { tx in try tx.pushes.insert(push("unconfirmed")) }
        }
        let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        #expect(try await eventually { try server.run("SELECT COUNT(*) \(waiting)") == "1" })
        #expect(try server.run("SELECT pg_cancel_backend(pid) \(waiting)") == "t")
        #expect(await ending == .failure(.unknownOutcome))
        await store.close()
    }

    /// Has a server wait with each COMMIT for a standby that is nowhere.
    private func loseStandby(of server: PostgresServer) async throws {
        try server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        try server.run("SELECT pg_reload_conf()")
        let setting = "SELECT current_setting('synchronous_standby_names')"
        #expect(try await eventually { try server.run(setting) == "nobody" })
    }

    @Test func whoWaitsTooLongForAConnectionIsToldWhileAllAreTakenUp() async throws {
        let schema = try TemporarySchema()
        var patience = PostgreSQLPatience()
        patience.queueMilliseconds = 200
        let store = try await schema.open(patience: patience)
        let gates = (0..<Limits.storeWriterConnections).map { _ in Gate() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for gate in gates {
                group.addTask { try await store.write { _ in gate.hold() } }
                try await gate.waitUntilHeld()
            }
            for _ in 0..<3 {
                let ending = await Ending { try await store.write { _ in } }
                #expect(ending == .failure(.unavailable))
            }
            #expect(store.backlog == 0)
            for gate in gates { gate.open() }
            try await group.waitForAll()
        }
        try await store.write { tx in try tx.pushes.insert(push("later")) }
        await store.close()
        try schema.remove()
    }

    /// The application's name of the session that a transaction runs in.
    private func session(_ tx: any Transaction) throws -> String {
        let name = SQL("SELECT current_setting('application_name')")
        return try connection(tx).first(name) { row in row.text(0) } ?? ""
    }

    /// What a replica says when it has to clear away rows that a read still needs.
    private func conflict(_ tx: any Transaction) throws {
        try connection(tx).execute(
            "DO $$ BEGIN RAISE EXCEPTION 'conflict with recovery' USING ERRCODE = '40001'; END $$")
    }

    @Test func aReadThatAReplicaUndoesRunsAgainThere() async throws {
        let schema = try TemporarySchema()
        let replica = schema.server.address(schema: schema.name, application: "replica")
        let store = try await schema.open(application: "primary", replica: replica)
        let runs = Tally()
        let place = try await store.read(.stale) { tx in
            if runs.next() == 1 { try conflict(tx) }
            return try session(tx)
        }
        #expect(place == "replica")
        #expect(runs.value == 2)
        await store.close()
        try schema.remove()
    }

    @Test func whatAReplicaKeepsUndoingThePrimaryAnswers() async throws {
        let schema = try TemporarySchema()
        let replica = schema.server.address(schema: schema.name, application: "replica")
        let store = try await schema.open(application: "primary", replica: replica)
        let runs = Tally()
        let place = try await store.read(.stale) { tx in
            runs.add()
            let place = try session(tx)
            if place == "replica" { try conflict(tx) }
            return place
        }
        #expect(place == "primary")
        #expect(runs.value == Limits.storeReadAttempts + 1)
        await store.close()
        try schema.remove()
    }

    @Test func thePrimaryAnswersForAReplicaThatIsGone() async throws {
        let schema = try TemporarySchema()
        // Nobody listens on port 1.
        let store = try await schema.open(
            application: "primary", replica: "postgres://postgres@127.0.0.1:1/postgres")
        for _ in 0..<3 {
            let place = try await store.read(.stale) { tx in try session(tx) }
            #expect(place == "primary")
        }
        #expect(store.health == .writable)
        await store.close()
        try schema.remove()
    }
}
