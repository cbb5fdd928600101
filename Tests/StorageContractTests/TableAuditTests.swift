import Application
import GRDB
import Operations
import Testing
import TollgateKernel

@testable import Storage

/// What somebody does to a table's index behind SQLite's back: each text by a connection of its
/// own, since one that has read the schema keeps to it.
struct IndexDamage: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var texts: [String]
    /// Whether the books cannot be read any more, so that an audit ends there.
    var endsBooks = false

    private static let byTime = "CREATE INDEX refusals_by_time ON refusals (occurred_at)"
    private static let ofHour =
        "INDEX refusals_of_hour ON refusals (account, hour, model, code)"

    /// Does something while the schema says another thing of an index, or nothing.
    private static func meanwhile(
        _ index: String, reads text: String?, _ change: String, _ name: String
    ) -> IndexDamage {
        let bending =
            text.map { "UPDATE sqlite_master SET sql = '\($0)' WHERE name = '\(index)'" }
            ?? "DELETE FROM sqlite_master WHERE name = '\(index)'"
        return IndexDamage(
            testDescription: name,
            texts: [
                """
                CREATE TABLE kept AS SELECT * FROM sqlite_master WHERE name = '\(index)';
                PRAGMA writable_schema = ON; \(bending)
                """,
                change,
                """
                PRAGMA writable_schema = ON;
                DELETE FROM sqlite_master WHERE name = '\(index)';
                INSERT INTO sqlite_master SELECT * FROM kept
                """,
                "DROP TABLE kept",
            ])
    }

    /// What happens to an index of some holds, by its name; holds 1 to 3 are in both.
    private static func ofHolds(
        _ index: String, _ columns: String, where condition: String, leaving: String,
        otherKey: String, otherColumns: String, inAnotherOrder: String
    ) -> [IndexDamage] {
        func indexed(_ columns: String, _ condition: String) -> String {
            "CREATE INDEX \(index) ON holds (\(columns))\(condition)"
                .replacing("'", with: "''")
        }
        func damage(
            _ name: String, _ text: String, endsBooks: Bool = false
        ) -> IndexDamage {
            var damage = meanwhile(index, reads: nil, text, "\(index): \(name)")
            damage.endsBooks = endsBooks
            return damage
        }
        func remade(_ name: String, _ text: String) -> IndexDamage {
            meanwhile(index, reads: text, "REINDEX \(index)", "\(index): \(name)")
        }
        return [
            damage("an entry is missing", hold(9)),
            damage("an entry's row is to have none", "UPDATE holds SET \(leaving) WHERE id = 2"),
            damage("an entry has no row", "DELETE FROM holds WHERE id = 2", endsBooks: true),
            damage("an entry has another key", "UPDATE holds SET \(otherKey) WHERE id = 2"),
            damage(
                "an entry names another row",
                "DELETE FROM holds WHERE id = 2; " + hold(9), endsBooks: true),
            damage(
                "an entry is missing, and one is left over",
                "UPDATE holds SET \(leaving) WHERE id = 2; " + hold(9)),
            remade("every row has an entry", indexed(columns, "")),
            remade("entries hold something else", indexed(otherColumns, " WHERE \(condition)")),
            remade("entries are in another order", indexed(inAnotherOrder, " WHERE \(condition)")),
        ]
    }

    /// A hold that is in both indexes of some holds, as SQL.
    static func hold(_ number: Int) -> String {
        """
        INSERT INTO holds (id, account, request_id, request_hash, source, amount, state, settled,
            created_at, expires_at, api_key)
        VALUES (\(number), 1, 'hold-\(number)', zeroblob(32), 'promotion', 1, 'held', 0, 0,
            \(number), \(number))
        """
    }

    /// An attempt to log in that is in the index of those that one person may have once, as SQL.
    static func attempt(_ number: Int) -> String {
        """
        INSERT INTO login_attempts (scene, secret_digest, source, device, created_at, expires_at,
            state, openid)
        VALUES ('scene-\(number)', CAST(printf('%032d', \(number)) AS BLOB), zeroblob(32), '', 0, 9,
            'confirmed', 'person-\(number)')
        """
    }

    static let all =
        ofEveryRow
        + ofHolds(
            "holds_open", "expires_at, id", where: "state = 'held'",
            leaving: "state = 'released', ended_at = 9", otherKey: "expires_at = 77",
            otherColumns: "expires_at, id + 1", inAnotherOrder: "expires_at DESC, id")
        + ofHolds(
            "holds_of_api_key", "api_key", where: "api_key IS NOT NULL",
            leaving: "api_key = NULL", otherKey: "api_key = 77",
            otherColumns: "account", inAnotherOrder: "api_key DESC")
        + [
            meanwhile(
                "login_attempts_open",
                reads: "CREATE INDEX login_attempts_open ON login_attempts (openid) "
                    + "WHERE state IN (''scanned'', ''confirmed'')",
                "UPDATE login_attempts SET openid = 'person-1'",
                "login_attempts_open: a key stands twice")
        ]

    private static let ofEveryRow = [
        meanwhile(
            "refusals_by_time", reads: nil,
            "INSERT INTO refusals (id, model, code, occurred_at) VALUES (9, 'm', 'c', 9)",
            "an entry is missing"),
        meanwhile(
            "refusals_by_time", reads: nil, "DELETE FROM refusals WHERE id = 2",
            "an entry has no row"),
        meanwhile(
            "refusals_by_time", reads: nil, "UPDATE refusals SET occurred_at = 7 WHERE id = 2",
            "an entry has another key"),
        meanwhile(
            "refusals_by_time", reads: nil,
            "DELETE FROM refusals WHERE id = 2; "
                + "INSERT INTO refusals (id, model, code, occurred_at) VALUES (9, 'm', 'c', 2)",
            "an entry names another row"),
        meanwhile(
            "refusals_by_time", reads: byTime.replacing("occurred_at)", with: "occurred_at DESC)"),
            "REINDEX refusals_by_time", "entries are in another order"),
        meanwhile(
            "refusals_of_account",
            reads: "CREATE INDEX refusals_of_account ON refusals (account, id + 1)",
            "REINDEX refusals_of_account", "entries repeat the number of another row"),
        meanwhile(
            "refusals_of_hour", reads: "CREATE \(ofHour)",
            "UPDATE refusals SET hour = 1 WHERE id < 3", "a key stands twice"),
        IndexDamage(
            testDescription: "two indexes have each other's entries",
            texts: [
                """
                CREATE TABLE kept AS SELECT name, rootpage FROM sqlite_master
                WHERE name LIKE 'sqlite_autoindex_transfers%';
                PRAGMA writable_schema = ON;
                UPDATE sqlite_master SET rootpage = (
                    SELECT rootpage FROM kept WHERE kept.name <> sqlite_master.name)
                WHERE name LIKE 'sqlite_autoindex_transfers%'
                """,
                "DROP TABLE kept",
            ]),
    ]
}

