internal import GRDBSQLite

/// A value that can stand for a statement's parameter.
protocol Bindable {
    /// What it is to PostgreSQL, present or NULL.
    static var parameterType: ParameterType { get }

    /// Binds it at a place, from 1; SQLite's result code.
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32

    /// Adds it to a statement's parameters on PostgreSQL.
    func append(to parameters: inout PostgreSQLParameters)
}

/// Tells SQLite to copy what it is given: our strings and arrays may move.
private let copied = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)

extension Int64: Bindable {
    static var parameterType: ParameterType { .integer }

    func append(to parameters: inout PostgreSQLParameters) { parameters.append(self) }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, self)
    }
}

extension Int: Bindable {
    static var parameterType: ParameterType { .integer }

    func append(to parameters: inout PostgreSQLParameters) { parameters.append(Int64(self)) }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, Int64(self))
    }
}

extension Bool: Bindable {
    static var parameterType: ParameterType { .integer }

    func append(to parameters: inout PostgreSQLParameters) { parameters.append(self ? 1 : 0) }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, self ? 1 : 0)
    }
}

extension String: Bindable {
    static var parameterType: ParameterType { .text }

    func append(to parameters: inout PostgreSQLParameters) { parameters.append(utf8, .text) }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        var text = self
        return text.withUTF8 { bytes in
            // An empty buffer may have no address, which SQLite would read as NULL.
            guard let base = bytes.baseAddress else {
                return sqlite3_bind_text(statement, index, "", 0, copied)
            }
            return base.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                sqlite3_bind_text64(
                    statement, index, $0, sqlite3_uint64(bytes.count), copied, UInt8(SQLITE_UTF8))
            }
        }
    }
}

extension [UInt8]: Bindable {
    static var parameterType: ParameterType { .bytes }

    func append(to parameters: inout PostgreSQLParameters) { parameters.append(self, .bytes) }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, !bytes.isEmpty else {
                return sqlite3_bind_zeroblob(statement, index, 0)
            }
            return sqlite3_bind_blob64(
                statement, index, base, sqlite3_uint64(bytes.count), copied)
        }
    }
}

extension Optional: Bindable where Wrapped: Bindable {
    static var parameterType: ParameterType { Wrapped.parameterType }

    func append(to parameters: inout PostgreSQLParameters) {
        switch self {
        case .some(let value): value.append(to: &parameters)
        case .none: parameters.appendNull(Wrapped.parameterType)
        }
    }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch self {
        case .some(let value): value.bind(to: statement, at: index)
        case .none: sqlite3_bind_null(statement, index)
        }
    }
}
