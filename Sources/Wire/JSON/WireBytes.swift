/// The protobuf encoding's own parts: variable-length numbers and keys.
///
/// Source: <https://protobuf.dev/programming-guides/encoding/>.
struct WireReader {
    /// One value with the number of its field.
    struct Entry {
        var number: Int
        var value: Value
    }

    /// What stands on the wire after a key.
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case delimited(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>

    /// Reads from the bytes' start.
    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; nil at the end.
    mutating func next() throws(WireError) -> Entry? {
        guard !rest.isEmpty else { return nil }
        let key = try varint()
        guard key >> 3 >= 1, key >> 3 <= 536_870_911 else {
            throw .malformed("\(key >> 3) is no field number")
        }
        let value: Value
        switch key & 7 {
        case 0: value = .varint(try varint())
        case 1: value = .fixed64(try fixed(8))
        case 2: value = .delimited(try delimited())
        case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
        default: throw .malformed("\(key & 7) is no wire type")
        }
        return Entry(number: Int(key >> 3), value: value)
    }

    /// Whether everything is read.
    var isAtEnd: Bool { rest.isEmpty }

    /// A variable-length number.
    mutating func varint() throws(WireError) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw .malformed("a number is cut off") }
            if shift == 63, byte > 1 { break }
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        throw .malformed("a number has more than 64 bits")
    }

    /// A little-endian number of so many bytes.
    mutating func fixed(_ count: Int) throws(WireError) -> UInt64 {
        guard rest.count >= count else { throw .malformed("a fixed number is cut off") }
        var result: UInt64 = 0
        for (place, byte) in rest.prefix(count).enumerated() {
            result |= UInt64(byte) << UInt64(8 * place)
        }
        rest.removeFirst(count)
        return result
    }

    private mutating func delimited() throws(WireError) -> ArraySlice<UInt8> {
        let count = try varint()
        guard count <= UInt64(rest.count) else {
            throw .malformed("a field of \(count) bytes is cut off")
        }
        let result = rest.prefix(Int(count))
        rest.removeFirst(Int(count))
        return result
    }
}

/// Writes the protobuf encoding.
struct WireWriter {
    /// What is written so far.
    private(set) var bytes: [UInt8] = []

    /// A variable-length number.
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A field's key.
    mutating func key(_ number: Int, wireType: UInt64) { varint(UInt64(number) << 3 | wireType) }

    /// A little-endian 64-bit number.
    mutating func fixed64(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// A field of bytes with their length.
    mutating func delimited(_ number: Int, _ value: [UInt8]) {
        key(number, wireType: 2)
        varint(UInt64(value.count))
        bytes += value
    }

    /// Bytes that are encoded already.
    mutating func raw(_ value: [UInt8]) { bytes += value }
}
