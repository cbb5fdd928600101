internal import Synchronization
internal import TollgateKernel

/// Holds one table of a SQLite store against its rules, its indexes and what it points at.
///
/// `integrity_check` looks each row up in each index, and `foreign_key_check` each reference: with
/// ten million rows that is most of an audit. So the entries that the rows ask for are added up in
/// one pass, those that an index holds in another, in their order, and references that an index
/// lists are looked up once each. An index of some rows may hold entries that no walk is shown, so
/// its entries are counted by its pages too. Where this cannot be done, or finds anything, the
/// engine's own checks are asked, so no less is seen, and all of it is told in their words.
struct TableAudit {
    // Texts of one schema: some for each of its tables.
    private static let queries = Mutex<[String: SQL]>([:])

    let connection: SQLiteConnection
    let table: String

    /// What the pass over the rows came to.
    private struct Rows {
        var brokenRules: Int64 = 0
        /// The entries that they ask each index for.
        var sums: [EntrySum]
        /// How many of them were found, in an index that is searched.
        var found: [Int64]
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
        _ indexes: [TableIndex], _ tell: (String) -> Void
    ) throws(StoreError) -> Bool {
        let text = try definition(of: table) ?? ""
        let rules = StoredRules.rules(in: text)
        // NULL is no breach, as in a CHECK.
        let broken = rules.isEmpty ? nil : rules.map { "NOT (\($0))" }.joined(separator: " OR ")
        var isWhole = false
        var brokenRules: Int64 = 0
        do throws(StoreError) {
            if try !isRowless(), let rows = try passOverRows(indexes, broken) {
                brokenRules = rows.brokenRules
                isWhole = true
                for (place, index) in indexes.enumerated() where isWhole {
                    let sum = rows.sums[place]
                    isWhole =
                        index.way == .walk
                        ? try holds(index, sum) : rows.found[place] == sum.entries
                    // What does not fulfil the condition, or no row asks for, was not shown.
                    if isWhole, index.isOfSome || index.way == .search {
                        isWhole = try entries(of: index) == sum.entries
                    }
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
        _ indexes: [TableIndex], _ broken: String?
    ) throws(StoreError) -> Rows? {
        guard indexes.allSatisfy({ $0.way != .engine }) else { return nil }
        var columns: [String] = []
        func place(_ column: String) -> Int32 {
            if let place = columns.firstIndex(of: column) { return Int32(place) }
            columns.append(column)
            return Int32(columns.count - 1)
        }
        // Behind CASE it is a condition, of which SQLite asks no more than it must; as a value, of
        // which it works out every part.
        let rule = place(broken.map { "CASE WHEN \($0) THEN 1 ELSE 0 END" } ?? "0")
        let listed = indexes.map { index in
            index.way == .walk ? index.columns.map { place($0.text) } : []
        }
        let asked = indexes.map { index in
            place(index.way == .walk ? index.presence : index.search(in: table))
        }
        let text =
            "SELECT \(columns.joined(separator: ", ")) FROM \(Self.quoted(table)) NOT INDEXED"
        let plan = try plan(of: text).filter { !$0.hasPrefix("CORRELATED ") }
        let searched = indexes.filter { $0.way == .search }
        guard plan.first == "SCAN \(table)", plan.count == searched.count + 1,
            zip(searched, plan.dropFirst()).allSatisfy({ $0.isSearch($1) })
        else { return nil }
        var rows = Rows(
            sums: Array(repeating: EntrySum(), count: indexes.count),
            found: Array(repeating: 0, count: indexes.count))
        try connection.forEach(Self.query(text)) { row in
            if row.integer(rule) != 0 { rows.brokenRules += 1 }
            for index in listed.indices where !row.isNull(asked[index]) {
                rows.found[index] += row.integer(asked[index])
                rows.sums[index].add(row, listed[index])
            }
        }
        return rows
    }

    /// Whether an index holds these entries and no others, in their order and, if it is unique,
    /// each key once.
    private func holds(_ index: TableIndex, _ rows: EntrySum) throws(StoreError) -> Bool {
        let text = index.walk(of: table)
        // Only so the entries are read where they are, and not from the rows.
        guard index.isWalk(try plan(of: text), of: table) else { return false }
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

    /// How many entries the pages of an index hold; nil if this engine cannot tell.
    private func entries(of index: TableIndex) throws(StoreError) -> Int64? {
        guard try connection.first(Text.canCount, decode: { $0.truth(0) }) == true
        else { return nil }
        return try connection.first(Text.entries, index.name) { $0.optionalInteger(0) } ?? nil
    }

    /// The text that a table was made with; nil if there is none of this name.
    func definition(of table: String) throws(StoreError) -> String? {
        try connection.first(Text.definition, table) { $0.text(0) }
    }

    /// Which column of a table is its rows' number.
    func numberColumn(of table: String) throws(StoreError) -> String? {
        try connection.first(Text.number, table) { $0.text(0) }
    }

    /// Whether the table is stored in the order of its key, where it has no rows' numbers.
    private func isRowless() throws(StoreError) -> Bool {
        try connection.first(Text.isRowless, table) { $0.truth(0) } ?? true
    }

    private func indexes() throws(StoreError) -> [TableIndex] {
        let number = try numberColumn(of: table)
        var indexes = try connection.all(Text.indexes, table) { row in
            // On lines of its own, since it may end with a comment.
            let condition = StoredRules.condition(in: row.text(3)).map { "(\($0)\n)" }
            return TableIndex(
                name: row.text(0), isUnique: row.truth(1), isOfSome: row.truth(2),
                condition: row.truth(2) ? condition : nil)
        }
        for place in indexes.indices {
            _ = try connection.all(Text.columns, indexes[place].name) { row in
                let cid = row.integer(0)
                // -1 is the row's number, -2 an expression.
                let column = TableIndex.Column(
                    name: cid == -1 ? "rowid" : row.text(1),
                    text: cid == -1 ? "rowid" : Self.quoted(row.text(1)),
                    isPlain: cid >= -1 && !row.truth(2) && row.text(3) == "BINARY",
                    isNumber: cid >= 0 && row.text(1) == number)
                indexes[place].append(column, isKey: row.truth(4))
            }
            indexes[place].way = try way(indexes[place])
        }
        return indexes
    }

    private func way(_ index: TableIndex) throws(StoreError) -> TableIndex.Way {
        guard index.columns.allSatisfy(\.isPlain), index.isOfSome == (index.condition != nil)
        else { return .engine }
        if !index.columns.contains(where: \.isNumber) {
            if index.condition == nil { return .walk }
            if index.isWalk(try plan(of: index.walk(of: table)), of: table) { return .walk }
        }
        // A search sees no other entry of the same key.
        return index.isUnique ? .engine : .search
    }

    /// How SQLite would go about a query, in its words; nothing if it would not.
    private func plan(of text: String) throws(StoreError) -> [String] {
        do throws(StoreError) {
            return try connection.all(Self.query("EXPLAIN QUERY PLAN " + text)) { $0.text(3) }
        } catch {
            // Somebody else's index may have a condition that can be asked in no such query.
            guard case .engine = error else { throw error }
            return []
        }
    }

    static func quoted(_ name: String) -> String { TableIndex.quoted(name) }

    static func query(_ text: String) -> SQL {
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
        static let indexes = SQL(
            """
            SELECT listed.name, "unique", partial, sql
            FROM pragma_index_list($1) AS listed LEFT JOIN sqlite_master AS made
                ON made.type = 'index' AND made.name = listed.name
            ORDER BY seq
            """)
        // A key of one whole number is the row's number by another name.
        static let number = SQL(
            """
            SELECT MAX(name) FROM pragma_table_info($1) WHERE pk > 0
            HAVING COUNT(*) = 1 AND MAX(upper(type)) = 'INTEGER'
            """)
        static let canCount = SQL(
            "SELECT EXISTS (SELECT 1 FROM pragma_module_list WHERE name = 'dbstat')")
        static let entries = SQL("SELECT SUM(ncell) FROM dbstat WHERE name = $1")
        static let columns = SQL(
            "SELECT cid, name, \"desc\", coll, key FROM pragma_index_xinfo($1) ORDER BY seqno")
    }
}
