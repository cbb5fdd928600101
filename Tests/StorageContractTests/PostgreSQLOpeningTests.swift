import Accounts
import Application
import Auth
import Glibc
import Orders
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// Several servers and jobs on one database, and databases that are refused.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLOpeningTests {
    private func expect(
        _ expected: StoreRefusal?, at location: SourceLocation = #_sourceLocation,
        _ open: () async throws -> PostgreSQLStore
    ) async {
        var refusal: StoreRefusal?
        do {
            await (try open()).close()
        } catch {
            refusal = error as? StoreRefusal
            if refusal == nil { Issue.record(error, sourceLocation: location) }
        }
        #expect(refusal == expected, sourceLocation: location)
    }

    private var known: Int64 {
        Migrator(migrations: Schema.migrations, dialect: .postgreSQL).knownVersion
    }

    @Test func manyServersThatStartTogetherMigrateOnce() async throws {
        let schema = try TemporarySchema()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    let store = try await schema.open()
                    try await store.write { tx in try tx.pushes.insert(push("\(number)")) }
                    await store.close()
                }
            }
            try await group.waitForAll()
        }
        let applied = try schema.server.run(
            "SELECT COUNT(*) FROM schema_migrations", schema: schema.name)
        #expect(applied == "\(known)")
        try schema.remove()
    }

    @Test func aStoreOfTheOtherRealmIsRefused() async throws {
        let schema = try TemporarySchema()
        await expect(nil) { try await schema.open() }
        // The shared server runs without fsync: a live store says so first.
        await expect(.engine("the server runs with fsync=off, which loses money")) {
            try await schema.open(realm: .live)
        }
        try schema.server.run(
            "UPDATE store_meta SET content = 'live' WHERE name = 'realm'", schema: schema.name)
        for role in [StoreRole.serve, .jobs] {
            await expect(.otherRealm(stored: .live, wanted: .sandbox)) {
                try await schema.open(role: role)
            }
        }
        try schema.remove()
    }

    @Test func aServerWithOtherKeysIsRefused() async throws {
        let schema = try TemporarySchema()
        let target = try PostgreSQLTarget(schema.server.address(schema: schema.name))
        for (keys, expected) in [("a", nil), ("b", .otherKeys), ("a", nil)]
            as [(String, StoreRefusal?)]
        {
            await expect(expected) {
                try await PostgreSQLStore.open(
                    target, realm: .sandbox, role: .serve, keyFingerprint: keys)
            }
        }
        try schema.remove()
    }

    @Test func aRotatedMasterKeyIsFollowedAndTheOneBeforeRefused() async throws {
        let schema = try TemporarySchema()
        let target = try PostgreSQLTarget(schema.server.address(schema: schema.name))
        let steps: [(keys: String, previous: String?, expected: StoreRefusal?)] = [
            ("a", nil, nil), ("b", "x", .otherKeys), ("b", "a", nil), ("b", "a", nil),
            ("b", nil, nil), ("a", nil, .otherKeys),
        ]
        for step in steps {
            await expect(step.expected) {
                try await PostgreSQLStore.open(
                    target, realm: .sandbox, role: .serve, keyFingerprint: step.keys,
                    previousKeyFingerprint: step.previous)
            }
        }
        try schema.remove()
    }

    @Test func changedAndNewerSchemasAreRefused() async throws {
        let schema = try TemporarySchema()
        await expect(nil) { try await schema.open() }
        try schema.server.run(
            "INSERT INTO schema_migrations VALUES (\(known + 1), 'from tomorrow', 'x', 1)",
            schema: schema.name)
        await expect(.newerSchema(stored: known + 1, known: known)) { try await schema.open() }
        try schema.server.run(
            """
            DELETE FROM schema_migrations WHERE number > \(known);
            UPDATE schema_migrations SET checksum = 'other' WHERE number = 3
            """, schema: schema.name)
        await expect(.changedMigration(number: 3, name: "balances, lots, holds, transfers")) {
            try await schema.open()
        }
        try schema.remove()
    }

    @Test func jobsNeverMigrate() async throws {
        let schema = try TemporarySchema()
        await expect(.schemaNotReady(stored: 0, known: known)) {
            try await schema.open(role: .jobs, waitMilliseconds: 120)
        }
        async let jobs = schema.open(role: .jobs, waitMilliseconds: 30_000)
        try await Task.sleep(for: .milliseconds(150))
        await (try schema.open()).close()
        await (try jobs).close()
        try schema.remove()
    }

    @Test func aFailingMigrationLeavesNothing() async throws {
        let schema = try TemporarySchema()
        await expect(nil) { try await schema.open() }
        let next = Migration(
            number: known + 1, name: "broken",
            steps: [.statement("CREATE TABLE half (id {key}) {end}"), .statement("nonsense")])
        let connection = try PostgreSQLConnection(
            PostgreSQLTarget(schema.server.address(schema: schema.name)), waitMilliseconds: 60_000)
        let migrator = Migrator(migrations: Schema.migrations + [next], dialect: .postgreSQL)
        #expect(throws: StoreError.self) {
            try migrator.migrate(.postgreSQL(connection), now: Timestamp(milliseconds: 2))
        }
        #expect(try schema.server.run("SELECT to_regclass('half')", schema: schema.name) == "")
        await expect(nil) { try await schema.open() }
        try schema.remove()
    }

    @Test func whatOneServerWroteTheOtherKnows() async throws {
        let schema = try TemporarySchema()
        let (one, two) = (try await schema.open(), try await schema.open())
        try await one.write { tx in
            try tx.accounts.insert(account(), openID: "openid-1")
            try tx.auth.insert(session(1))
            _ = try tx.auth.insert(
                LoginCode(digest: digest(7), openID: "openid-1", expiresAt: .after(100)),
                now: start)
        }
        #expect(try await two.read { tx in try tx.auth.loginSession(digest: digest(1)) } != nil)
        // A code is taken once, whichever server is asked.
        let taken = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in [one, two, one, two] {
                group.addTask {
                    let code = try await store.write { tx in
                        try tx.auth.takeLoginCode(digest: digest(7), now: start)
                    }
                    if code != nil { taken.add() }
                }
            }
            try await group.waitForAll()
        }
        #expect(taken.value == 1)
        await one.close()
        await two.close()
        try schema.remove()
    }

    @Test func readersCannotWrite() async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let ending = await Ending {
            try await store.read { tx in try tx.pushes.insert(push("sneaked")) }
        }
        #expect(
            ending
                == .store(
                    "engine: cannot execute INSERT in a read-only transaction (25006)"))
        await store.close()
        try schema.remove()
    }

    @Test(arguments: Engine.all)
    func moneyAndSessionsAreNeverStale(_ engine: Engine) async throws {
        try await withStore(on: engine) { store in
            let products = try await store.read(.stale) { tx in try tx.orders.enabledProducts() }
            #expect(products == [])
            let refused =
                "engine: login sessions, balances and freezes are never read from a replica"
            let owner = AccountID(rawValue: 1)
            #expect(
                await Ending {
                    try await store.read(.stale) { tx in _ = try tx.accounts.account(owner) }
                } == .store(refused))
            #expect(
                await Ending {
                    try await store.read(.stale) { tx in _ = try tx.ledger.customerLedger(owner) }
                } == .store(refused))
            #expect(
                await Ending {
                    try await store.read(.stale) { tx in
                        _ = try tx.auth.loginSession(digest: digest(1))
                    }
                } == .store(refused))
        }
    }

    @Test func anAddressNeverTellsItsPassword() throws {
        let target = try PostgreSQLTarget("postgres://me:hush@db.example:6543/tollgate")
        #expect("\(target)" == "db.example:6543/tollgate")
        #expect(target.hasPassword)
        #expect(!(try PostgreSQLTarget("postgres://me@db/tollgate").hasPassword))
        for text in ["postgres://me:hush@h:port:x/?a", "postgres://me:hush@h/d?nosuch=1"] {
            do {
                _ = try PostgreSQLTarget(text)
                Issue.record("an address without sense was read")
            } catch {
                #expect(!"\(error)".contains("hush"))
            }
        }
    }

    /// An address, what its surroundings say, and the `sslmode` that libpq is given.
    private struct Encryption: Sendable {
        var address: String
        var around: [String: String] = [:]
        var expected: String?
    }

    private static let encryptions: [Encryption] = [
        Encryption(address: "postgres://me@db.example/d", expected: "require"),
        Encryption(
            address: "postgres://me@db.example/d?sslmode=verify-full", expected: "verify-full"),
        Encryption(address: "postgres://me@127.0.0.1/d"),
        Encryption(address: "postgres://me@127.0.0.1,db.example/d", expected: "require"),
        Encryption(address: "postgres:///d"),
        // The host that counts is the one that libpq would take.
        Encryption(
            address: "postgres:///d", around: ["host": "db.example", "sslmode": "prefer"],
            expected: "require"),
        Encryption(
            address: "postgres:///d", around: ["hostaddr": "10.0.0.1"], expected: "require"),
        Encryption(address: "postgres:///d", around: ["host": "/run/postgresql"]),
        Encryption(address: "postgres://me@localhost/d", around: ["host": "db.example"]),
        Encryption(
            address: "postgres://me@localhost/d", around: ["hostaddr": "10.0.0.1"],
            expected: "require"),
        // What was said there stands: nothing is given that would overrule it.
        Encryption(
            address: "postgres:///d", around: ["host": "db.example", "sslmode": "verify-full"]),
        Encryption(address: "postgres://me@db.example/d", around: ["sslmode": "disable"]),
        Encryption(
            address: "postgres:///d?sslmode=disable", around: ["host": "db.example"],
            expected: "disable"),
    ]

    @Test func whatLeavesTheMachineIsEncrypted() throws {
        for row in Self.encryptions {
            let given = try PostgreSQLTarget(row.address).parameters(in: row.around)["sslmode"]
            #expect(given == row.expected, "\(row)")
        }
    }

    @Test func theEnvironmentIsReadAsLibpqReadsIt() {
        setenv("PGHOST", "127.0.0.1", 0)
        #expect(PostgreSQLTarget.surroundings["host"] == "127.0.0.1")
    }

    @Test(
        arguments: [
            ([0, 0, 0, 0, 0, 0, 0, 0], 0), ([0, 1, 0, 0, 0, 0, 0, 0, 0, 7], 7),
            ([0, 2, 0, 1, 0x40, 0, 0, 0, 0, 1, 0, 2], -10_002),
            ([0, 1, 0, 2, 0, 0, 0, 0, 0, 3], 300_000_000),
            ([0, 1, 255, 255, 0, 0, 0, 1, 0, 3], nil),
            ([0, 1, 0, 5, 0, 0, 0, 0, 0, 3], nil), ([0, 2, 0, 0, 0, 0, 0, 0, 0, 3], nil),
            ([0, 0, 0, 0, 0xc0, 0, 0, 0], nil), ([0, 0, 0], nil),
        ] as [([UInt8], Int64?)])
    func sumsAreWholeNumbersOrNothing(_ bytes: [UInt8], _ expected: Int64?) {
        #expect(bytes.withUnsafeBytes { PostgreSQLAnswer.numeric($0) } == expected)
    }

    @Test func theSmallestAndTheGreatestNumberComeBack() async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let numbers = try await store.read { tx in
            try connection(tx).first(
                SQL(
                    """
                    SELECT $1, $2, CAST($1 AS NUMERIC), CAST($2 AS NUMERIC), $3, CAST(-2 AS
                        SMALLINT), TRUE, $4
                    """), Int64.min, Int64.max, nil as Int64?, ""
            ) { row in
                [
                    row.integer(0), row.integer(1), row.integer(2), row.integer(3),
                    row.optionalInteger(4) ?? 99, row.integer(5), row.integer(6),
                    row.isNull(7) ? 0 : Int64(row.text(7).count + 50),
                ]
            }
        }
        #expect(numbers == [.min, .max, .min, .max, 99, -2, 1, 50])
        await store.close()
        try schema.remove()
    }
}
