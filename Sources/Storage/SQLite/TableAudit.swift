internal import Synchronization
internal import TollgateKernel

/// Holds one table of a SQLite store against its rules, its indexes and what it points at.
///
/// `integrity_check` looks each row up in each index, and `foreign_key_check` each reference: with
/// ten million rows that is most of an audit. So the entries that the rows ask for are added up in
/// one pass, those that an index holds in another, in their order, and references that an index
/// lists are looked up once each. Where this cannot be done, or finds anything, the engine's own
/// checks are asked, so no less is seen, and all of it is told in their words.
struct TableAudit {
    // Texts of one schema: some for each of its tables.
    private static let queries = Mutex<[String: SQL]>([:])

    let connection: SQLiteConnection
    let table: String

    /// An index, and its columns as SQL in the order it has them: those of its key, and those that
    /// name the row.
    private struct Index {
        var name: String
        var isUnique: Bool
        var columns: [String] = []
        var keyColumns = 0
        /// Whether its entries are plain columns of every row, in the order of their bytes.
        var isPlain: Bool
    }

    /// What the pass over the rows came to.
    private struct Rows {
        var brokenRules: Int64 = 0
        var sums: [EntrySum]
    }

    /// Tells a sentence for each violation.
    func forEachViolation(_ tell: (String) -> Void) throws(StoreError) {
        let indexes = try indexes()
        var isWhole = try looksWhole(indexes, tell)
        if !isWhole {
            var isTold = false
            try connection.forEach(Self.query("PRAGMA integrity_check(\(Self.quoted(table)))")) {
                guard $0.text(0) != "ok" else { return }
                isTold = true
                tell($0.text(0))
            }
            isWhole = !isTold
        }
        // A reference may be hidden by an index that is wrong.
        if isWhole, try pointsAtRows(indexes) { return }
        try connection.forEach(Self.query("PRAGMA foreign_key_check(\(Self.quoted(table)))")) {
            tell("\($0.text(0)) row \($0.integer(1)) points at nothing in \($0.text(2))")
        }
    }

    /// Whether the engine's longer check has to be asked.
    func needsEngine() throws(StoreError) -> Bool {
        try !looksWhole(indexes()) { _ in }
    }

    /// Tells of broken rules; whether each index holds the rows, which is false also if the engine
    /// has to be asked.
    private func looksWhole(
        _ indexes: [Index], _ tell: (String) -> Void
    ) throws(StoreError) -> Bool {
        let text = try connection.first(Text.definition, table) { $0.text(0) } ?? ""
        let rules = StoredRules.rules(in: text)
        // NULL is no breach, as in a CHECK.
        let broken = rules.isEmpty ? nil : rules.map { "NOT (\($0))" }.joined(separator: " OR ")
        var isWhole = false
        var brokenRules: Int64 = 0
        do throws(StoreError) {
            if try !isRowless(), let rows = try passOverRows(indexes, broken) {
                brokenRules = rows.brokenRules
                isWhole = true
                for (index, sum) in zip(indexes, rows.sums) where isWhole {
                    isWhole = try holds(index, sum)
                }
            } else if let broken {
                let count = Self.query(
                    "SELECT COUNT(*) FROM \(Self.quoted(table)) WHERE \(broken)")
                brokenRules = try connection.first(count) { $0.integer(0) } ?? 0
            }
        } catch {
            // What cannot be read is told by the engine's check.
            guard case .corrupt = error else { throw error }
            isWhole = false
        }
        if brokenRules > 0 {
            let rows = brokenRules == 1 ? "row breaks" : "rows break"
            tell("\(table): \(brokenRules) \(rows) a CHECK")
        }
        return isWhole
    }

    /// One pass over the rows, for the rules and every index; nil if there is no such pass.
    private func passOverRows(
        _ indexes: [Index], _ broken: String?
    ) throws(StoreError) -> Rows? {
        guard indexes.allSatisfy(\.isPlain) else { return nil }
        var columns: [String] = []
        for column in indexes.flatMap(\.columns) where !columns.contains(column) {
            columns.append(column)
        }
        let places = indexes.map { index in
            index.columns.map { Int32(columns.firstIndex(of: $0) ?? 0) }
        }
        let listed = (columns + [broken ?? "0"]).joined(separator: ", ")
        let text = "SELECT \(listed) FROM \(Self.quoted(table)) NOT INDEXED"
        guard try isPlanned(text, as: "SCAN \(table)") else { return nil }
        var rows = Rows(sums: Array(repeating: EntrySum(), count: indexes.count))
        let rule = Int32(columns.count)
        try connection.forEach(Self.query(text)) { row in
            if row.integer(rule) != 0 { rows.brokenRules += 1 }
            for place in places.indices { rows.sums[place].add(row, places[place]) }
        }
        return rows
    }

