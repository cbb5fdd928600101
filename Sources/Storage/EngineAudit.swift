internal import Operations
internal import TollgateKernel

/// C13: that the engine has kept the store whole, and that nobody has changed what guards it.
struct EngineAudit {
    let connection: StoreConnection

    /// What is asked: on SQLite each of our tables by itself, and what belongs to none; first what
    /// has a row for each call.
    ///
    /// A table that somebody put beside ours is theirs to keep: what it points at is not judged,
    /// its pages are, as those of the whole file.
    func parts() throws(StoreError) -> [EnginePart] {
        guard case .sqlite(let connection) = connection else { return [.whole] }
        let ours = try SQLiteCatalogue.tables()
        let tables = try connection.all(Text.tableNames) { $0.text(0) }.filter(ours.contains)
        let parts = [.whole] + tables.map(EnginePart.table)
        let long = Self.longParts.filter(parts.contains)
        return long + parts.filter { !long.contains($0) }
    }

    /// The verdict over one part.
    func finding(_ part: EnginePart) throws(StoreError) -> AuditFinding {
        var found = Violations()
        var tables: Int64 = 0
        switch connection {
        case .postgreSQL(let connection):
            let audit = PostgreSQLAudit(connection: connection)
            try audit.forEachViolation { found.tell($0) }
            try PostgreSQLCatalogue(connection: connection).forEachViolation { found.tell($0) }
            tables = try audit.tables()
        case .sqlite(let connection):
            switch part {
            case .whole:
                try SQLiteCatalogue(connection: connection).forEachViolation { found.tell($0) }
                try checkPages(connection) { found.tell($0) }
            case .table(let name):
                try TableAudit(connection: connection, table: name)
                    .forEachViolation { found.tell($0) }
                tables = 1
            }
        case .refusing: break
        }
        return AuditFinding(
            check: "C13",
            summary: "the store is whole, guarded as it was made, and every reference has its row",
            rows: tables, violations: found.told, violationCount: found.count)
    }

    /// Every page of the file: its place, its order and its values' types.
    ///
    /// What SQLite leaves out here, each table's part looks at (``TableAudit``). If anything is
    /// wrong it is told by the longer check, which says more.
    private func checkPages(
        _ connection: SQLiteConnection, _ tell: (String) -> Void
    ) throws(StoreError) {
        let verdict = try connection.all(Text.quickCheck) { $0.text(0) }
        guard verdict != ["ok"] else { return }
        let told = try connection.all(Text.integrity) { $0.text(0) }.filter { $0 != "ok" }
        (told.isEmpty ? verdict : told).forEach(tell)
    }

    /// The largest and slowest first: two readers share the parts, and end together if what is last
    /// is short.
    private static let longParts: [EnginePart] = [
        .table("holds"), .table("transfers"), .whole, .table("hold_lots"), .table("usage_records"),
    ]

    private enum Text {
        static let quickCheck = SQL("PRAGMA quick_check(100)")
        static let integrity = SQL("PRAGMA integrity_check(100)")
        static let tableNames = SQL(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    }
}
