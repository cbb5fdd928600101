import Application
import Foundation
import GRDB
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// What guards a store is as the migrations made it.
@Suite struct CatalogueTests {
    private static let withoutRule = """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, 'CHECK (granted > 0)', '')
        WHERE name = 'lots' AND sql LIKE '%CHECK (granted > 0)%'
        """

    @Test(arguments: [
        (
            "DROP TRIGGER transfers_are_never_changed",
            "the trigger transfers_are_never_changed of transfers is missing"
        ),
        (
            """
            DROP TRIGGER transfers_are_never_changed;
            CREATE TRIGGER transfers_are_never_changed BEFORE UPDATE ON transfers
            BEGIN SELECT 1; END
            """, "the trigger transfers_are_never_changed of transfers is not as it was made"
        ),
        ("DROP INDEX holds_open", "the index holds_open of holds is missing"),
        (
            "DROP INDEX holds_open; CREATE INDEX holds_open ON holds (expires_at)",
            "the index holds_open of holds is not as it was made"
        ),
        (withoutRule, "the table lots is not as it was made"),
    ])
    func `a changed guard is told of`(sql: String, sentence: String) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await AuditTests.liveIn(store)
        await store.close()
        #expect(try await StoreFile.verify(folder.database).isClean)
        let queue = try DatabaseQueue(path: folder.database)
        try await queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
        let report = try await StoreFile.verify(folder.database)
        let told = report.findings.filter { $0.violationCount > 0 }
        #expect(told.map(\.check) == ["C13"])
        #expect(told.first?.violations == [sentence])
        #expect(!report.isRestorable)
    }

    /// Who added something to a report's end must not lose the books by it.
    @Test(arguments: [
        ("CREATE INDEX more ON lots (granted)", "the index more of lots is foreign"),
        (
            "CREATE TRIGGER more AFTER INSERT ON lots BEGIN SELECT 1; END",
            "the trigger more of lots is foreign"
        ),
        (
            """
            CREATE TABLE more (a PRIMARY KEY, b); CREATE INDEX more_b ON more (b);
            CREATE VIEW shown AS SELECT granted FROM lots;
            CREATE TRIGGER kept AFTER INSERT ON more BEGIN SELECT 1; END
            """, nil
        ),
    ])
    func `what was added to our tables is told of, and all is restored`(
        sql: String, sentence: String?
    ) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await AuditTests.liveIn(store)
        let backup = "\(folder.path)/backup.sqlite"
        let queue = try DatabaseQueue(path: folder.database)
        try await queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
        try await StoreFile.backup(folder: folder.path, to: backup)
        await store.close()
        let report = try await StoreFile.verify(backup)
        let expected = sentence.map { [$0] } ?? []
        #expect(report.findings.flatMap(\.violations) == expected)
        #expect(report.isClean == expected.isEmpty)
        let restored = try await StoreFile.restore(
            backup, into: "\(folder.path)/target", replaces: false, now: .after(1))
        #expect(restored.report.foreign == expected)
    }

    /// What others keep in the file is theirs, and no reason to lose the books.
    @Test(arguments: [
        "CREATE TABLE more (a REFERENCES lots (id)); INSERT INTO more VALUES (77)",
        "CREATE TABLE more (a REFERENCES nowhere (id)); INSERT INTO more VALUES (77)",
        // No key of ours: who asks the engine about it is told of an error.
        "CREATE TABLE more (a REFERENCES lots (granted)); INSERT INTO more VALUES (77)",
        """
        CREATE TABLE more (id INTEGER PRIMARY KEY AUTOINCREMENT, a REFERENCES holds (id));
        INSERT INTO more (a) VALUES (77)
        """,
    ])
    func `a table of others is noted, and neither it nor ours keeps the other from a restore`(
        sql: String
    ) async throws {
        let folder = try TemporaryFolder()
        var store = try await folder.open()
        try await AuditTests.liveIn(store)
        await store.close()
        try await folder.tamper(sql)
        store = try await folder.open()
        #expect(
            try await store.read { tx in try tx.operations.audit() }
                .flatMap(\.violations) == [])
        let backup = "\(folder.path)/backup.sqlite"
        try await StoreFile.backup(folder: folder.path, to: backup)
        await store.close()
        let report = try await StoreFile.verify(backup)
        #expect(report.findings.flatMap(\.violations) == [])
        #expect(report.isClean)
        #expect(
            report.notes
                == ["the table more is not the store's, and what it points at was not looked at"])
        let target = "\(folder.path)/target"
        let restored = try await StoreFile.restore(
            backup, into: target, replaces: false, now: .after(1))
        #expect(restored.report.notes == report.notes)
        #expect(try await StoreFile.verify("\(target)/store.sqlite").isClean)
        // Beside it, ours is judged as ever.
        try await folder.tamper("UPDATE hold_lots SET lot = 77")
        let wrong = try await StoreFile.verify(folder.database)
        #expect(!wrong.isRestorable)
        let told = try #require(wrong.findings.first { $0.check == "C13" })
        #expect(!told.violations.isEmpty)
        #expect(told.violations.allSatisfy { $0.hasPrefix("hold_lots row ") }, "\(told)")
    }

    @Test func `what SQLite keeps for its planner is not foreign`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await AuditTests.liveIn(store)
        try await store.write { try connection($0).execute("ANALYZE") }
        await store.close()
        let report = try await StoreFile.verify(folder.database)
        #expect(report.findings.flatMap(\.violations) == [])
        #expect(report.notes == [])
    }
}

