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

    /// The engine's own statement for a step.
    func render(_ step: Migration.Step) -> String {
        switch step {
        case .statement(let text):
            var rendered = text
            for (token, spelling) in tokens {
                rendered = rendered.replacing(token, with: spelling)
            }
            return rendered
        case .refuse(let change, let table, let name, let condition):
            let clause = condition.map { " WHEN \($0)" } ?? ""
            return """
                CREATE TRIGGER \(name) BEFORE \(change.rawValue) ON \(table)\(clause)
                BEGIN SELECT RAISE(ABORT, '\(name)'); END
                """
        }
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
        }
    }
}
