import Accounts
import Application
import Dispatch
import GRDB
import Testing
import TollgateKernel
import Weixin

@testable import Storage

@Suite struct OpeningTests {
    /// Changes the closed store's file as another program would.
    private func tamper(_ folder: TemporaryFolder, _ sql: String) throws {
        let queue = try DatabaseQueue(path: folder.database)
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    private func made() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        await (try folder.open()).close()
        return folder
    }

    private func expect(
        _ expected: StoreRefusal?, at location: SourceLocation = #_sourceLocation,
        _ open: () async throws -> SQLiteStore
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

    @Test func theWriterIsFullyDurableAndChecksReferences() async throws {
        try await withStore { store, _ in
            let settings = try await store.write { tx in
                try ["synchronous", "foreign_keys", "wal_autocheckpoint"].map { name in
                    try connection(tx).first(SQL("PRAGMA \(name)")) { $0.integer(0) }
                }
            }
            #expect(settings == [2, 1, Int64(Limits.walPages)])
            let mode = try await store.write { tx in
                try connection(tx).first(SQL("PRAGMA journal_mode")) { $0.text(0) }
            }
            #expect(mode == "wal")
        }
    }

    @Test func readersCannotWrite() async throws {
        try await withStore { store, _ in
            let ending = await Ending {
                try await store.read { tx in
                    try tx.pushes.insert(push("sneaked"))
                }
            }
            #expect(ending == .store("engine: attempt to write a readonly database (8)"))
        }
    }

    @Test func aStoreOfTheOtherRealmIsRefused() async throws {
        let folder = try await made()
        await expect(.otherRealm(stored: .sandbox, wanted: .live)) {
            try await folder.open(realm: .live)
        }
        await expect(.otherRealm(stored: .sandbox, wanted: .live)) {
            try await folder.open(realm: .live, role: .jobs)
        }
        await expect(nil) { try await folder.open() }
    }

    @Test func aFolderHasOneServer() async throws {
        let folder = try TemporaryFolder()
        let first = try await folder.open()
        await expect(.servedAlready(folder: folder.path)) { try await folder.open() }
        await first.close()
        await expect(nil) { try await folder.open() }
    }

    @Test func aChangedMigrationIsRefused() async throws {
        let folder = try await made()
        try tamper(folder, "UPDATE schema_migrations SET checksum = 'other' WHERE number = 3")
        await expect(.changedMigration(number: 3, name: "balances, lots, holds, transfers")) {
            try await folder.open()
        }
    }

    @Test func aNewerSchemaIsRefused() async throws {
        let folder = try await made()
        let known = Migrator(migrations: Schema.migrations, dialect: .sqlite).knownVersion
        try tamper(
            folder,
            "INSERT INTO schema_migrations VALUES (\(known + 1), 'from tomorrow', 'x', 1)")
        for role in [StoreRole.serve, .jobs] {
            await expect(.newerSchema(stored: known + 1, known: known)) {
                try await folder.open(role: role)
            }
        }
    }

    @Test func jobsNeverMakeAStore() async throws {
        let folder = try TemporaryFolder()
        let known = Migrator(migrations: Schema.migrations, dialect: .sqlite).knownVersion
        await expect(.schemaNotReady(stored: 0, known: known)) {
            try await folder.open(role: .jobs, waitMilliseconds: 120)
        }
    }

    @Test func jobsWaitForTheServer() async throws {
        let folder = try TemporaryFolder()
        async let jobs = folder.open(role: .jobs, waitMilliseconds: 10_000)
        try await Task.sleep(for: .milliseconds(150))
        let server = try await folder.open()
        let waited = try await jobs
        try await waited.write { tx in try tx.pushes.insert(push("from jobs")) }
        #expect(try await server.hasPush("from jobs"))
        await waited.close()
        await server.close()
    }

    @Test func aFailingMigrationLeavesNothing() async throws {
        let folder = try await made()
        let next = Migration(
            number: Int64(Schema.migrations.count) + 1, name: "broken",
            steps: [.statement("CREATE TABLE half (id {key}) {end}"), .statement("nonsense")])
        let connection = try WriterConnection(path: folder.database)
        let migrator = Migrator(migrations: Schema.migrations + [next], dialect: .sqlite)
        let failed = try connection.use { used in
            (try? migrator.migrate(.sqlite(used), now: Timestamp(milliseconds: 2))) == nil
        }
        #expect(failed)
        connection.close()
        await expect(nil) { try await folder.open() }
        let queue = try DatabaseQueue(path: folder.database)
        #expect(try await queue.read { try !$0.tableExists("half") })
        try queue.close()
    }

    @Test func aTextThatIsNotAsExpectedStaysAsItIs() async throws {
        let folder = try await made()
        let next = Migration(
            number: Int64(Schema.migrations.count) + 1, name: "of another schema",
            steps: [.restate("holds", was: "no such text", becomes: "nonsense")])
        let connection = try WriterConnection(path: folder.database)
        let migrator = Migrator(migrations: Schema.migrations + [next], dialect: .sqlite)
        let failed = try connection.use { used in
            (try? migrator.migrate(.sqlite(used), now: Timestamp(milliseconds: 2))) == nil
        }
        #expect(failed)
        connection.close()
        await expect(nil) { try await folder.open() }
    }

    @Test func restatedChecksSayOfEveryWordWhatTheySaidBefore() throws {
        let queue = try DatabaseQueue()
        var compared = 0
        for case .restate(_, let was, let becomes) in Schema.wordChecks.steps {
            let column = String(was.prefix { $0 != " " })
            let listed = was.split(separator: "'").enumerated()
                .filter { $0.offset % 2 == 1 }.map { String($0.element) }
            #expect(listed.count >= 3)
            for word in listed + ["", "gift", listed[0].uppercased(), listed[0] + " "] {
                let (before, after) = try queue.read { database in
                    let values = "FROM (SELECT '\(word)' AS \(column))"
                    return (
                        try Bool.fetchOne(database, sql: "SELECT \(was) \(values)"),
                        try Bool.fetchOne(database, sql: "SELECT \(becomes) \(values)")
                    )
                }
                #expect(before == listed.contains(word) && after == before, "\(was): \(word)")
                compared += 1
            }
        }
        #expect(compared > 50)
    }

    @Test func aStoreOfTheVersionBeforeKeepsItsRowsAndItsChecks() async throws {
        let folder = try TemporaryFolder()
        let before = Migrator(
            migrations: Schema.migrations.filter { $0.number < Schema.wordChecks.number },
            dialect: .sqlite)
        let writer = try WriterConnection(path: folder.database)
        let isMade = try writer.use { used in
            do {
                try before.prepare(.sqlite(used), realm: .sandbox, now: start)
                try before.migrate(.sqlite(used), now: start)
                try StoredTransaction(.sqlite(used)).accounts.insert(account(), openID: "o")
                return true
            } catch {
                return false
            }
        }
        #expect(isMade)
        writer.close()
        let store = try await folder.open()
        try await store.write { tx in
            try tx.ledger.insert(hold(1), reservations: [])
            let direct = try connection(tx)
            for change in ["source = 'gift'", "state = 'lost', ended_at = 1"] {
                #expect(
                    try refused { try direct.execute("UPDATE holds SET \(change)") }
                        == .constraint)
            }
            let texts = try direct.all(
                SQL("SELECT sql FROM sqlite_schema WHERE name IN ('holds', 'transfers')")
            ) { $0.text(0) }
            #expect(texts.count == 2 && texts.allSatisfy { !$0.contains(" IN ('") })
        }
        await store.close()
        await expect(nil) { try await folder.open() }
    }

