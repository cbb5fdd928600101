import Accounts
import Application
import Glibc
import Synchronization
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// What may go wrong between us and a PostgreSQL server, on a real one.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLFaultTests {
    private func withSchema(
        _ body: (TemporarySchema) async throws -> Void
    ) async throws {
        let schema = try TemporarySchema()
        try await body(schema)
        try schema.remove()
    }

    private func process(_ tx: any Transaction) throws -> Int32 {
        guard case .postgreSQL(let connection) = try connection(tx) else {
            throw StoreError.engine("another engine")
        }
        return connection.serverProcess
    }

    @Test func aWriteWhoseServerProcessIsKilledRunsAgain() async throws {
        try await withSchema { schema in
            let store = try await schema.open()
            let runs = Tally()
            try await store.write { tx in
                try tx.pushes.insert(push("survives"))
                if runs.next() == 1 {
                    try schema.server.run("SELECT pg_terminate_backend(\(process(tx)), 5000)")
                }
                try tx.pushes.setFollowing(openID: "o", true, at: start)
            }
            #expect(runs.value == 2)
            #expect(try await store.hasPush("survives"))
            #expect(store.health == .writable)
            await store.close()
        }
    }

    @Test func idleConnectionsThatDiedAreReplacedUnnoticed() async throws {
        try await withSchema { schema in
            let store = try await schema.open(application: schema.name)
            try await store.write { tx in try tx.pushes.insert(push("a")) }
            _ = try await store.hasPush("a")
            try schema.server.run(
                """
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE application_name = '\(schema.name)'
                """)
            #expect(try await store.hasPush("a"))
            try await store.write { tx in try tx.pushes.insert(push("b")) }
            #expect(try await store.hasPush("b"))
            await store.close()
        }
    }

    @Test(arguments: [CommitFault.Kind.beforeCommit, .afterCommit])
    func aCommitThatWasNotAnsweredIsSettledByItsNumber(_ kind: CommitFault.Kind) async throws {
        try await withSchema { schema in
            let store = try await schema.open(
                commitFault: CommitFault(kind: { $0 == 2 ? kind : nil }))
            try await store.write { tx in try tx.pushes.insert(push("first")) }
            let ending = await Ending {
                try await store.write { tx in try tx.pushes.insert(push("doubtful")) }
            }
            let isKept = try await store.hasPush("doubtful")
            #expect(isKept == (kind == .afterCommit))
            #expect(ending == (isKept ? .value : .failure(.unavailable)))
            await store.close()
        }
    }

    /// A trigger that runs inside COMMIT holds the server there while its process is killed.
    @Test func aServerProcessKilledInCommitLeavesNothingHalf() async throws {
        try await withSchema { schema in
            let store = try await schema.open(application: schema.name)
            try schema.server.run(
                """
                CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON received_pushes
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                WHEN (NEW.push_key = 'lingers') EXECUTE FUNCTION linger();
                """, schema: schema.name)
            async let ending = Ending {
                try await store.write { tx in try tx.pushes.insert(push("lingers")) }
            }
            let victim = """
                FROM pg_stat_activity WHERE application_name = '\(schema.name)'
                    AND query = 'COMMIT' AND state = 'active'
                """
            #expect(
                try await eventually {
                    try schema.server.run("SELECT COUNT(*) \(victim)") == "1"
                })
            try schema.server.run("SELECT pg_terminate_backend(pid, 5000) \(victim)")
            #expect(await ending == .failure(.unavailable))
            #expect(try await !store.hasPush("lingers"))
            try await store.write { tx in try tx.pushes.insert(push("next")) }
            #expect(try await store.hasPush("next"))
            await store.close()
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func anOutageThatOutlivesTheCommitLeavesItsOutcomeUnknown() async throws {
        try await withSchema { schema in
            let isGone = Mutex(false)
            let fault = CommitFault(
                kind: { commit in
                    guard commit == 1 else { return nil }
                    isGone.withLock { $0 = true }
                    return .afterCommit
                }, refusesReopening: { isGone.withLock { $0 } })
            var patience = PostgreSQLPatience()
            patience.settleMilliseconds = 1_000
            let store = try await schema.open(patience: patience, commitFault: fault)
            let ending = await Ending {
                try await store.write { tx in try tx.pushes.insert(push("unknown")) }
            }
            #expect(ending == .failure(.unknownOutcome))
            isGone.withLock { $0 = false }
            try await store.write { tx in try tx.pushes.insert(push("later")) }
            #expect(try await store.hasPush("unknown"))
            await store.close()
        }
    }

    @Test func twoWritersThatMeetBothSucceedOneAfterTheOther() async throws {
        try await withSchema { schema in
            let (one, two) = (try await schema.open(), try await schema.open())
            try await one.write { tx in try tx.accounts.insert(account(), openID: "o") }
            let runs = Tally()
            let together = Gathering(of: 2)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for store in [one, two] {
                    group.addTask {
                        try await store.write { tx in
                            runs.add()
                            let owner = AccountID(rawValue: 1)
                            let day = ShanghaiDay(start)
                            var trial = try tx.accounts.trialDay(of: owner, on: day)
                            // Both have read before one of them writes: 40001 for the other.
                            together.arrive()
                            trial.used += 1
                            try tx.accounts.save(trial)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let used = try await one.read { tx in
                try tx.accounts.trialDay(of: AccountID(rawValue: 1), on: ShanghaiDay(start)).used
            }
            #expect(used == 2)
            #expect(runs.value > 2)
            await one.close()
            await two.close()
        }
    }

    /// They write different rows: only what each has read is in the way.
    @Test func ofTwoWritersThatEachMissWhatTheOtherWritesOneLooksAgain() async throws {
        try await withSchema { schema in
            let (one, two) = (try await schema.open(), try await schema.open())
            let together = Gathering(of: 2)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (store, mine, theirs) in [(one, "a", "b"), (two, "b", "a")] {
                    group.addTask {
                        try await store.write { tx in
                            let isFirst = try tx.pushes.receivedPush(key: theirs) == nil
                            together.arrive()
                            if isFirst { try tx.pushes.insert(push(mine)) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let kept = [try await one.hasPush("a"), try await one.hasPush("b")]
            #expect(kept.count { $0 } == 1, "both were the first: \(kept)")
            await one.close()
            await two.close()
        }
    }

    /// It keeps the row of its session's number for as long as it stands.
    @Test(.timeLimit(.minutes(2)))
    func aServerProcessThatStandsStillIsInNobodysWay() async throws {
        try await withSchema { schema in
            var patience = PostgreSQLPatience()
            patience.statementMilliseconds = 500
            patience.probeMilliseconds = 300
            patience.settleMilliseconds = 1_000
            let store = try await schema.open(patience: patience)
            let stopped: Mutex<Int32?> = Mutex(nil)
            let ending = await Ending {
                try await store.write { tx in
                    try tx.pushes.insert(push("doubtful"))
                    let number = try process(tx)
                    #expect(kill(number, SIGSTOP) == 0)
                    stopped.withLock { $0 = number }
                }
            }
            // The session's next write, under another number.
            let next = await Ending {
                try await store.write { tx in try tx.pushes.insert(push("next")) }
            }
            if let number = stopped.withLock({ $0 }) { #expect(kill(number, SIGCONT) == 0) }
            #expect(ending == .failure(.unknownOutcome))
            #expect(next == .value)
            #expect(try await store.hasPush("next"))
            await store.close()
        }
    }

    @Test func aSwallowedFailureIsNoSuccess() async throws {
        try await withSchema { schema in
            let store = try await schema.open()
            let ending = await Ending {
                try await store.write { tx in
                    try tx.pushes.insert(push("twice"))
                    try? tx.pushes.insert(push("twice"))
                }
            }
            #expect(ending == .store("engine: a statement failed and its closure went on"))
            #expect(try await !store.hasPush("twice"))
            await store.close()
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func theServiceIsBackWhenTheServerIs() async throws {
        let server = try PostgresServer()
        defer { server.end() }
        let schema = try TemporarySchema(on: server)
        let store = try await schema.open()
        try await store.write { tx in try tx.pushes.insert(push("before")) }
        for command in ["stop", "crash"] {
            try server.tell(command)
            let ending = await Ending {
                try await store.write { tx in try tx.pushes.insert(push("lost")) }
            }
            #expect(ending == .failure(.unavailable))
            #expect(store.health != .writable)
            try server.tell("start")
            #expect(
                try await eventually {
                    await Ending {
                        try await store.write { tx in
                            try tx.pushes.insert(push("after \(command)"))
                        }
                    } == .value
                })
            #expect(store.health == .writable)
            #expect(try await store.hasPush("before"))
            #expect(try await store.hasPush("after \(command)"))
            #expect(try await !store.hasPush("lost"))
        }
        await store.close()
    }

    @Test func moreWorkThanConnectionsWaitsAndIsDone() async throws {
        try await withSchema { schema in
            let store = try await schema.open()
            let count = Limits.storeWriterConnections * 5
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<count {
                    group.addTask {
                        try await store.write { tx in
                            try tx.pushes.insert(push("\(index)"))
                            pause(milliseconds: 5)
                        }
                    }
                }
                try await group.waitForAll()
            }
            for index in 0..<count { #expect(try await store.hasPush("\(index)")) }
            await store.close()
        }
    }

    @Test func aFullQueueRefusesAtOnce() async throws {
        try await withSchema { schema in
            let store = try await schema.open()
            let gates = (0..<Limits.storeWriterConnections).map { _ in Gate() }
            let refusals = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for gate in gates {
                    group.addTask { try await store.write { _ in gate.hold() } }
                    try await gate.waitUntilHeld()
                }
                for _ in 0..<(Limits.pendingWrites + 10) {
                    group.addTask {
                        let ending = await Ending { try await store.write { _ in } }
                        if ending == .failure(.unavailable) { refusals.add() }
                    }
                }
                #expect(
                    try await eventually {
                        refusals.value == 10 && store.backlog == Limits.pendingWrites
                    })
                for gate in gates { gate.open() }
                try await group.waitForAll()
            }
            #expect(refusals.value == 10)
            await store.close()
        }
    }
}

/// Threads that wait for one another, once; later arrivals pass.
final class Gathering: Sendable {
    private let count: Int
    private let arrived = Tally()

    init(of count: Int) { self.count = count }

    func arrive() {
        arrived.add()
        for _ in 0..<5_000 where arrived.value < count { pause(milliseconds: 2) }
    }
}
