internal import TollgateKernel

/// One connection of either engine, as the repositories use it.
///
/// An enumeration and not a protocol: the repositories are reached through existentials, and
/// behind those the compiler specialises nothing. A branch that always goes the same way costs
/// less than a witness table for every column of every row.
enum StoreConnection {
    /// A connection to SQLite's file.
    case sqlite(SQLiteConnection)
    /// A connection to PostgreSQL.
    case postgreSQL(PostgreSQLConnection)
    /// None: what is asked may not be answered from a replica.
    case refusing

    /// Runs a statement without an answer; how many rows it changed.
    @discardableResult
    func run<each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter
    ) throws(StoreError) -> Int {
        switch self {
        case .sqlite(let connection): try connection.run(sql, repeat each parameters)
        case .postgreSQL(let connection): try connection.run(sql, repeat each parameters)
        case .refusing: throw Self.refusal
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
        case .postgreSQL(let connection):
            try connection.first(sql, repeat each parameters, decode: decode)
        case .refusing: throw Self.refusal
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
        case .postgreSQL(let connection):
            try connection.all(sql, repeat each parameters, decode: decode)
        case .refusing: throw Self.refusal
        }
    }

    /// Gives each row of the answer to a closure, however many there are.
    ///
    /// The closure runs no statement on the same connection.
    func forEach(_ sql: SQL, _ body: (Row) -> Void) throws(StoreError) {
        switch self {
        case .sqlite(let connection): try connection.forEach(sql, body)
        case .postgreSQL(let connection): try connection.forEach(sql, body)
        case .refusing: throw Self.refusal
        }
    }

    /// Runs a text of one or more statements that is used once: DDL and settings.
    func execute(_ text: String) throws(StoreError) {
        switch self {
        case .sqlite(let connection): try connection.execute(text)
        case .postgreSQL(let connection): try connection.execute(text)
        case .refusing: throw Self.refusal
        }
    }

    /// Whether no transaction is open: inside one, the engine has undone everything.
    var isOutsideTransaction: Bool {
        switch self {
        case .sqlite(let connection): connection.isOutsideTransaction
        case .postgreSQL(let connection): connection.isOutsideTransaction
        case .refusing: true
        }
    }

    private static var refusal: StoreError {
        .engine("login sessions, balances and freezes are never read from a replica")
    }
}
