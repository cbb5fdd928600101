internal import TollgateKernel

/// What a table's rows point at.
extension TableAudit {
    /// A reference to another table's rows: its columns there and here, as SQL.
    private struct Reference {
        let parent: String
        var own: [String] = []
        var other: [String] = []
        /// Whether a query goes through its values here in their order.
        var isListed = false
    }

    /// Whether every reference finds its row; false also if the engine has to be asked.
    func pointsAtRows(_ indexes: [TableIndex]) throws(StoreError) -> Bool {
        var references: [Int64: Reference] = [:]
        var isKnown = true
        _ = try connection.all(References.all, table) { row in
            if row.isNull(3) { isKnown = false }
            var reference = references[row.integer(0)] ?? Reference(parent: row.text(1))
            reference.own.append(Self.quoted(row.text(2)))
            reference.other.append(Self.quoted(row.text(3)))
            references[row.integer(0)] = reference
        }
        guard isKnown else { return false }
        for var reference in references.values {
            guard try definition(of: reference.parent) != nil else { return false }
            // An index in their order tells equal ones from new ones at no cost.
            reference.isListed = indexes.contains { index in
                index.way != .engine && !index.isOfSome
                    && [index.columns.first?.text] == reference.own
            }
            let number = try numberColumn(of: reference.parent)
            let finds =
                reference.other == [number.map(Self.quoted)]
                ? try findsNumbers(reference) : try findsKeys(reference)
            guard finds else { return false }
        }
        return true
    }

    /// Whether references to rows by their numbers find them.
    private func findsNumbers(_ reference: Reference) throws(StoreError) -> Bool {
        let (own, other) = (reference.own[0], reference.other[0])
        let values = """
            SELECT \(reference.isListed ? "DISTINCT " : "")\(own) FROM \(Self.quoted(table))
            WHERE \(own) IS NOT NULL
            """
        let numbers = """
            SELECT \(other) FROM \(Self.quoted(reference.parent)) NOT INDEXED
            WHERE \(other) >= $1 ORDER BY \(other)
            """
        var rows = RowNumbers(try AscendingNumbers(connection, Self.query(numbers)))
        var isWhole = true
        var failure: StoreError?
        try connection.forEach(Self.query(values)) { row in
            guard isWhole, failure == nil else { return }
            guard case .integer(let number) = row.stored(0) else {
                isWhole = false
                return
            }
            do throws(StoreError) {
                isWhole = try rows.contains(number)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return isWhole
    }

    /// Whether references to rows by what else names them find them.
    private func findsKeys(_ reference: Reference) throws(StoreError) -> Bool {
        let own = reference.own
        let same = zip(reference.other, own).map { "parent.\($0) = child.\($1)" }
        let query = Self.query(
            """
            SELECT EXISTS (
                SELECT 1 FROM (
                    SELECT \(reference.isListed ? "DISTINCT " : "")\(own.joined(separator: ", "))
                    FROM \(Self.quoted(table))) AS child
                WHERE \(own.map { "child.\($0) IS NOT NULL" }.joined(separator: " AND "))
                    AND NOT EXISTS (
                        SELECT 1 FROM \(Self.quoted(reference.parent)) AS parent WHERE
                        \(same.joined(separator: " AND "))))
            """)
        return try connection.first(query) { $0.integer(0) } == 0
    }

    private enum References {
        static let all = SQL(
            """
            SELECT id, "table", "from", "to" FROM pragma_foreign_key_list($1) ORDER BY id, seq
            """)
    }
}
