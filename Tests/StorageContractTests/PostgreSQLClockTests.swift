import Application
import Synchronization
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// A machine whose clock is not the database's ends nothing by it.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLClockTests {
    /// The machine's clock, set wrong.
    private final class WrongClock: WallClock {
        private let ahead: Mutex<Int64>
        init(aheadMilliseconds: Int64) { ahead = Mutex(aheadMilliseconds) }
        func set(aheadMilliseconds: Int64) { ahead.withLock { $0 = aheadMilliseconds } }
        func now() -> Timestamp {
            SystemClock().now().adding(milliseconds: ahead.withLock { $0 })
        }
    }

    private var quick: PostgreSQLClockLimits {
        var limits = PostgreSQLClockLimits()
        limits.intervalMilliseconds = 30
        return limits
    }

    private func isDegraded(_ store: PostgreSQLStore) -> Bool {
        if case .degraded = store.health { return true }
        return false
    }

    @Test func `whoever asks before ending something is told of the clock as it is now`()
        async throws
    {
        let schema = try TemporarySchema()
        let clock = WrongClock(aheadMilliseconds: 0)
        // The look of each minute does not come meanwhile.
        let store = try await schema.open(clock: clock, clockLimits: PostgreSQLClockLimits())
        #expect(await store.clockTrouble == nil)
        clock.set(aheadMilliseconds: 960_000)
        #expect(await store.clockTrouble?.contains("ours is ahead") == true)
        clock.set(aheadMilliseconds: 0)
        #expect(await store.clockTrouble == nil)
        await store.close()
        #expect(await store.clockTrouble == nil, "a store that is closed answers too")
        try schema.remove()
    }

    @Test(arguments: [20_000, -20_000] as [Int64])
    func `a clock that is off is told in health until it is set right`(
        _ aheadMilliseconds: Int64
    ) async throws {
        let schema = try TemporarySchema()
        let clock = WrongClock(aheadMilliseconds: 0)
        let store = try await schema.open(clock: clock, clockLimits: quick)
        #expect(!isDegraded(store))
        for _ in 0..<2 {
            clock.set(aheadMilliseconds: aheadMilliseconds)
            #expect(try await eventually { isDegraded(store) })
            let side = aheadMilliseconds > 0 ? "ahead" : "behind"
            // The database's clock may be the wrong one as well.
            #expect(store.health.sentence.contains("and the database's differ by "))
            #expect(store.health.sentence.contains("(ours is \(side))"))
            // It is no reason to take no money.
            try await store.write { tx in
                try tx.pushes.insert(push("\(UInt64.random(in: 0 ... .max))"))
            }
            clock.set(aheadMilliseconds: 0)
            #expect(try await eventually { !isDegraded(store) })
        }
        await store.close()
        try schema.remove()
    }

    @Test(
        arguments: [
            (20_000, false), (-20_000, false), (90_000, true), (-90_000, true),
        ] as [(Int64, Bool)])
    func `by a clock that is far off nothing begins until it is set right`(
        _ aheadMilliseconds: Int64, _ isRefused: Bool
    ) async throws {
        let schema = try TemporarySchema()
        let clock = WrongClock(aheadMilliseconds: 0)
        let store = try await schema.open(clock: clock, clockLimits: quick)
        #expect(store.clockRefusal == nil)
        clock.set(aheadMilliseconds: aheadMilliseconds)
        #expect(try await eventually { isDegraded(store) })
        #expect((store.clockRefusal != nil) == isRefused)
        #expect(store.health.sentence.contains("no chat begins") == isRefused)
        #expect(store.health.sentence.contains("nothing is ended by time"))
        clock.set(aheadMilliseconds: 0)
        #expect(try await eventually { !isDegraded(store) })
        #expect(store.clockRefusal == nil)
        await store.close()
        try schema.remove()
    }

    @Test(arguments: [StoreRole.serve, .jobs], [16 * 60_000, -90_000] as [Int64])
    func `a clock that is far off opens no store`(
        _ role: StoreRole, _ aheadMilliseconds: Int64
    ) async throws {
        let schema = try TemporarySchema()
        let wrong = WrongClock(aheadMilliseconds: aheadMilliseconds)
        let refusal = await #expect(throws: StoreRefusal.self) {
            try await schema.open(role: role, clock: wrong, clockLimits: quick).close()
        }
        #expect("\(String(describing: refusal))".contains("set the wrong one right (NTP)"))
        wrong.set(aheadMilliseconds: 0)
        await (try schema.open(clock: wrong, clockLimits: quick)).close()
        try schema.remove()
    }

    @Test(
        arguments: [
            (0, 0, 0), (900, 200, 700), (-900, 200, 700), (100, 200, 0), (.min, 1, .max - 1),
        ]
            as [(Int64, Int64, Int64)])
    func `a slow answer says little`(
        _ measured: Int64, _ uncertain: Int64, _ certain: Int64
    ) {
        let offset = PostgreSQLClockOffset(
            milliseconds: measured, uncertaintyMilliseconds: uncertain)
        #expect(offset.certainMilliseconds == certain)
    }

    // MARK: Standbys

    /// A server that tells of commits before it has written them.
    private func hasty(_ schema: TemporarySchema) throws -> PostgreSQLTarget {
        try PostgreSQLTarget(
            "postgres://postgres@127.0.0.1:\(schema.server.port)/postgres"
                + "?options=-csearch_path%3D\(schema.name)%20-csynchronous_commit%3Doff")
    }

    @Test func `sessions wait for the disk, whatever their server is set to`() async throws {
        let schema = try TemporarySchema()
        let store = try await PostgreSQLStore.open(
            hasty(schema), realm: .sandbox, role: .serve)
        let setting = try await store.write { tx in
            try connection(tx).first(SQL("SELECT current_setting('synchronous_commit')")) {
                $0.text(0)
            }
        }
        #expect(setting == "on")
        await store.close()
        try schema.remove()
    }

    @Test func `a live server that commits before it has written is refused`() async throws {
        let schema = try TemporarySchema()
        let refusal = await #expect(throws: StoreRefusal.self) {
            try await PostgreSQLStore.open(hasty(schema), realm: .live, role: .serve).close()
        }
        #expect(
            refusal
                == .engine("the server runs with synchronous_commit=off, which loses money"))
        try schema.remove()
    }

    @Test(
        arguments: [(0, "", true), (2, "", false), (2, "ANY 1 (a, b)", true)]
            as [(Int64, String, Bool)])
    func `standbys of which none is waited for are told`(
        _ count: Int64, _ names: String, _ isRight: Bool
    ) {
        let standbys = PostgreSQLStandbys(count: count, synchronousNames: names)
        #expect((standbys.sentence == nil) == isRight)
    }
}
