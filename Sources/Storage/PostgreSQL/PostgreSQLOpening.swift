internal import Application
internal import Dispatch
internal import TollgateKernel

/// Opens a store on PostgreSQL step by step: what the server must be, realm, schema.
///
/// Any number of servers share one database: who comes first migrates it, under a lock of the
/// database that its session's end frees.
struct PostgreSQLOpening: Sendable {
    let target: PostgreSQLTarget
    let realm: StoreRealm
    let role: StoreRole
    let keyFingerprint: String?
    let previousKeyFingerprint: String?
    let waitMilliseconds: Int64
    let migrator: Migrator
    let environment: PostgreSQLEnvironment

    /// Opens, or says why not.
    ///
    /// - Throws: ``StoreRefusal``.
    func run() throws {
        do {
            let connection = try PostgreSQLConnection(
                target, waitMilliseconds: Limits.storeMigrationMilliseconds)
            try checkSynchronousCommit(connection)
            try connection.execute(
                "SET synchronous_commit = on; SET client_min_messages = warning")
            try checkServer(connection)
            try checkClock(connection)
            switch role {
            case .serve: try migrate(connection)
            case .jobs: try waitForSchema(connection)
            }
            if let keyFingerprint {
                try migrator.checkKeys(
                    keyFingerprint, previous: previousKeyFingerprint, .postgreSQL(connection))
            }
        } catch let error as StoreError {
            throw StoreRefusal.engine("\(error)")
        }
    }

    private func checkServer(_ connection: PostgreSQLConnection) throws {
        func setting(_ name: String) throws(StoreError) -> String {
            var value = ""
            try connection.forEachRow(of: "SELECT current_setting('\(name)')") { row in
                value = row.text(0)
            }
            return value
        }
        guard let version = Int(try setting("server_version_num")), version >= 140_000 else {
            throw StoreRefusal.engine("PostgreSQL 14 or later is needed")
        }
        guard try setting("server_encoding") == "UTF8" else {
            throw StoreRefusal.engine("the database's encoding is not UTF8")
        }
        // What a committed payment is worth when the power goes.
        for name in ["fsync", "full_page_writes"] where realm == .live {
            guard try setting(name) == "on" else {
                throw StoreRefusal.engine("the server runs with \(name)=off, which loses money")
            }
        }
    }

    /// Sessions of ours switch it on for themselves; where it is off for all, somebody gave up
    /// durability for the whole server, and what operators change by hand is lost with its power.
    private func checkSynchronousCommit(_ connection: PostgreSQLConnection) throws {
        guard realm == .live else { return }
        var value = ""
        try connection.forEachRow(
            of: "SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'"
        ) { value = $0.text(0) }
        guard value == "off" else { return }
        throw StoreRefusal.engine("the server runs with synchronous_commit=off, which loses money")
    }

    private func checkClock(_ connection: PostgreSQLConnection) throws {
        let offset = try environment.look(at: connection)
        guard offset.certainMilliseconds > environment.clockLimits.refusedMilliseconds else {
            return
        }
        throw StoreRefusal.engine(
            "\(offset.sentence); set the wrong one right (NTP), then start again")
    }

    private func migrate(_ connection: PostgreSQLConnection) throws {
        try connection.execute(Self.lock)
        defer { _ = try? connection.execute(Self.unlock) }
        try checkRealm(connection)
        _ = try migrator.verifiedVersion(.postgreSQL(connection))
        let now = environment.now()
        try migrator.prepare(.postgreSQL(connection), realm: realm, now: now)
        // Two realms that were made at the same moment: the first one's stands.
        try checkRealm(connection)
        try migrator.migrate(.postgreSQL(connection), now: now)
        let age = Limits.writeAttemptMemoryMilliseconds
        try connection.execute(
            "DELETE FROM write_attempts WHERE opened_at < \(now.milliseconds - age)")
    }

    private func checkRealm(_ connection: PostgreSQLConnection) throws {
        guard let stored = try migrator.realm(.postgreSQL(connection)), stored != realm else {
            return
        }
        throw StoreRefusal.otherRealm(stored: stored, wanted: realm)
    }

    private func waitForSchema(_ connection: PostgreSQLConnection) throws {
        let deadline = environment.elapsed() + .milliseconds(max(0, waitMilliseconds))
        while true {
            try checkRealm(connection)
            let version = try migrator.verifiedVersion(.postgreSQL(connection))
            if version == migrator.knownVersion { return }
            guard environment.elapsed() < deadline else {
                throw StoreRefusal.schemaNotReady(stored: version, known: migrator.knownVersion)
            }
            pause(milliseconds: 50)
        }
    }

    // The key is Tollgate's own: "TGMI".
    private static let lock = "SELECT pg_advisory_lock(1413959049)"
    private static let unlock = "SELECT pg_advisory_unlock(1413959049)"
}