    /// Whether an index holds these entries and no others, in their order and, if it is unique,
    /// each key once.
    private func holds(_ index: Index, _ rows: EntrySum) throws(StoreError) -> Bool {
        let listed = index.columns.joined(separator: ", ")
        let text =
            "SELECT \(listed) FROM \(Self.quoted(table)) INDEXED BY \(Self.quoted(index.name))"
        // Only so the entries are read where they are, and not from the rows.
        let plan = "SCAN \(table) USING COVERING INDEX \(index.name)"
        guard try isPlanned(text, as: plan) else { return false }
        let places = index.columns.indices.map(Int32.init)
        var order = EntryOrder(
            columns: places.count, keyColumns: index.keyColumns, isUnique: index.isUnique)
        var entries = EntrySum()
        var isOrdered = true
        try connection.forEach(Self.query(text)) { row in
            entries.add(row, places)
            if !order.follows(row) { isOrdered = false }
        }
        return isOrdered && entries == rows
    }

    /// Whether every reference finds its row; false also if the engine has to be asked.
    private func pointsAtRows(_ indexes: [Index]) throws(StoreError) -> Bool {
        var pairs: [Int64: (parent: String, columns: [(own: String, other: String)])] = [:]
        var isKnown = true
        _ = try connection.all(Text.references, table) { row in
            if row.isNull(3) { isKnown = false }
            pairs[row.integer(0), default: (row.text(1), [])].columns.append(
                (Self.quoted(row.text(2)), Self.quoted(row.text(3))))
        }
        guard isKnown else { return false }
        for (parent, columns) in pairs.values {
            guard try connection.first(Text.definition, parent, decode: { $0.text(0) }) != nil
            else { return false }
            let own = columns.map(\.own)
            // An index in their order tells equal ones from new ones at no cost.
            let isListed = indexes.contains { $0.isPlain && Array($0.columns.prefix(1)) == own }
            let query = Self.query(
                """
                SELECT EXISTS (
                    SELECT 1 FROM (
                        SELECT \(isListed ? "DISTINCT " : "")\(own.joined(separator: ", "))
                        FROM \(Self.quoted(table))) AS child
                    WHERE \(own.map { "child.\($0) IS NOT NULL" }.joined(separator: " AND "))
                        AND NOT EXISTS (
                            SELECT 1 FROM \(Self.quoted(parent)) AS parent WHERE
                            \(columns.map { "parent.\($0.other) = child.\($0.own)" }
                                .joined(separator: " AND "))))
                """)
            guard try connection.first(query, decode: { $0.integer(0) }) == 0 else { return false }
        }
        return true
    }

    /// Whether the table is stored in the order of its key, where it has no rows' numbers.
    private func isRowless() throws(StoreError) -> Bool {
        try connection.first(Text.isRowless, table) { $0.truth(0) } ?? true
    }

    private func indexes() throws(StoreError) -> [Index] {
        var indexes = try connection.all(Text.indexes, table) { row in
            Index(name: row.text(0), isUnique: row.truth(1), isPlain: !row.truth(2))
        }
        for place in indexes.indices {
            _ = try connection.all(Text.columns, indexes[place].name) { row in
                let number = row.integer(0)
                // -1 is the row's number, -2 an expression.
                if number < -1 || row.truth(2) || row.text(3) != "BINARY" {
                    indexes[place].isPlain = false
                }
                indexes[place].columns.append(number == -1 ? "rowid" : Self.quoted(row.text(1)))
                if row.truth(4) { indexes[place].keyColumns += 1 }
            }
        }
        return indexes
    }

    private func isPlanned(_ text: String, as plan: String) throws(StoreError) -> Bool {
        try connection.all(Self.query("EXPLAIN QUERY PLAN " + text)) { $0.text(3) } == [plan]
    }

    private static func quoted(_ name: String) -> String {
        "\"\(name.replacing("\"", with: "\"\""))\""
    }

    private static func query(_ text: String) -> SQL {
        queries.withLock { known in
            if let query = known[text] { return query }
            let query = SQL(text)
            known[text] = query
            return query
        }
    }

    private enum Text {
        static let definition = SQL(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1")
        static let isRowless = SQL(
            "SELECT wr FROM pragma_table_list($1) WHERE schema = 'main'")
        static let indexes = SQL("SELECT name, \"unique\", partial FROM pragma_index_list($1)")
        static let columns = SQL(
            "SELECT cid, name, \"desc\", coll, key FROM pragma_index_xinfo($1) ORDER BY seqno")
        static let references = SQL(
            """
            SELECT id, "table", "from", "to" FROM pragma_foreign_key_list($1) ORDER BY id, seq
            """)
    }
}
