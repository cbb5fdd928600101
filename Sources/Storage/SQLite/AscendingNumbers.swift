internal import GRDBSQLite
internal import TollgateKernel

/// Numbers of a table in their order, taken one at a time while other statements run.
final class AscendingNumbers {
    private let connection: SQLiteConnection
    private let prepared: SQLiteConnection.Prepared

    /// Makes a statement that answers with the numbers from `$1` on, in their order, its own.
    init(_ connection: SQLiteConnection, _ sql: SQL) throws(StoreError) {
        self.connection = connection
        prepared = try connection.prepared(sql)
    }

    // A statement that is left open would keep the moment that it reads.
    deinit { sqlite3_reset(prepared.statement) }

    /// The first one from a number on; nil if there is none.
    func first(from number: Int64) throws(StoreError) -> Int64? {
        sqlite3_reset(prepared.statement)
        let code = sqlite3_bind_int64(prepared.statement, 1, number)
        guard code == SQLITE_OK else { throw connection.failure(code) }
        return try next()
    }

    /// The next one; nil if there is none, and then not to be asked again.
    func next() throws(StoreError) -> Int64? {
        switch sqlite3_step(prepared.statement) {
        case SQLITE_ROW: return sqlite3_column_int64(prepared.statement, 0)
        case SQLITE_DONE: return nil
        case let code: throw connection.failure(code)
        }
    }
}
