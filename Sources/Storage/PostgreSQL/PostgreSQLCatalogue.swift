internal import TollgateKernel

/// Holds the guards of a PostgreSQL schema against those that the migrations make.
///
/// What they make is recorded (``recorded``): each table with its columns, default, constraint,
/// index and trigger with a fingerprint of its definition; there are no rules and policies. Names,
/// tables and triggers, whose functions are texts of ours, are compared on every server. The server
/// spells the definitions of defaults, constraints and indexes, and another major version may do it
/// otherwise: they are compared on the one they were recorded on.
/// Other tables that share the schema are nobody's concern here.
struct PostgreSQLCatalogue {
    let connection: PostgreSQLConnection

    /// One table, default, constraint, index, trigger, rule or policy.
    struct Object: Hashable {
        var kind: String
        var table: String
        var name: String

        fileprivate var sentence: String {
            kind == "table" ? "the table \(name)" : "the \(kind) \(name) of \(table)"
        }
    }

    /// Tells a sentence for each object that is missing, changed or foreign.
    func forEachViolation(_ tell: (String) -> Void) throws(StoreError) {
        let expected = Self.read(Self.recorded)
        let found = try objects()
        let version = try connection.first(Text.majorVersion) { $0.integer(0) } ?? 0
        for (object, fingerprint) in Self.sorted(expected) {
            guard let standing = found[object] else {
                tell("\(object.sentence) is missing")
                continue
            }
            let isComparable =
                ["table", "trigger"].contains(object.kind) || version == Self.recordedMajorVersion
            if isComparable, standing != fingerprint {
                tell("\(object.sentence) is not as it was made")
            }
        }
        let tables = Set(expected.keys.map(\.table))
        for (object, _) in Self.sorted(found)
        where tables.contains(object.table) && expected[object] == nil {
            tell("\(object.sentence) is foreign")
        }
    }

    /// What stands in the schema, as it is recorded: an object a line, in order.
    func record() throws(StoreError) -> String {
        Self.sorted(try objects()).map { object, fingerprint in
            "\(object.kind) \(object.table) \(object.name) \(fingerprint)"
        }.joined(separator: "\n")
    }

    private func objects() throws(StoreError) -> [Object: String] {
        var objects: [Object: String] = [:]
        try connection.forEach(Text.objects) { row in
            let object = Object(kind: row.text(0), table: row.text(1), name: row.text(2))
            objects[object] = row.text(3)
        }
        return objects
    }

    private static func read(_ record: String) -> [Object: String] {
        var objects: [Object: String] = [:]
        for line in record.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 4 else { continue }
            objects[Object(kind: words[0], table: words[1], name: words[2])] = words[3]
        }
        return objects
    }

    private static func sorted(_ objects: [Object: String]) -> [(key: Object, value: String)] {
        objects.sorted {
            ($0.key.table, $0.key.kind, $0.key.name) < ($1.key.table, $1.key.kind, $1.key.name)
        }
    }

    private enum Text {
        static let majorVersion = SQL(
            "SELECT current_setting('server_version_num')::integer / 10000")
        // An index that a constraint keeps is told of with it. What is NOT NULL has a constraint
        // from PostgreSQL 18 on only, and is read with its column. No trigger of ours has columns,
        // arguments or a condition, so nothing of them needs to be spelt.
        static let objects = SQL(
            """
            WITH objects (kind, relation, name, definition) AS (
                SELECT 'table', relname, relname, concat_ws(
                    ' ', relpersistence, relrowsecurity, relforcerowsecurity, (
                        SELECT string_agg(concat_ws(' ', attname,
                            format_type(atttypid, atttypmod), attnotnull, attidentity::text,
                            attgenerated::text, (SELECT collname FROM pg_collation
                                WHERE pg_collation.oid = attcollation)), ', ' ORDER BY attnum)
                        FROM pg_attribute
                        WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped))
                FROM pg_class
                WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
                UNION ALL
                SELECT 'default', relname, attname, pg_get_expr(adbin, adrelid)
                FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid
                JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
                WHERE relnamespace = current_schema()::regnamespace
                UNION ALL
                SELECT 'rule', relname, rulename, ''
                FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
                WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
                UNION ALL
                SELECT 'policy', relname, polname, ''
                FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
                WHERE relnamespace = current_schema()::regnamespace
                UNION ALL
                SELECT 'constraint', relname, conname, pg_get_constraintdef(pg_constraint.oid)
                FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
                WHERE contype <> 'n' AND relnamespace = current_schema()::regnamespace
                UNION ALL
                SELECT 'index', owner.relname, own.relname, replace(
                    pg_get_indexdef(indexrelid), quote_ident(current_schema()) || '.', '')
                FROM pg_index JOIN pg_class AS own ON own.oid = indexrelid
                JOIN pg_class AS owner ON owner.oid = indrelid
                WHERE owner.relnamespace = current_schema()::regnamespace
                    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid
                        AND conrelid = indrelid)
                UNION ALL
                SELECT 'trigger', relname, tgname,
                    tgtype::text || ' ' || replace(tgenabled::text, 'D', 'O') || ' ' || prosrc
                        || CASE WHEN tgqual IS NULL AND tgnargs = 0 AND tgattr::text = ''
                            THEN '' ELSE ' sometimes' END
                FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
                JOIN pg_proc ON pg_proc.oid = tgfoid
                WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace)
            SELECT kind, relation::text, name::text,
                left(encode(sha256(convert_to(definition, 'UTF8')), 'hex'), 16)
            FROM objects
            """)
    }
}
