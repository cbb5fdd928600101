internal import GRDB
internal import GRDBSQLite
internal import TollgateKernel

/// One SQLite connection as the repositories use it: prepared statements, stepped directly.
///
/// GRDB opens, configures and closes the connection and owns every statement it prepares; stepping
/// goes straight to SQLite, which more than doubles what a batch carries. Used by one thread at a
/// time, which whoever owns it guarantees.
final class SQLiteConnection {
    private let database: Database
    private let handle: OpaquePointer
    private let readGuard: ReadGuard?
    private var prepared: [Prepared?] = []

    /// A statement, and where its parameters `$1`, `$2` … are, in that order.
    struct Prepared {
        let owner: Statement
        let statement: OpaquePointer
        let places: [Int32]
    }

    /// Wraps an open connection, for one read under its guard if there is one.
    init(_ database: Database, _ readGuard: ReadGuard? = nil) throws(StoreError) {
        guard let handle = database.sqliteConnection else { throw .engine("closed") }
        self.database = database
        self.handle = handle
        self.readGuard = readGuard
    }

    /// Lets the statements that `body` runs, an audit's, be ended once nobody wants them any more.
    func atLength<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        guard let readGuard else { return try body() }
        return try readGuard.atLength(body)
    }

    /// Whether somebody still wants what the statements of an audit find.
    var isWanted: Bool { readGuard?.isWanted ?? true }

    /// Where the database's file is; empty for one in memory.
    var path: String? { sqlite3_db_filename(handle, "main").map { String(cString: $0) } }

    /// Whether no transaction is open: inside one, the engine has undone everything.
    var isOutsideTransaction: Bool { sqlite3_get_autocommit(handle) != 0 }

    /// Rows changed since the connection was opened.
    var totalChanges: Int64 { Int64(sqlite3_total_changes(handle)) }

    /// Forgets the prepared statements, so that the connection can be closed.
    func forgetStatements() { prepared.removeAll() }

    /// Runs a statement without an answer; how many rows it changed.
    @discardableResult
    func run<each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter
    ) throws(StoreError) -> Int {
        let statement = try bind(sql, repeat each parameters)
        defer { sqlite3_reset(statement) }
        var code = sqlite3_step(statement)
        while code == SQLITE_ROW { code = sqlite3_step(statement) }
        guard code == SQLITE_DONE else { throw failure(code) }
        return Int(sqlite3_changes(handle))
    }

    /// The first row of the answer.
    func first<Value, each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter,
        decode: (Row) throws(StoreError) -> Value
    ) throws(StoreError) -> Value? {
        let statement = try bind(sql, repeat each parameters)
        defer { sqlite3_reset(statement) }
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return try decode(Row(statement: statement))
        case SQLITE_DONE: return nil
        case let code: throw failure(code)
        }
    }

    /// Every row of the answer.
    ///
    /// The texts bound it with LIMIT.
    func all<Value, each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter,
        decode: (Row) throws(StoreError) -> Value
    ) throws(StoreError) -> [Value] {
        let statement = try bind(sql, repeat each parameters)
        defer { sqlite3_reset(statement) }
        var values: [Value] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: values.append(try decode(Row(statement: statement)))
            case SQLITE_DONE: return values
            case let code: throw failure(code)
            }
        }
    }

    /// Gives each row of the answer to a closure, however many there are.
    func forEach(_ sql: SQL, _ body: (Row) -> Void) throws(StoreError) {
        let statement = try bind(sql)
        defer { sqlite3_reset(statement) }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: body(Row(statement: statement))
            case SQLITE_DONE: return
            case let code: throw failure(code)
            }
        }
    }

    /// Runs a text of one or more statements that is used once: DDL and pragmas.
    func execute(_ text: String) throws(StoreError) {
        let code = sqlite3_exec(handle, text, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// Writes the log's bytes over themselves and syncs them.
    ///
    /// After a failed sync the kernel calls pages clean that never reached the disk: they can be
    /// read, but no further sync writes them. Written once more, they are dirty again. They may
    /// also have been dropped and read again as they were before: so the disk has to prove, by
    /// the frames' checksums, that it holds all that the log's index counts.
    /// - Throws: if it does not.
    func rewriteLog() throws(StoreError) {
        var found: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &found)
        guard code == SQLITE_OK, let file = found, let methods = file.pointee.pMethods?.pointee,
            let measure = methods.xFileSize, let read = methods.xRead,
            let write = methods.xWrite, let sync = methods.xSync
        else { throw .engine("the log cannot be reached (\(code))") }
        var size: sqlite3_int64 = 0
        var result = measure(file, &size)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var offset: sqlite3_int64 = 0
        while result == SQLITE_OK, offset < size {
            let count = min(sqlite3_int64(buffer.count), size - offset)
            result = read(file, &buffer, Int32(count), offset)
            if result == SQLITE_OK { result = write(file, buffer, Int32(count), offset) }
            offset += count
        }
        if result == SQLITE_OK { result = sync(file, SQLITE_SYNC_FULL) }
        guard result == SQLITE_OK else { throw .engine("the log cannot be kept (\(result))") }
        try proveLog()
    }

    private func proveLog() throws(StoreError) {
        var found: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &found)
        guard code == SQLITE_OK, let file = found,
            let name = sqlite3_db_filename(handle, "main"), let log = sqlite3_filename_wal(name)
        else { throw .engine("the log cannot be reached (\(code))") }
        try LogOnDisk(path: String(cString: log)).prove(LogIndex(of: file))
    }

    private func bind<each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter
    ) throws(StoreError) -> OpaquePointer {
        let ready = try prepared(sql)
        var position = 0
        var code = SQLITE_OK
        for parameter in repeat each parameters {
            guard position < ready.places.count else { throw .engine("too many parameters") }
            let result = parameter.bind(to: ready.statement, at: ready.places[position])
            if result != SQLITE_OK { code = result }
            position += 1
        }
        guard code == SQLITE_OK else { throw failure(code) }
        guard position == ready.places.count else { throw .engine("too few parameters") }
        return ready.statement
    }

    /// The statement of a text, as it was left.
    func prepared(_ sql: SQL) throws(StoreError) -> Prepared {
        if sql.number < prepared.count, let known = prepared[sql.number] { return known }
        let owner: Statement
        do {
            owner = try database.cachedStatement(sql: sql.text)
        } catch {
            throw .engine("cannot prepare: \(error)")
        }
        let statement = owner.sqliteStatement
        // A parameter's place is where its name comes first in the text, not its number.
        let places = (0..<sqlite3_bind_parameter_count(statement)).map { number in
            sqlite3_bind_parameter_index(statement, "$\(number + 1)")
        }
        guard !places.contains(0) else { throw .engine("parameters are not $1, $2 …: \(sql.text)") }
        while prepared.count <= sql.number { prepared.append(nil) }
        let ready = Prepared(owner: owner, statement: statement, places: places)
        prepared[sql.number] = ready
        return ready
    }

    /// What SQLite says of a code that it answered with.
    func failure(_ code: Int32) -> StoreError {
        let text = String(cString: sqlite3_errmsg(handle))
        switch code & 0xff {
        case SQLITE_CONSTRAINT: return .constraint(text)
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(text)
        default: return .engine("\(text) (\(sqlite3_extended_errcode(handle)))")
        }
    }
}
