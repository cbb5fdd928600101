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
    }

    /// Every checker's verdict, over the state the transaction sees.
    func findings() throws(StoreError) -> [AuditFinding] {
        var findings: [AuditFinding] = []
        for checker in AuditText.checkers { findings.append(try finding(checker)) }
        findings.append(try engineFinding())
        return findings
    }

    private func finding(_ checker: Checker) throws(StoreError) -> AuditFinding {
        var told: [String] = []
        var count: Int64 = 0
        for text in checker.violations {
            try connection.forEach(text) { row in
                count += 1
                if told.count < Limits.auditViolationsTold { told.append(row.text(0)) }
            }
        }
        return AuditFinding(
            check: checker.name, summary: checker.summary,
            rows: try connection.first(checker.rows) { $0.integer(0) } ?? 0, violations: told,
            violationCount: count)
    }

    private func engineFinding() throws(StoreError) -> AuditFinding {
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