/// What the longer checks of SQLite would see of a table's indexes is seen without them.
@Suite struct TableAuditTests {
    private func bend(_ folder: TemporaryFolder, _ texts: [String]) throws {
        for text in texts {
            var configuration = Configuration()
            configuration.foreignKeysEnabled = false
            let queue = try DatabaseQueue(path: folder.database, configuration: configuration)
            try queue.writeWithoutTransaction { try $0.execute(sql: text) }
            try queue.close()
        }
    }

    private func pragma(_ folder: TemporaryFolder, _ name: String) throws -> [String] {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: folder.database, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read { try String.fetchAll($0, sql: "PRAGMA \(name)") }
    }

    private func withRefusals() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await AuditTests.liveIn(store)
        try await store.write { tx in
            for number in 1...5 {
                try connection(tx).execute(
                    """
                    INSERT INTO refusals (id, account, model, code, occurred_at)
                    VALUES (\(number), 1, 'm', 'c', \(number))
                    """)
            }
            for number in 1...3 {
                try connection(tx).execute(
                    """
                    INSERT INTO api_keys (id, account, digest, name, models, created_at, spent,
                        held, minute, minute_requests)
                    VALUES (\(number), 1, zeroblob(32), '', '', 0, 0, 0, 0, 0)
                    """)
                try connection(tx).execute(IndexDamage.hold(number))
                try connection(tx).execute(IndexDamage.attempt(number))
            }
        }
        await store.close()
        return folder
    }

    @Test(arguments: IndexDamage.all)
    func `an index that does not hold its rows is seen`(damage: IndexDamage) async throws {
        let folder = try await withRefusals()
        try bend(folder, damage.texts)
        // The short check does not see it, the long one does.
        #expect(try pragma(folder, "quick_check") == ["ok"])
        let told = try pragma(folder, "integrity_check")
        #expect(told != ["ok"])
        let violations = try await engineViolations(folder)
        #expect(Set(violations).isSuperset(of: told), "\(violations)")
        if damage.endsBooks {
            await #expect(throws: Failure.self) { try await StoreFile.verify(folder.database) }
        } else {
            let findings = try await StoreFile.verify(folder.database).findings
            let engine = try #require(findings.first { $0.check == "C13" })
            #expect(Set(engine.violations).isSuperset(of: told), "\(engine.violations)")
        }
    }

    private func engineViolations(_ folder: TemporaryFolder) async throws -> [String] {
        let store = try await folder.open()
        let violations = try await store.read { tx in
            try tx.operations.engineParts().flatMap { part in
                try tx.operations.auditEngine(part).violations
            }
        }
        await store.close()
        return violations
    }

    /// Without this, all of the above might be seen by what is asked when nothing else is left.
    @Test func `tables that grow with calls are walked and not looked up`() async throws {
        let folder = try await withRefusals()
        let store = try await folder.open()
        let asked = try await store.read { tx in
            guard case .sqlite(let reader) = try connection(tx) else { return [String]() }
            return try ["transfers", "holds", "refusals", "usage_records"].filter { table throws in
                try TableAudit(connection: reader, table: table).needsEngine()
            }
        }
        #expect(asked == [])
        await store.close()
    }

    @Test(arguments: [
        ("UPDATE transfers SET customer = 77 WHERE sequence = 2", "transfers", "accounts"),
        ("UPDATE hold_lots SET lot = 77", "hold_lots", "lots"),
        (
            "UPDATE hold_lots SET hold = 77 WHERE hold = (SELECT MIN(hold) FROM hold_lots)",
            "hold_lots", "holds"
        ),
        ("UPDATE holds SET api_key = 77 WHERE state = 'settled'", "holds", "api_keys"),
        ("UPDATE accounts SET tier = 'none'", "accounts", "tiers"),
    ])
    func `a reference that finds no row is seen`(
        sql: String, table: String, parent: String
    ) async throws {
        let folder = try await withRefusals()
        try await folder.tamper(sql)
        let findings = try await StoreFile.verify(folder.database).findings
        let engine = try #require(findings.first { $0.check == "C13" })
        let told = engine.violations.filter { sentence in
            sentence.hasPrefix("\(table) row ")
                && sentence.hasSuffix(" points at nothing in \(parent)")
        }
        #expect(!told.isEmpty, "\(engine.violations)")
    }

    @Test(arguments: [
        "SELECT 1.5 UNION ALL SELECT 2",
        "SELECT NULL UNION ALL SELECT 1.5 UNION ALL SELECT 2",
        "SELECT -1 UNION ALL SELECT 1.5",
    ])
    func `the order of real numbers is left to the engine`(text: String) async throws {
        try await withStore { store, _ in
            let isOrdered = try await store.read { tx in
                var order = EntryOrder(columns: 1, keyColumns: 1, isUnique: false)
                var isOrdered = true
                try connection(tx).forEach(SQL(text)) { row in
                    if !order.follows(row) { isOrdered = false }
                }
                return isOrdered
            }
            #expect(!isOrdered)
        }
    }

    @Test func `both readers together find what one finds alone`() async throws {
        let folder = try await withRefusals()
        try bend(folder, IndexDamage.all[0].texts)
        try await folder.tamper("UPDATE lots SET origin = 'x'")
        let alone = try await StoreFile.verify(folder.database).findings
        let store = try await folder.open()
        let shared = try await OperatorQueries(try ports(store)).audit()
        await store.close()
        #expect(alone.last?.check == "C13")
        #expect(alone.last?.violationCount ?? 0 >= 2)
        // The parts are told in their order, whoever was first with them.
        #expect(shared.first { $0.check == "C13" }?.rows == alone.last?.rows)
        #expect(
            Set(shared.first { $0.check == "C13" }?.violations ?? [])
                == Set(alone.last?.violations ?? []))
    }
}
