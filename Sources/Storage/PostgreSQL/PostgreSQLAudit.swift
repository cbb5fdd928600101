internal import TollgateKernel

/// What the audit asks PostgreSQL itself: that nobody has put the schema's guards out of order,
/// and that every reference has its row.
struct PostgreSQLAudit {
    let connection: PostgreSQLConnection

    /// How many tables were looked at.
    func tables() throws(StoreError) -> Int64 {
        try connection.first(Text.tables) { $0.integer(0) } ?? 0
    }

    /// Gives each violation to a closure, as a sentence.
    func forEachViolation(_ tell: (String) -> Void) throws(StoreError) {
        for text in [Text.unvalidated, Text.disabled, Text.invalidIndexes] {
            try connection.forEach(text) { tell($0.text(0)) }
        }
        // One query for each foreign key, made by the server from its own catalogue.
        let queries = try connection.all(Text.orphans) { $0.text(0) }
        for query in queries { try connection.forEachRow(of: query) { tell($0.text(0)) } }
    }

    private enum Text {
        static let tables = SQL(
            """
            SELECT COUNT(*) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
            """)
        static let unvalidated = SQL(
            """
            SELECT 'constraint ' || conname || ' of ' || conrelid::regclass::text
                || ' was never validated'
            FROM pg_constraint
            WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
            """)
        static let disabled = SQL(
            """
            SELECT 'trigger ' || tgname || ' of ' || tgrelid::regclass::text || ' is disabled'
            FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
            WHERE tgenabled = 'D' AND relnamespace = current_schema()::regnamespace
            """)
        static let invalidIndexes = SQL(
            """
            SELECT 'index ' || indexrelid::regclass::text || ' is invalid'
            FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
            """)
        static let orphans = SQL(
            """
            SELECT format(
                'SELECT %L || COUNT(*) || %L FROM %s AS child WHERE %s AND NOT EXISTS '
                    || '(SELECT 1 FROM %s AS parent WHERE %s) HAVING COUNT(*) > 0',
                conrelid::regclass::text || ': ', ' rows point at nothing in '
                    || confrelid::regclass::text,
                conrelid::regclass,
                string_agg(format('child.%I IS NOT NULL', own.attname), ' AND '),
                confrelid::regclass,
                string_agg(
                    format('parent.%I = child.%I', other.attname, own.attname), ' AND '))
            FROM pg_constraint
            CROSS JOIN LATERAL unnest(conkey, confkey) AS pair (own_number, other_number)
            JOIN pg_attribute AS own
                ON own.attrelid = conrelid AND own.attnum = pair.own_number
            JOIN pg_attribute AS other
                ON other.attrelid = confrelid AND other.attnum = pair.other_number
            WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
            GROUP BY pg_constraint.oid, conrelid, confrelid
            """)
    }
}
