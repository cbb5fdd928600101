internal import Foundation
internal import GRDB
internal import TollgateKernel

/// The sandbox's own SQLite file: what it said and was told outlives its process.
final class SandboxStore: Sendable {
    let database: DatabaseQueue

    /// Opens the file, making it and its tables as needed; blocks for some milliseconds.
    init(path: String) throws {
        // Made here, for its owner only: the engine would make it readable for everybody, and its
        // log takes the file's own mode.
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 { close(file) }
        var configuration = Configuration()
        configuration.label = "sandbox"
        configuration.busyMode = .timeout(5)
        database = try DatabaseQueue(path: path, configuration: configuration)
        try Self.migrator.migrate(database)
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(sql: schema)
        }
        migrator.registerMigration("2") { database in
            try database.execute(sql: sceneCodes)
        }
        return migrator
    }

    private static let sceneCodes = """
        CREATE TABLE scene_code (
            ticket TEXT NOT NULL PRIMARY KEY,
            url TEXT NOT NULL UNIQUE,
            scene TEXT NOT NULL,
            expires_at INTEGER
        ) STRICT;
        """

    private static let schema = """
        CREATE TABLE trade (
            out_trade_no TEXT NOT NULL PRIMARY KEY,
            request TEXT NOT NULL,
            description TEXT NOT NULL,
            attach TEXT NOT NULL,
            notify_url TEXT NOT NULL,
            total_fen INTEGER NOT NULL CHECK (total_fen >= 1),
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('NOTPAY', 'SUCCESS', 'CLOSED')),
            scanned_by TEXT,
            transaction_id TEXT UNIQUE,
            paid_at INTEGER,
            CHECK ((state = 'SUCCESS') = (transaction_id IS NOT NULL AND paid_at IS NOT NULL))
        ) STRICT;
        CREATE TABLE code_url (
            code TEXT NOT NULL PRIMARY KEY,
            out_trade_no TEXT NOT NULL REFERENCES trade,
            made_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE notification (
            id TEXT NOT NULL PRIMARY KEY,
            out_trade_no TEXT NOT NULL REFERENCES trade,
            created_at INTEGER NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('pending', 'delivered', 'lost', 'abandoned')),
            attempts INTEGER NOT NULL,
            next_attempt_at INTEGER,
            last_result TEXT,
            CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL))
        ) STRICT;
        CREATE INDEX notification_due ON notification (next_attempt_at)
            WHERE state = 'pending';
        CREATE TABLE phone (
            openid TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            is_following INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE message (
            number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            openid TEXT NOT NULL REFERENCES phone,
            kind TEXT NOT NULL,
            text TEXT NOT NULL,
            at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX message_phone ON message (openid, number);
        CREATE TABLE access_token (
            token TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE template_message (
            msgid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            openid TEXT NOT NULL,
            client_msg_id TEXT,
            UNIQUE (openid, client_msg_id)
        ) STRICT;
        CREATE TABLE setting (
            name TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT;
        """
}

extension SandboxStore {
    /// A stored setting; nil if it was never set or cannot be read any more.
    func setting<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value? {
        let text = try database.read { database in
            try String.fetchOne(
                database, sql: "SELECT value FROM setting WHERE name = ?", arguments: [name])
        }
        return text.flatMap { try? JSONDecoder().decode(Value.self, from: Data($0.utf8)) }
    }

    /// Stores a setting.
    func setSetting<Value: Encodable>(_ name: String, to value: Value) async throws {
        let text = String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
        try await database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO setting (name, value) VALUES (?, ?)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value
                    """, arguments: [name, text])
        }
    }
}
