import Application
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// The audit sees on PostgreSQL what it sees on SQLite.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLAuditTests {
    /// Takes every guard out of the way, as only the database's owner can.
    private static let disarm = """
        SET session_replication_role = replica;
        DO $$
        DECLARE guard RECORD;
        BEGIN
            FOR guard IN SELECT conname, conrelid::regclass AS owner FROM pg_constraint
                WHERE contype = 'c' AND connamespace = current_schema()::regnamespace
            LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', guard.owner, guard.conname);
            END LOOP;
        END $$;
        """

    private func complaints(_ store: any OpenedStore) async throws -> [String] {
        let findings = try await store.read { tx in try tx.operations.audit() }
        // There are no orders in some, and no free calls in others.
        for finding in findings where !["C6", "C7", "C8"].contains(finding.check) {
            #expect(finding.rows > 0, "\(finding.check)")
        }
        return findings.filter { $0.violationCount > 0 }.map(\.check)
    }

    @Test(arguments: Tampering.all)
    func everyTamperingIsSeen(_ tampering: Tampering) async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        try await AuditTests.liveIn(store)
        #expect(try await complaints(store) == [])
        try tamper(tampering.sql, schema)
        // Without its guards the schema is told of by itself.
        let seen = try await complaints(store)
        #expect(seen.filter { $0 != "C13" || tampering.checks == ["C13"] } == tampering.checks)
        if tampering.checks == ["C13"] {
            let findings = try await store.read { tx in try tx.operations.audit() }
            let told = try #require(findings.first { $0.check == "C13" }).violations
            #expect(told.contains { $0.contains("point at nothing") }, "\(told)")
        }
        await store.close()
        try schema.remove()
    }

    /// Changes rows behind the store's back, past every check the schema makes.
    private func tamper(_ sql: String, _ schema: TemporarySchema) throws {
        let text = sql.replacing("zeroblob(32)", with: "decode(repeat('00', 32), 'hex')")
        let changed = try schema.server.run(
            Self.disarm
                + "WITH changed AS (\(text) RETURNING 1) SELECT COUNT(*) > 0 FROM changed;",
            schema: schema.name)
        #expect(changed == "t", "the tampering touches nothing")
    }

    @Test(arguments: BookAuditTests.tamperings)
    func aChangedSaleMoveOrLinkIsSeen(_ tampering: Tampering) async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        try await sell(in: store)
        #expect(try await complaints(store) == [])
        try tamper(tampering.sql, schema)
        // A move that there is none of points at nothing in the table of moves as well.
        let seen = try await complaints(store).filter { $0 != "C13" }
        #expect(seen == tampering.checks)
        await store.close()
        try schema.remove()
    }

    @Test(arguments: BookAuditTests.movedMoney)
    func moneyThatMovedBetweenOurOwnAccountsIsSeen(_ sql: String) async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        try await sell(in: store)
        try await sellLate(in: store)
        #expect(try await complaints(store) == [])
        try tamper(sql, schema)
        // Beside C13, which tells of the guards that are gone.
        #expect(try await complaints(store).filter { $0 != "C13" } == ["C7"])
        await store.close()
        try schema.remove()
    }

    @Test func `an audit may take longer than a read`() async throws {
        let schema = try TemporarySchema()
        var patience = PostgreSQLPatience()
        patience.readMilliseconds = 700
        let store = try await schema.open(patience: patience)
        try await AuditTests.liveIn(store)
        // Whoever reads lots now waits longer than a read may.
        try schema.server.run(
            """
            ALTER TABLE lots RENAME TO quick_lots;
            CREATE VIEW lots AS SELECT quick_lots.* FROM quick_lots, pg_sleep(1.5)
            """, schema: schema.name)
        let slow = await Ending {
            try await store.read { tx in
                _ = try connection(tx).all(SQL("SELECT id FROM lots")) { $0.integer(0) }
            }
        }
        #expect(slow == .store("engine: canceling statement due to statement timeout (57014)"))
        // C13 sees what stands in the table's place.
        #expect(try await complaints(store) == ["C13"])
        // What comes afterwards is limited as before.
        let after = await Ending {
            try await store.read { tx in
                _ = try connection(tx).all(SQL("SELECT MAX(id) FROM lots")) { $0.integer(0) }
            }
        }
        #expect(after == slow)
        await store.close()
        try schema.remove()
    }

    @Test func aGuardThatWasSwitchedOffIsSeen() async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        try await AuditTests.liveIn(store)
        try schema.server.run(
            "ALTER TABLE transfers DISABLE TRIGGER transfers_are_never_changed",
            schema: schema.name)
        #expect(try await complaints(store) == ["C13"])
        await store.close()
        try schema.remove()
    }
}
