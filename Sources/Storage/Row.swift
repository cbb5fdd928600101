internal import GRDBSQLite
internal import TollgateKernel

/// The row a statement stands on; valid inside the closure it is given to.
struct Row {
    /// The statement.
    let statement: OpaquePointer

    /// Whether a column, from 0, is NULL.
    func isNull(_ column: Int32) -> Bool {
        sqlite3_column_type(statement, column) == SQLITE_NULL
    }

    /// A whole number.
    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    /// A whole number, or nothing.
    func optionalInteger(_ column: Int32) -> Int64? {
        isNull(column) ? nil : integer(column)
    }

    /// A truth value, stored as 0 or 1.
    func truth(_ column: Int32) -> Bool { integer(column) != 0 }

    /// A text; empty for NULL.
    func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_text(statement, column) else { return "" }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// A text, or nothing.
    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

    /// Bytes; none for NULL.
    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(statement, column) else { return [] }
        let count = Int(sqlite3_column_bytes(statement, column))
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    /// A moment.
    func moment(_ column: Int32) -> Timestamp { Timestamp(milliseconds: integer(column)) }

    /// A moment, or nothing.
    func optionalMoment(_ column: Int32) -> Timestamp? {
        optionalInteger(column).map { Timestamp(milliseconds: $0) }
    }

    /// One of a closed set of words.
    func word<Word: RawRepresentable<String>>(
        _ column: Int32, as type: Word.Type = Word.self
    ) throws(StoreError) -> Word {
        let stored = text(column)
        guard let word = Word(rawValue: stored) else {
            throw .corrupt("\(Word.self) cannot be '\(stored)'")
        }
        return word
    }
}
