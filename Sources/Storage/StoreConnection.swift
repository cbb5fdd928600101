internal import TollgateKernel

/// One connection of either engine, as the repositories use it.
///
/// An enumeration and not a protocol: the repositories are reached through existentials, and
/// behind those the compiler specialises nothing. A branch that always goes the same way costs
/// less than a witness table for every column of every row.
enum StoreConnection {
    /// A connection to SQLite's file.
    case sqlite(SQLiteConnection)

    /// Runs a statement without an answer; how many rows it changed.
    @discardableResult
    func run<each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter
    ) throws(StoreError) -> Int {
        switch self {
        case .sqlite(let connection): try connection.run(sql, repeat each parameters)
        }
    }

    /// The first row of the answer.
    func first<Value, each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter,
        decode: (Row) throws(StoreError) -> Value
    ) throws(StoreError) -> Value? {
        switch self {
        case .sqlite(let connection):
            try connection.first(sql, repeat each parameters, decode: decode)
        }
    }

    /// Every row of the answer.
    ///
    /// The texts bound it with LIMIT.
    func all<Value, each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter,
        decode: (Row) throws(StoreError) -> Value
    ) throws(StoreError) -> [Value] {
        switch self {
        case .sqlite(let connection):
            try connection.all(sql, repeat each parameters, decode: decode)
        }
    }

    /// Gives each row of the answer to a closure, however many there are.
    ///
    /// The closure runs no statement on the same connection.
    func forEach(_ sql: SQL, _ body: (Row) -> Void) throws(StoreError) {
        switch self {
        case .sqlite(let connection): try connection.forEach(sql, body)
        }
    }

    /// Runs a text of one or more statements that is used once: DDL and settings.
    func execute(_ text: String) throws(StoreError) {
        switch self {
        case .sqlite(let connection): try connection.execute(text)
        }
    }

    /// Whether no transaction is open: inside one, the engine has undone everything.
    var isOutsideTransaction: Bool {
        switch self {
        case .sqlite(let connection): connection.isOutsideTransaction
        }
    }
}
