internal import Cryptography
internal import TollgateKernel

/// A numbered change of the schema.
///
/// Once landed its text never changes: a later one corrects it.
struct Migration: Sendable {
    /// One statement, in words both engines can be told.
    enum Step: Sendable {
        /// DDL or DML with engine tokens (``SchemaDialect``).
        case statement(String)
        /// Refuses changes of a table's rows: `change` of rows where `condition` (over `OLD` and
        /// `NEW`) holds, or of any row.
        case refuse(Change, of: String, named: String, when: String?)
        /// Says a part of a table's definition in other words that allow the very same rows. Only
        /// SQLite cares: PostgreSQL keeps what it has.
        case restate(String, was: String, becomes: String)
        /// Allows more in a column's CHECK than before: rows that were right stay right.
        case widen(String, column: String, was: String, becomes: String)
        /// Lets PostgreSQL find a table's rows by a column without looking at its neighbours.
        ///
        /// A SERIALIZABLE transaction that reads a row through a B-tree is in the way of everybody
        /// who writes to the same page of it, and numbers that grow with time are all written to
        /// the last one. A hash index spreads them; its lookups cost no more. SQLite has one
        /// writer, and needs none.
        case spread(String, column: String)
    }

    /// What is done to a row.
    enum Change: String, Sendable {
        case update = "UPDATE"
        case delete = "DELETE"
    }

    /// The place in the sequence, from 1 without gaps.
    let number: Int64
    /// What it does, in a few words.
    let name: String
    /// The statements, in order.
    let steps: [Step]

    /// SHA-256 of the steps before tokens are filled in, in hexadecimal: equal on every engine.
    func checksum() throws(StoreError) -> String {
        let text = steps.map { step in
            switch step {
            case .statement(let text): "statement\n\(text)"
            case .refuse(let change, let table, let name, let condition):
                "refuse\n\(change.rawValue)\n\(table)\n\(name)\n\(condition ?? "")"
            case .restate(let table, let was, let becomes):
                "restate\n\(table)\n\(was)\n\(becomes)"
            case .widen(let table, let column, let was, let becomes):
                "widen\n\(table)\n\(column)\n\(was)\n\(becomes)"
            case .spread(let table, let column): "spread\n\(table)\n\(column)"
            }
        }
        do {
            return Hexadecimal.encode(try SHA256.hash(text.joined(separator: "\n;\n")))
        } catch {
            throw .engine("cannot hash migration \(number): \(error)")
        }
    }

    /// A table's rows are never changed and never deleted.
    static func insertOnly(_ table: String) -> [Step] {
        [
            .refuse(.update, of: table, named: "\(table)_are_never_changed", when: nil),
            .refuse(.delete, of: table, named: "\(table)_are_never_deleted", when: nil),
        ]
    }
}

/// How an engine spells what SQL leaves open.
enum SchemaDialect: Sendable {
    case sqlite
    case postgreSQL

    /// The engine's own statement for a step; nil for one that is more than a statement.
    func render(_ step: Migration.Step) -> String? {
        switch step {
        case .restate: return nil
        case .widen(let table, let column, _, let becomes):
            guard self == .postgreSQL else { return nil }
            // The name that PostgreSQL gave the check of a column.
            let name = "\(table)_\(column)_check"
            return """
                ALTER TABLE \(table) DROP CONSTRAINT \(name),
                ADD CONSTRAINT \(name) CHECK (\(becomes))
                """
        case .spread(let table, let column):
            guard self == .postgreSQL else { return nil }
            return "CREATE INDEX \(table)_spread ON \(table) USING hash (\(column))"
        case .statement(let text):
            var rendered = text
            for (token, spelling) in tokens {
                rendered = rendered.replacing(token, with: spelling)
            }
            return rendered
        case .refuse(let change, let table, let name, let condition):
            guard self == .sqlite else {
                return Self.postgreSQLTrigger(change, table, name, condition)
            }
            let clause = condition.map { " WHEN \($0)" } ?? ""
            return """
                CREATE TRIGGER \(name) BEFORE \(change.rawValue) ON \(table)\(clause)
                BEGIN SELECT RAISE(ABORT, '\(name)'); END
                """
        }
    }

    /// PostgreSQL's WHEN may not look into tables, so the condition stands in the function.
    private static func postgreSQLTrigger(
        _ change: Migration.Change, _ table: String, _ name: String, _ condition: String?
    ) -> String {
        """
        CREATE FUNCTION \(name)() RETURNS trigger LANGUAGE plpgsql AS $refuse$
        BEGIN
            IF \(condition ?? "TRUE") THEN
                RAISE EXCEPTION '\(name)' USING ERRCODE = 'check_violation';
            END IF;
            RETURN \(change == .delete ? "OLD" : "NEW");
        END
        $refuse$;
        CREATE TRIGGER \(name) BEFORE \(change.rawValue) ON \(table)
        FOR EACH ROW EXECUTE FUNCTION \(name)()
        """
    }

    /// Whether a table exists.
    var tableExists: SQL {
        switch self {
        case .sqlite: Text.sqliteTable
        case .postgreSQL: Text.postgreSQLTable
        }
    }

    /// Begins a transaction that will write.
    var begin: String {
        switch self {
        case .sqlite: "BEGIN IMMEDIATE"
        case .postgreSQL: "BEGIN"
        }
    }

    private enum Text {
        static let sqliteTable = SQL(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1")
        static let postgreSQLTable = SQL(
            "SELECT 1 FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'r'")
    }

    /// `{key}` an identifier as primary key, `{serial}` one the engine counts up, `{integer}` 64
    /// bits, `{bytes}` a byte string, `{end}` what follows a table, `{end_clustered}` the same for
    /// a table that is stored in the order of its primary key.
    private var tokens: [(String, String)] {
        switch self {
        case .sqlite:
            [
                ("{key}", "INTEGER PRIMARY KEY"), ("{serial}", "INTEGER PRIMARY KEY"),
                ("{integer}", "INTEGER"), ("{bytes}", "BLOB"),
                ("{end_clustered}", "STRICT, WITHOUT ROWID"),
                ("{end}", "STRICT"),
            ]
        case .postgreSQL:
            [
                ("{key}", "BIGINT PRIMARY KEY"),
                ("{serial}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
                ("{integer}", "BIGINT"), ("{bytes}", "BYTEA"),
                // Ordered by bytes, as on SQLite: a collation of the system's library may change
                // with it, and then every index of texts is wrong.
                (" TEXT", " TEXT COLLATE \"C\""),
                ("{end_clustered}", ""), ("{end}", ""),
            ]
        }
    }
}
