package import Application
internal import TollgateKernel

/// Why a store cannot be opened: each a sentence for the operator.
package enum StoreRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process serves this folder.
    case servedAlready(folder: String)
    /// The store belongs to the other kind of keys.
    case otherRealm(stored: StoreRealm, wanted: StoreRealm)
    /// The store's rows were made with other keys.
    case otherKeys
    /// A migration that was applied has another text now.
    case changedMigration(number: Int64, name: String)
    /// The store was made by a newer version of the program.
    case newerSchema(stored: Int64, known: Int64)
    /// Nobody brought the schema to this version in the time allowed.
    case schemaNotReady(stored: Int64, known: Int64)
    /// The store has come less far than when it was last served, or is another one, or is gone.
    case rewound(folder: String)
    /// The engine failed.
    case engine(String)

    package var description: String {
        switch self {
        case .servedAlready(let folder):
            "Another tollgate serves \(folder) already; stop it or choose another data folder."
        case .otherRealm(let stored, let wanted):
            "This store is for \(stored.rawValue) keys, not for \(wanted.rawValue) ones; "
                + "use another data folder."
        case .otherKeys:
            "This store was made with other keys than those in the data folder; copy the folder "
                + "keys from the server that made it."
        case .changedMigration(let number, let name):
            "Migration \(number) (\(name)) was changed after it was applied to this store; "
                + "run the version of tollgate that made the store."
        case .newerSchema(let stored, let known):
            "This store has schema version \(stored), this tollgate knows \(known); "
                + "upgrade tollgate."
        case .schemaNotReady(let stored, let known):
            "The store has schema version \(stored) and needs \(known); start tollgate serve first."
        case .rewound(let folder):
            "The store in \(folder) is not the one that was served last, or an older copy of it; "
                + "put the right one back, or restore a backup with tollgate admin restore."
        case .engine(let text):
            "The store cannot be opened: \(text)."
        }
    }
}

/// Brings a store's schema to this version, and remembers with which texts.
struct Migrator: Sendable {
    /// Every migration, by number.
    let migrations: [Migration]
    /// How the engine spells them.
    let dialect: SchemaDialect

    /// The version this program knows.
    var knownVersion: Int64 { migrations.last?.number ?? 0 }

    /// Makes the tables a store needs before its first migration.
    func prepare(
        _ connection: StoreConnection, realm: StoreRealm, now: Timestamp
    ) throws(StoreError) {
        for step in Self.foundation { try apply(step, connection) }
        try connection.run(Text.addMeta, "realm", realm.rawValue)
        try connection.run(Text.addMeta, "made_at", String(now.milliseconds))
    }

    /// The realm the store was made for; nil if it was not made yet.
    func realm(_ connection: StoreConnection) throws(StoreError) -> StoreRealm? {
        guard try tableExists("store_meta", connection) else { return nil }
        return try connection.first(Text.meta, "realm") { row throws(StoreError) in
            try row.word(0)
        }
    }

    /// Keeps the fingerprint of the keys that the store's rows were made with, or compares it.
    ///
    /// - Parameter previous: the fingerprint before the master key was rotated; who has it has
    ///   rotated, and the store follows.
    func checkKeys(
        _ fingerprint: String, previous: String? = nil, _ connection: StoreConnection
    ) throws {
        try connection.run(Text.addMeta, "keys", fingerprint)
        if let previous {
            try connection.run(Text.changeMeta, "keys", fingerprint, previous)
        }
        let stored = try connection.first(Text.meta, "keys") { $0.text(0) }
        guard stored == fingerprint else { throw StoreRefusal.otherKeys }
    }

