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
        /// Nil if the rows are those of a walk.
        let rows: SQL?
        let violations: [SQL]
    }

    /// What the walks over transfers and holds found for a checker.
    private struct Walked {
        var rows: Int64?
        var violations = Violations()
    }

    /// The verdict of each checker that reads rows, over the state the transaction sees.
    func bookFindings() throws(StoreError) -> [AuditFinding] {
        try withRoomAndTime { () throws(StoreError) in
            // The books come first, whoever else reads meanwhile.
            if case .sqlite(let connection) = connection { connection.readAhead() }
            let walked = try walks()
            var findings: [AuditFinding] = []
            for checker in AuditText.checkers {
                findings.append(try finding(checker, walked[checker.name] ?? Walked()))
            }
            return findings
        }
    }

    /// The walks over what there is most of: each row is read once for all checkers.
    private func walks() throws(StoreError) -> [String: Walked] {
        let transfers = try TransferAudit(connection: connection).verdict()
        let (holds, unmatched) = try holds(transfers.charges)
        var ends = holds.states
        // No usage, promotion or overrun without its hold: the sums agree, and each hold is
        // matched.
        let sums = [
            ("usage", transfers.used, holds.settledCredits),
            ("promotion", transfers.givenAway, holds.settledPromotion),
            ("overrun", transfers.writtenOff, holds.writtenOff),
        ]
        for (kind, moved, ofHolds) in sums where moved != ofHolds {
            ends.tell("\(kind) transfers add up to \(moved), those of holds to \(ofHolds)")
        }
        ends.add(transfers.strayCredits)
        ends.add(unmatched)
        var money = transfers.strayMoney
        // No purchase without its order: the sums agree, and each order is matched by a query.
        let paid = Int128(try connection.first(AuditText.paidPurchases) { $0.integer(0) } ?? 0)
        if transfers.bought != paid {
            money.tell(
                "purchases add up to \(transfers.bought), those of paid orders to \(paid)")
        }
        var balances = transfers.balances
        balances.add(transfers.unexplainedCredits)
        return [
            "C1": Walked(rows: transfers.rows, violations: transfers.units),
            "C2": Walked(violations: balances),
            "C6": Walked(rows: holds.rows, violations: ends),
            "C7": Walked(violations: money),
            "C9": Walked(rows: transfers.linkedRows, violations: transfers.chains),
        ]
    }

    /// What the holds came to, and those whose charge is not theirs.
    private func holds(
        _ charges: CallCharges
    ) throws(StoreError) -> (HoldTransferAudit.Totals, unmatched: Violations) {
        let audit = HoldTransferAudit(connection: connection)
        var unmatched = Violations()
        if let totals = try audit.totals(of: charges) { return (totals, unmatched) }
        let totals = try audit.forEachViolation { unmatched.tell($0) }
        return (totals, unmatched)
    }

    /// A part of C13, over the same.
    func engineFinding(_ part: EnginePart) throws(StoreError) -> AuditFinding {
        try withRoomAndTime { () throws(StoreError) in
            try EngineAudit(connection: connection).finding(part)
        }
    }

    /// Lets an audit have what other reads must not: pages on SQLite, time on PostgreSQL.
    ///
    /// On both it may be ended once nobody wants it any more.
    ///
    /// SQLite keeps more pages while `body` runs, and none of them afterwards: rows are joined by
    /// keys that lie all over the file, and a page that was given up is read again. PostgreSQL
    /// keeps its own pages, but would end a statement that reads every transfer.
    private func withRoomAndTime<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        let connection: SQLiteConnection
        switch self.connection {
        case .sqlite(let one): connection = one
        case .postgreSQL(let one):
            return try one.atLength(body)
        case .refusing: return try body()
        }
        let before = try connection.first(AuditText.pagesKept) { $0.integer(0) } ?? 0
        try connection.execute("PRAGMA cache_size = -\(Limits.auditCacheKibibytes)")
        defer {
            // If this failed the connection would keep some memory, and nothing else.
            try? connection.execute("PRAGMA cache_size = \(before); PRAGMA shrink_memory")
        }
        return try connection.atLength(body)
    }

    private func finding(_ checker: Checker, _ walked: Walked) throws(StoreError) -> AuditFinding {
        var found = walked.violations
        for text in checker.violations {
            try connection.forEach(text) { row in found.tell(row.text(0)) }
        }
        var rows = walked.rows
        if rows == nil, let text = checker.rows {
            rows = try connection.first(text) { $0.integer(0) }
        }
        return AuditFinding(
            check: checker.name, summary: checker.summary, rows: rows ?? 0, violations: found.told,
            violationCount: found.count)
    }
}