/// The same on PostgreSQL, whose catalogue is recorded.
@Suite(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLCatalogueTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent(
            "../../Sources/Storage/PostgreSQL/PostgreSQLCatalogue+Recorded.swift")

    /// Set to write the record anew, after a migration was added.
    private static let isRecording =
        ProcessInfo.processInfo.environment["TOLLGATE_RECORD_SNAPSHOTS"] == "1"

    private func withCatalogue(
        after sql: String = "", _ body: (PostgreSQLCatalogue) throws -> Void
    ) async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        await store.close()
        if !sql.isEmpty { try schema.server.run(sql, schema: schema.name) }
        let connection = try PostgreSQLConnection(
            PostgreSQLTarget(schema.server.address(schema: schema.name)), waitMilliseconds: 60_000)
        try body(PostgreSQLCatalogue(connection: connection))
        try schema.remove()
    }

    @Test func `the record is what the migrations make`() async throws {
        try await withCatalogue { catalogue in
            let record = try catalogue.record()
            if Self.isRecording {
                var source = try String(contentsOf: Self.file, encoding: .utf8)
                let start = try #require(source.range(of: "recorded = \"\"\"\n"))
                let indented = record.split(separator: "\n").map { "        \($0)\n" }.joined()
                source.replaceSubrange(
                    start.upperBound..., with: indented + "        \"\"\"\n}\n")
                try Data(source.utf8).write(to: Self.file)
            }
            let recorded = PostgreSQLCatalogue.recorded
            #expect(
                record == recorded,
                "TOLLGATE_RECORD_SNAPSHOTS=1 writes it anew; it is true after the next build")
        }
    }

    /// The same function, asked less often.
    private static func guardedAnew(_ change: String, _ condition: String) -> String {
        """
        DROP TRIGGER transfers_are_never_changed ON transfers;
        CREATE TRIGGER transfers_are_never_changed BEFORE \(change) ON transfers
        FOR EACH ROW \(condition) EXECUTE FUNCTION transfers_are_never_changed()
        """
    }

    private static let changes: [(String, String?)] = [
        ("", nil),
        (
            "DROP TRIGGER transfers_are_never_changed ON transfers",
            "the trigger transfers_are_never_changed of transfers is missing"
        ),
        (
            """
            CREATE OR REPLACE FUNCTION transfers_are_never_changed() RETURNS trigger
            LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$
            """, "the trigger transfers_are_never_changed of transfers is not as it was made"
        ),
        (
            "ALTER TABLE transfers ENABLE REPLICA TRIGGER transfers_are_never_changed",
            "the trigger transfers_are_never_changed of transfers is not as it was made"
        ),
        (
            "ALTER TABLE lots DROP CONSTRAINT lots_granted_check",
            "the constraint lots_granted_check of lots is missing"
        ),
        (
            """
            ALTER TABLE lots DROP CONSTRAINT lots_granted_check,
            ADD CONSTRAINT lots_granted_check CHECK (granted > -9)
            """, "the constraint lots_granted_check of lots is not as it was made"
        ),
        (
            "ALTER TABLE hold_lots DROP CONSTRAINT hold_lots_lot_fkey",
            "the constraint hold_lots_lot_fkey of hold_lots is missing"
        ),
        ("DROP INDEX holds_open", "the index holds_open of holds is missing"),
        (
            "DROP INDEX holds_open; CREATE INDEX holds_open ON holds (expires_at)",
            "the index holds_open of holds is not as it was made"
        ),
        ("CREATE INDEX more ON lots (granted)", "the index more of lots is foreign"),
        ("CREATE TABLE more (a INTEGER PRIMARY KEY)", nil),
        (
            guardedAnew("UPDATE", "WHEN (false)"),
            "the trigger transfers_are_never_changed of transfers is not as it was made"
        ),
        (
            guardedAnew("UPDATE OF occurred_at", ""),
            "the trigger transfers_are_never_changed of transfers is not as it was made"
        ),
        (
            "ALTER TABLE lots ALTER COLUMN granted DROP NOT NULL",
            "the table lots is not as it was made"
        ),
        (
            "ALTER TABLE incidents ALTER COLUMN summary TYPE varchar(9)",
            "the table incidents is not as it was made"
        ),
        (
            "ALTER TABLE orders ALTER COLUMN open_askings SET DEFAULT 0",
            "the default open_askings of orders is not as it was made"
        ),
        (
            "ALTER TABLE orders ALTER COLUMN open_askings DROP DEFAULT",
            "the default open_askings of orders is missing"
        ),
        (
            "CREATE RULE more AS ON UPDATE TO transfers DO INSTEAD NOTHING",
            "the rule more of transfers is foreign"
        ),
        (
            "ALTER TABLE transfers ENABLE ROW LEVEL SECURITY",
            "the table transfers is not as it was made"
        ),
        ("CREATE POLICY more ON transfers", "the policy more of transfers is foreign"),
    ]

    @Test(arguments: changes)
    func `a changed guard is told of`(sql: String, sentence: String?) async throws {
        try await withCatalogue(after: sql) { catalogue in
            var told: [String] = []
            try catalogue.forEachViolation { told.append($0) }
            #expect(told == (sentence.map { [$0] } ?? []))
        }
    }

    @Test func `an audit asks for it`() async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        try await AuditTests.liveIn(store)
        try schema.server.run(
            "DROP TRIGGER transfers_are_never_changed ON transfers", schema: schema.name)
        let findings = try await store.read { tx in try tx.operations.audit() }
        #expect(findings.filter { $0.violationCount > 0 }.map(\.check) == ["C13"])
        await store.close()
        try schema.remove()
    }
}