    /// Checks what was applied against the texts of today and returns the store's version.
    func verifiedVersion(_ connection: StoreConnection) throws -> Int64 {
        guard try tableExists("schema_migrations", connection) else { return 0 }
        let applied = try connection.all(Text.applied) { row in
            (number: row.integer(0), checksum: row.text(1))
        }
        let version = applied.last?.number ?? 0
        guard version <= knownVersion else {
            throw StoreRefusal.newerSchema(stored: version, known: knownVersion)
        }
        for (row, migration) in zip(applied, migrations) {
            guard row.number == migration.number, row.checksum == (try migration.checksum())
            else {
                throw StoreRefusal.changedMigration(
                    number: migration.number, name: migration.name)
            }
        }
        return version
    }

    /// Applies what is missing, each migration in a transaction of its own.
    func migrate(_ connection: StoreConnection, now: Timestamp) throws {
        let version = try verifiedVersion(connection)
        for migration in migrations where migration.number > version {
            try connection.execute(dialect.begin)
            do throws(StoreError) {
                for step in migration.steps { try apply(step, connection) }
                try connection.run(
                    Text.addApplied, migration.number, migration.name, try migration.checksum(),
                    now.milliseconds)
                try connection.execute("COMMIT")
            } catch {
                if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
                throw error
            }
        }
    }

    private func apply(
        _ step: Migration.Step, _ connection: StoreConnection
    ) throws(StoreError) {
        if let text = dialect.render(step) { return try connection.execute(text) }
        guard dialect == .sqlite else { return }
        switch step {
        case .restate(let table, let was, let becomes),
            .widen(let table, _, let was, let becomes):
            try restate(table, was, becomes, connection)
        case .statement, .refuse, .spread: return
        }
    }

    /// Changes the text of a table's definition, as SQLite's own manual does for changes that leave
    /// every row as it is (ALTER TABLE, section 8).
    ///
    /// A text that SQLite cannot read fails at the next statement, and undoes the migration.
    private func restate(
        _ table: String, _ was: String, _ becomes: String, _ connection: StoreConnection
    ) throws(StoreError) {
        let version = try connection.first(Text.schemaVersion) { $0.integer(0) } ?? 0
        try connection.execute("PRAGMA writable_schema = ON")
        let changed = try connection.run(Text.restate, table, was, becomes)
        // Every connection reads the schema again; this one at once.
        try connection.execute(
            "PRAGMA schema_version = \(version + 1); PRAGMA writable_schema = RESET")
        guard changed == 1 else { throw .engine("\(table) is not defined as expected") }
    }

    private func tableExists(
        _ name: String, _ connection: StoreConnection
    ) throws(StoreError) -> Bool {
        try connection.first(dialect.tableExists, name) { $0.integer(0) } != nil
    }

    private static let foundation: [Migration.Step] = [
        .statement(
            """
            CREATE TABLE IF NOT EXISTS store_meta (
                name TEXT NOT NULL PRIMARY KEY,
                content TEXT NOT NULL
            ) {end}
            """),
        .statement(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number {key},
                name TEXT NOT NULL,
                checksum TEXT NOT NULL,
                applied_at {integer} NOT NULL
            ) {end}
            """),
        .statement(
            """
            CREATE TABLE IF NOT EXISTS write_attempts (
                writer {key},
                batch {integer} NOT NULL,
                opened_at {integer} NOT NULL
            ) {end}
            """),
    ]

    private enum Text {
        static let schemaVersion = SQL("PRAGMA schema_version")
        static let restate = SQL(
            """
            UPDATE sqlite_schema SET sql = replace(sql, $2, $3)
            WHERE type = 'table' AND name = $1 AND instr(sql, $2) > 0
            """)
        static let addMeta = SQL(
            """
            INSERT INTO store_meta (name, content) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
            """)
        static let changeMeta = SQL(
            "UPDATE store_meta SET content = $2 WHERE name = $1 AND content = $3")
        static let meta = SQL("SELECT content FROM store_meta WHERE name = $1")
        static let applied = SQL("SELECT number, checksum FROM schema_migrations ORDER BY number")
        static let addApplied = SQL(
            """
            INSERT INTO schema_migrations (number, name, checksum, applied_at)
            VALUES ($1, $2, $3, $4)
            """)
    }
}
