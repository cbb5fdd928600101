/// An index of a table that is audited (``TableAudit``).
struct TableIndex {
    /// How its entries are compared with the rows.
    enum Way {
        /// They are read where they lie, all of them, in their order.
        case walk
        /// Each row's own is searched for, and there are to be as many.
        ///
        /// So it is with an index of some rows whose condition asks for what no entry holds, for
        /// which SQLite would read the row, and with one that repeats the row's number, which it
        /// would read from the entry's end alone.
        case search
        /// By SQLite itself.
        case engine
    }

    let name: String
    let isUnique: Bool
    /// Whether only some rows have an entry.
    let isOfSome: Bool
    /// Which ones, as SQL; nil if all have, or if it is not known.
    let condition: String?
    var way = Way.engine
    /// The columns in the order it has them: those of its key, and those that name the row.
    private(set) var columns: [Column] = []
    /// How many of them are its key.
    private(set) var keyColumns = 0

    /// A column of an entry.
    struct Column {
        /// As SQLite's plans name it.
        let name: String
        /// As SQL.
        let text: String
        /// Whether it is a column of the row, in the order of its bytes, and not an expression.
        let isPlain: Bool
        /// Whether it is the row's number by its own name.
        let isNumber: Bool
    }

    init(name: String, isUnique: Bool, isOfSome: Bool, condition: String?) {
        self.name = name
        self.isUnique = isUnique
        self.isOfSome = isOfSome
        self.condition = condition
    }

    /// Takes the next column in.
    mutating func append(_ column: Column, isKey: Bool) {
        columns.append(column)
        if isKey { keyColumns += 1 }
    }

    /// A query of its entries, in their order.
    func walk(of table: String) -> String {
        "SELECT \(columns.map(\.text).joined(separator: ", "))"
            + " FROM \(Self.quoted(table)) INDEXED BY \(Self.quoted(name))"
            + (condition.map { " WHERE \($0)" } ?? "")
    }

    /// Whether a plan is a walk that reads nothing but entries.
    func isWalk(_ plan: [String], of table: String) -> Bool {
        guard plan.count == 1 else { return false }
        let walk = "SCAN \(table) USING COVERING INDEX \(name)"
        // That a column is not NULL is a condition by which it would search.
        let search = "SEARCH \(table) USING COVERING INDEX \(name) ("
        return plan[0] == walk || isOfSome && plan[0].hasPrefix(search)
    }

    /// Whether a row has an entry, as SQL: NULL if it is to have none.
    var presence: String {
        condition.map { "CASE WHEN \($0) THEN 1 END" } ?? "1"
    }

    /// Whether the entry that a row is to have is there, as SQL; NULL if it is to have none.
    func search(in table: String) -> String {
        let table = Self.quoted(table)
        let same = columns.map { "entry.\($0.text) IS \(table).\($0.text)" }
        let terms = (condition.map { [$0] } ?? []) + same
        return """
            CASE WHEN \(condition ?? "1") THEN EXISTS (
                SELECT 1 FROM \(table) AS entry INDEXED BY \(Self.quoted(name))
                WHERE \(terms.joined(separator: " AND "))) END
            """
    }

    /// Whether a plan of such a search compares all that an entry holds.
    func isSearch(_ plan: String) -> Bool {
        let terms = columns.map { "\($0.name)=?" }.joined(separator: " AND ")
        return plan == "SEARCH entry USING INDEX \(name) (\(terms))"
            || plan == "SEARCH entry USING COVERING INDEX \(name) (\(terms))"
    }

    /// A name as SQL.
    static func quoted(_ name: String) -> String {
        "\"\(name.replacing("\"", with: "\"\""))\""
    }
}
