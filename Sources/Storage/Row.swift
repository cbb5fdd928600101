internal import CPostgres
internal import GRDBSQLite
internal import TollgateKernel

/// A row of an answer; valid inside the closure it is given to.
///
/// Two plain words and no reference, so that handing it on counts nothing.
struct Row {
    /// SQLite's statement, standing on the row; or PostgreSQL's whole answer.
    private let source: OpaquePointer
    /// The row's number in PostgreSQL's answer; -1 for SQLite.
    private let number: Int32

    /// The row a statement of SQLite stands on.
    init(statement: OpaquePointer) {
        source = statement
        number = -1
    }

    /// A row of PostgreSQL's answer.
    init(answer: OpaquePointer, row: Int32) {
        source = answer
        number = row
    }

    /// Whether a column, from 0, is NULL.
    func isNull(_ column: Int32) -> Bool {
        number < 0
            ? sqlite3_column_type(source, column) == SQLITE_NULL
            : PostgreSQLAnswer.isNull(source, number, column)
    }

    /// A whole number.
    func integer(_ column: Int32) -> Int64 {
        number < 0
            ? sqlite3_column_int64(source, column)
            : PostgreSQLAnswer.integer(source, number, column)
    }

    /// A whole number, or nothing.
    func optionalInteger(_ column: Int32) -> Int64? {
        isNull(column) ? nil : integer(column)
    }

    /// A truth value, stored as 0 or 1.
    func truth(_ column: Int32) -> Bool { integer(column) != 0 }

    /// A text; empty for NULL.
    func text(_ column: Int32) -> String {
        guard number < 0 else {
            return String(
                decoding: PostgreSQLAnswer.bytes(source, number, column), as: UTF8.self)
        }
        guard let start = sqlite3_column_text(source, column) else { return "" }
        let count = Int(sqlite3_column_bytes(source, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// A text, or nothing.
    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

    /// Bytes; none for NULL.
    func bytes(_ column: Int32) -> [UInt8] {
        guard number < 0 else {
            return [UInt8](PostgreSQLAnswer.bytes(source, number, column))
        }
        guard let start = sqlite3_column_blob(source, column) else { return [] }
        let count = Int(sqlite3_column_bytes(source, column))
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    /// A text where it lies, not copied; empty for NULL.
    ///
    /// Valid as long as the row, and until the same column is read in another way.
    func lent(_ column: Int32) -> LentText { LentText(lentBytes(column)) }

    /// Bytes where they lie, as ``lent(_:)``; none for NULL.
    func lentBytes(_ column: Int32) -> UnsafeRawBufferPointer {
        guard number < 0 else { return PostgreSQLAnswer.bytes(source, number, column) }
        // Asked for as a blob a text needs no zero at its end, for which SQLite would copy it.
        let start = sqlite3_column_blob(source, column)
        return UnsafeRawBufferPointer(
            start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(source, column)))
    }

    /// What SQLite has stored in a column, where it lies; valid as long as the row.
    func stored(_ column: Int32) -> StoredValue {
        switch sqlite3_column_type(source, column) {
        case SQLITE_NULL: .null
        case SQLITE_INTEGER: .integer(sqlite3_column_int64(source, column))
        case SQLITE_TEXT: .text(lentBytes(column))
        case SQLITE_BLOB: .blob(lentBytes(column))
        default: .real(sqlite3_column_double(source, column))
        }
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

/// A value as SQLite stores it.
enum StoredValue {
    case null
    case integer(Int64)
    case real(Double)
    case text(UnsafeRawBufferPointer)
    case blob(UnsafeRawBufferPointer)
}
