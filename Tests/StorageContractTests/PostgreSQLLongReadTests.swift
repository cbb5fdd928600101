import Application
import Dispatch
import Foundation
import Glibc
import Operations
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// What ends an audit on PostgreSQL: its one deadline, its caller's leaving, the store's end.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLLongReadTests {
    /// A store whose every statement over lots takes so long.
    private struct Slow {
        let schema: TemporarySchema
        let store: PostgreSQLStore

        /// Ends an audit, with another word, that nothing else has ended by then.
        private static var halfAMinute: PostgreSQLPatience {
            var patience = PostgreSQLPatience()
            patience.auditMilliseconds = 30_000
            return patience
        }

        init(
            seconds: Double, _ patience: PostgreSQLPatience = Slow.halfAMinute,
            on server: PostgresServer? = nil
        ) async throws {
            schema = try TemporarySchema(on: server)
            store = try await schema.open(application: schema.name, patience: patience)
            try await AuditTests.liveIn(store)
            try schema.server.run(
                """
                ALTER TABLE lots RENAME TO quick_lots;
                CREATE VIEW lots AS SELECT quick_lots.* FROM quick_lots, pg_sleep(\(seconds))
                """, schema: schema.name)
        }

        func audit() async -> Ending {
            await Ending { _ = try await store.read { tx in try tx.operations.audit() } }
        }

        /// Whether the server is at such a statement of this store.
        func isAsleep() throws -> Bool {
            let sleeping = try schema.server.run(
                """
                SELECT COUNT(*) FROM pg_stat_activity
                WHERE application_name = '\(schema.name)' AND wait_event = 'PgSleep'
                """)
            return sleeping != "0"
        }
    }

    @Test func `all statements of an audit have one deadline`() async throws {
        var patience = PostgreSQLPatience()
        // More than one of them takes, and less than all of them together.
        patience.auditMilliseconds = 1_200
        let slow = try await Slow(seconds: 0.7, patience)
        #expect(await slow.audit() == .failure(.deadlineExceeded))
        #expect(try !slow.isAsleep())
        // The same connection goes on.
        #expect(try await !slow.store.hasPush("none"))
        await slow.store.close()
        try slow.schema.remove()
    }

    @Test func `a statement that outlasts the deadline is cancelled at the server`() async throws {
        var patience = PostgreSQLPatience()
        patience.auditMilliseconds = 600
        let slow = try await Slow(seconds: 100, patience)
        let began = ContinuousClock.now
        #expect(await slow.audit() == .failure(.deadlineExceeded))
        #expect(ContinuousClock.now - began < .seconds(20))
        #expect(try !slow.isAsleep())
        await slow.store.close()
        try slow.schema.remove()
    }

    @Test func `an audit whose caller leaves is cancelled at the server`() async throws {
        let slow = try await Slow(seconds: 100)
        let ending = try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask { await slow.audit() }
            #expect(try await eventually { try slow.isAsleep() })
            group.cancelAll()
            return try await group.next()
        }
        #expect(ending == .failure(.cancelled))
        #expect(try !slow.isAsleep())
        #expect(try await !slow.store.hasPush("none"))
        await slow.store.close()
        try slow.schema.remove()
    }

    @Test func `a store that closes waits for no audit`() async throws {
        let slow = try await Slow(seconds: 100)
        async let ending = slow.audit()
        #expect(try await eventually { try slow.isAsleep() })
        let began = ContinuousClock.now
        await slow.store.close()
        #expect(ContinuousClock.now - began < .seconds(20))
        #expect(await ending == .failure(.unavailable))
        #expect(try !slow.isAsleep())
        try slow.schema.remove()
    }

    @Test func `a store closes also where nobody takes the request to stop`() async throws {
        let server = try PostgresServer()
        let slow = try await Slow(seconds: 100, on: server)
        let file = try String(
            contentsOfFile: "\(server.folder)/data/postmaster.pid", encoding: .utf8)
        // The kernel takes connections for a process that is stopped, and nobody answers them.
        let postmaster = try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
        async let ending = slow.audit()
        #expect(try await eventually { try slow.isAsleep() })
        #expect(kill(postmaster, SIGSTOP) == 0)
        let began = ContinuousClock.now
        await slow.store.close()
        let took = ContinuousClock.now - began
        #expect(kill(postmaster, SIGCONT) == 0)
        #expect(took < .seconds(60))
        #expect(await ending == .failure(.unavailable))
        server.end()
    }

    /// What takes the requests is stopped, so that each stays under way.
    @Test func `so many requests to stop are under way at once, and a further one is not made`()
        async throws
    {
        let server = try PostgresServer()
        let file = try String(
            contentsOfFile: "\(server.folder)/data/postmaster.pid", encoding: .utf8)
        let postmaster = try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
        let session = try PostgreSQLConnection(
            PostgreSQLTarget(server.address(schema: "public")), waitMilliseconds: 60_000)
        func request(_ session: PostgreSQLConnection) throws -> PostgreSQLCancelRequest {
            try #require(session.cancelRequest)
        }
        #expect(try request(session).send(waitMilliseconds: 60_000))
        #expect(kill(postmaster, SIGSTOP) == 0)
        for _ in 0..<Limits.storeCancelRequests {
            #expect(try !request(session).send(waitMilliseconds: 1))
        }
        // It would wait for longer than this test does.
        let further = try request(session)
        let answer = Mutex<Bool?>(nil)
        DispatchQueue(label: "further").async {
            let isOver = further.send(waitMilliseconds: 600_000)
            answer.withLock { $0 = isOver }
        }
        #expect(try await eventually { answer.withLock { $0 } == false })
        // Who is refused takes no place, however often.
        for _ in 0...Limits.storeCancelRequests {
            #expect(try !request(session).send(waitMilliseconds: 1))
        }
        #expect(kill(postmaster, SIGCONT) == 0)
        // Those that have ended make room.
        var isTaken = false
        for _ in 0..<1_000 where !isTaken {
            isTaken = try request(session).send(waitMilliseconds: 60_000)
            pause(milliseconds: 10)
        }
        #expect(isTaken)
        server.end()
    }

    @Test func `other reads are not ended by their callers' leaving`() async throws {
        let slow = try await Slow(seconds: 0.5)
        let ending = try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask {
                await Ending {
                    _ = try await slow.store.read { tx in
                        try connection(tx).all(SQL("SELECT id FROM lots")) { $0.integer(0) }
                    }
                }
            }
            #expect(try await eventually { try slow.isAsleep() })
            group.cancelAll()
            return try await group.next()
        }
        #expect(ending == .value)
        await slow.store.close()
        try slow.schema.remove()
    }
}