    @Test func twoProcessesTakeTurns() async throws {
        let folder = try TemporaryFolder()
        let server = try await folder.open()
        // A second open file description: to flock(2) and to SQLite it is another process.
        let jobs = try await folder.open(role: .jobs)
        let serverWrites = Tally()
        let isDone = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<32 {
                group.addTask {
                    var number = 0
                    while isDone.value == 0 {
                        let key = "server-\(caller)-\(number)"
                        try await server.write { tx in try tx.pushes.insert(push(key)) }
                        number += 1
                        serverWrites.add()
                    }
                }
            }
            for number in 0..<25 {
                try await jobs.write { tx in try tx.pushes.insert(push("jobs-\(number)")) }
            }
            isDone.add()
            try await group.waitForAll()
        }
        #expect(serverWrites.value > 25)
        #expect(try await server.hasPush("jobs-24"))
        await jobs.close()
        await server.close()
    }

    @Test func whoeverHasWrittenStandsBehindWhoWaits() async throws {
        let folder = try TemporaryFolder()
        let busy = try Turnstile(folder: StoreFolder(path: folder.path))
        let patient = try Turnstile(folder: StoreFolder(path: folder.path))
        let busyPasses = Tally()
        let isDone = Tally()
        let thread = DispatchQueue(label: "busy")
        thread.async {
            while isDone.value == 0 {
                try? busy.pass {
                    busyPasses.add()
                    pause(milliseconds: 1)
                }
            }
        }
        #expect(try await eventually { busyPasses.value > 0 })
        var overtaken: [Int] = []
        for _ in 0..<100 {
            let before = busyPasses.value
            overtaken.append(
                try patient.pass {
                    defer { pause(milliseconds: 1) }
                    return busyPasses.value - before
                })
        }
        isDone.add()
        thread.sync {}
        // One was inside, one had its turn already. A thread that loses the processor between the
        // two lines above may see more; without turns nearly every pass would.
        #expect(overtaken.filter { $0 <= 2 }.count >= 90)
        #expect(busyPasses.value > 50)
    }
}
