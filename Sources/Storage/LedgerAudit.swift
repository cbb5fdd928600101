internal import Operations
internal import TollgateKernel

/// Re-adds the books from their rows, without trusting what the program or the schema's checks hold
/// to be true: a file may have been changed by something else.
struct LedgerAudit {
    let connection: StoreConnection

    /// One checker: what it proves, how many rows it looks at, and queries that answer with one
    /// sentence for each violation.
    struct Checker {
        let name: String
        let summary: String
        let rows: SQL
        let violations: [SQL]
        /// Whether each hold is compared with its transfer as well.
        var walksHolds = false
    }

    /// The verdict of each checker that reads rows, over the state the transaction sees.
    func bookFindings() throws(StoreError) -> [AuditFinding] {
        try withRoomForPages { () throws(StoreError) in
            var findings: [AuditFinding] = []
            for checker in AuditText.checkers { findings.append(try finding(checker)) }
            return findings
        }
    }

    /// C13, over the same.
    func engineFinding() throws(StoreError) -> AuditFinding {
        try withRoomForPages { () throws(StoreError) in try checkedByEngine() }
    }

    /// Lets SQLite keep more pages while `body` runs, and none of them afterwards: rows are joined
    /// by keys that lie all over the file, and a page that was given up is read again.
    private func withRoomForPages<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        guard case .sqlite(let connection) = connection else { return try body() }
        let before = try connection.first(AuditText.pagesKept) { $0.integer(0) } ?? 0
        try connection.execute("PRAGMA cache_size = -\(Limits.auditCacheKibibytes)")
        defer {
            // If this failed the connection would keep some memory, and nothing else.
            try? connection.execute("PRAGMA cache_size = \(before); PRAGMA shrink_memory")
        }
        return try body()
    }

    private func finding(_ checker: Checker) throws(StoreError) -> AuditFinding {
        var told: [String] = []
        var count: Int64 = 0
        func tell(_ violation: String) {
            count += 1
            if told.count < Limits.auditViolationsTold { told.append(violation) }
        }
        for text in checker.violations {
            try connection.forEach(text) { row in tell(row.text(0)) }
        }
        if checker.walksHolds {
            try HoldTransferAudit(connection: connection).forEachViolation(tell)
        }
        return AuditFinding(
            check: checker.name, summary: checker.summary,
            rows: try connection.first(checker.rows) { $0.integer(0) } ?? 0, violations: told,
            violationCount: count)
    }

    private func checkedByEngine() throws(StoreError) -> AuditFinding {
        var told: [String] = []
        var count: Int64 = 0
        func tell(_ text: String) {
            count += 1
            if told.count < Limits.auditViolationsTold { told.append(text) }
        }
        let tables: Int64
        switch connection {
        case .postgreSQL(let connection):
            let audit = PostgreSQLAudit(connection: connection)
            try audit.forEachViolation(tell)
            tables = try audit.tables()
        case .sqlite, .refusing:
            try connection.forEach(AuditText.integrity) { row in
                if row.text(0) != "ok" { tell(row.text(0)) }
            }
            try connection.forEach(AuditText.foreignKeys) { row in
                tell("\(row.text(0)) row \(row.integer(1)) points at nothing in \(row.text(2))")
            }
            tables = try connection.first(AuditText.tables) { $0.integer(0) } ?? 0
        }
        return AuditFinding(
            check: "C13", summary: "the store is whole and every reference has its row",
            rows: tables, violations: told, violationCount: count)
    }
}
