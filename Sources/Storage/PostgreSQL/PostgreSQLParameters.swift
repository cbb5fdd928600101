/// The kinds of value a statement's parameter can have; raw values are PostgreSQL's type numbers.
enum ParameterType: UInt32 {
    case integer = 20
    case text = 25
    case bytes = 17
}

/// A statement's parameters in PostgreSQL's binary form, one after the other in one buffer.
///
/// Binary, so that no value is ever quoted, escaped or parsed on its way.
struct PostgreSQLParameters {
    private var types: [UInt32] = []
    private var buffer: [UInt8] = []
    /// Where each value begins; nil for NULL.
    private var starts: [Int?] = []
    private var lengths: [Int32] = []

    /// Adds NULL of a type.
    mutating func appendNull(_ type: ParameterType) {
        types.append(type.rawValue)
        starts.append(nil)
        lengths.append(0)
    }

    /// Adds a whole number.
    mutating func append(_ value: Int64) {
        withUnsafeBytes(of: value.bigEndian) { append($0, .integer) }
    }

    /// Adds a text or bytes.
    mutating func append(_ value: some Sequence<UInt8>, _ type: ParameterType) {
        let start = buffer.count
        buffer.append(contentsOf: value)
        types.append(type.rawValue)
        starts.append(start)
        lengths.append(Int32(buffer.count - start))
    }

    /// How many there are.
    var count: Int32 { Int32(types.count) }

    /// Lends the types as libpq wants them.
    func withTypes<Value>(_ body: (UnsafePointer<UInt32>?) -> Value) -> Value {
        types.withUnsafeBufferPointer { body($0.baseAddress) }
    }

    /// Lends addresses, lengths and formats as libpq wants them.
    func withValues<Value>(
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> Value
    ) -> Value {
        var bytes = buffer
        // An empty text is not NULL: it needs an address, even if there is nothing there.
        if bytes.isEmpty { bytes.append(0) }
        return bytes.withUnsafeBytes { raw in
            let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            let addresses = starts.map { start in start.flatMap { base?.advanced(by: $0) } }
            let formats = [Int32](repeating: 1, count: types.count)
            return addresses.withUnsafeBufferPointer { addresses in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(addresses.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}
