internal import TollgateKernel

/// JSON to bytes of a message.
struct JSONReader {
    /// The text's reader.
    var scanner: JSONScanner

    /// Reads an object as a message; `place` names it in errors.
    mutating func message(
        as shape: MessageDescriptor, at place: String, depth: Int
    ) throws(WireError) -> [UInt8] {
        guard depth < Limits.wireJSONDepth else { throw scanner.unexpected("nests too deep") }
        guard scanner.skip("{") else {
            throw wrong(place, "expected an object for \(shape.name)")
        }
        var encoded: [Int: [UInt8]] = [:]
        var seen: Set<Int> = []
        var groups: Set<Int> = []
        if !scanner.skip("}") {
            repeat {
                let name = try scanner.text()
                try scanner.expect(":")
                let inner = place.isEmpty ? name : "\(place).\(name)"
                guard
                    let field = shape.fields.first(where: { $0.jsonName == name || $0.name == name }
                    )
                else { throw wrong(inner, "\(shape.name) has no such field") }
                guard seen.insert(field.number).inserted else {
                    throw wrong(inner, "the field is given twice")
                }
                // Null is the same as leaving the field out.
                if scanner.skip(word: "null") { continue }
                if case .oneof(let group) = field.cardinality, !groups.insert(group).inserted {
                    throw wrong(inner, "another field of the same oneof is given too")
                }
                encoded[field.number] = try self.field(field, at: inner, depth: depth)
            } while scanner.skip(",")
            try scanner.expect("}")
        }
        return encoded.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    private mutating func field(
        _ field: FieldDescriptor, at place: String, depth: Int
    ) throws(WireError) -> [UInt8] {
        switch field.cardinality {
        case .singular:
            return try value(of: field, at: place, depth: depth, keepsDefault: false)
        case .oneof:
            return try value(of: field, at: place, depth: depth, keepsDefault: true)
        case .textMap:
            return try map(of: field, at: place)
        case .repeated:
            guard scanner.skip("[") else { throw wrong(place, "expected an array") }
            return try list(of: field, at: place, depth: depth)
        }
    }

    /// The elements up to the bracket; numbers are packed, as proto3 has it.
    private mutating func list(
        of field: FieldDescriptor, at place: String, depth: Int
    ) throws(WireError) -> [UInt8] {
        if scanner.skip("]") { return [] }
        var element = field
        // Elements of a packed array have no keys; 0 stands for none.
        if field.kind.isPackable { element.number = 0 }
        var bytes: [UInt8] = []
        var count = 0
        repeat {
            let inner = "\(place)[\(count)]"
            bytes += try value(of: element, at: inner, depth: depth, keepsDefault: true)
            count += 1
        } while scanner.skip(",")
        try scanner.expect("]")
        guard field.kind.isPackable else { return bytes }
        var writer = WireWriter()
        writer.delimited(field.number, bytes)
        return writer.bytes
    }

    private mutating func map(
        of field: FieldDescriptor, at place: String
    ) throws(WireError) -> [UInt8] {
        guard scanner.skip("{") else { throw wrong(place, "expected an object") }
        var writer = WireWriter()
        if scanner.skip("}") { return [] }
        var seen: Set<String> = []
        repeat {
            let key = try text(at: place)
            try scanner.expect(":")
            guard seen.insert(key).inserted else {
                throw wrong(place, "the key \(key) stands twice")
            }
            var entry = WireWriter()
            entry.delimited(1, Array(key.utf8))
            entry.delimited(2, Array(try text(at: "\(place).\(key)").utf8))
            writer.delimited(field.number, entry.bytes)
        } while scanner.skip(",")
        try scanner.expect("}")
        return writer.bytes
    }

    /// One value with its key; nothing for a default that need not be kept.
    private mutating func value(
        of field: FieldDescriptor, at place: String, depth: Int, keepsDefault: Bool
    ) throws(WireError) -> [UInt8] {
        var writer = WireWriter()
        let number: UInt64
        switch field.kind {
        case .string, .bytes, .message:
            let bytes = try content(of: field, at: place, depth: depth)
            var isMessage = false
            if case .message = field.kind { isMessage = true }
            if bytes.isEmpty, !keepsDefault, !isMessage { return [] }
            writer.delimited(field.number, bytes)
            return writer.bytes
        case .double:
            let bits = try double(at: place).bitPattern
            if bits == 0, !keepsDefault { return [] }
            if field.number > 0 { writer.key(field.number, wireType: 1) }
            writer.fixed64(bits)
            return writer.bytes
        case .int32: number = UInt64(bitPattern: Int64(try integer(at: place) as Int32))
        case .int64: number = UInt64(bitPattern: try integer(at: place) as Int64)
        case .uint32: number = UInt64(try integer(at: place) as UInt32)
        case .uint64: number = try integer(at: place)
        case .bool: number = try truth(at: place)
        case .enumeration(let names): number = try enumeration(names, at: place)
        }
        if number == 0, !keepsDefault { return [] }
        if field.number > 0 { writer.key(field.number, wireType: 0) }
        writer.varint(number)
        return writer.bytes
    }

    private mutating func content(
        of field: FieldDescriptor, at place: String, depth: Int
    ) throws(WireError) -> [UInt8] {
        switch field.kind {
        case .message(let shape):
            return try message(as: shape, at: place, depth: depth + 1)
        case .bytes:
            guard let bytes = Base64.decode(try text(at: place)) else {
                throw wrong(place, "expected base64")
            }
            return bytes
        default:
            return Array(try text(at: place).utf8)
        }
    }
}

// MARK: - Parts

extension JSONReader {
    private func wrong(_ place: String, _ reason: String) -> WireError {
        place.isEmpty ? scanner.unexpected(reason) : scanner.unexpected("\(place): \(reason)")
    }

    private mutating func text(at place: String) throws(WireError) -> String {
        guard scanner.peek() == UInt8(ascii: "\"") else { throw wrong(place, "expected a text") }
        let text = try scanner.text()
        guard !text.utf8.contains(0) else { throw wrong(place, "holds a NUL character") }
        return text
    }

    /// A number, written as one or as a text.
    private mutating func written(at place: String) throws(WireError) -> String {
        switch scanner.peek() {
        case UInt8(ascii: "\"")?:
            let text = try scanner.text()
            if ["NaN", "Infinity", "-Infinity"].contains(text) { return text }
            var inner = JSONScanner(text)
            guard let number = try? inner.number(), number == text else {
                throw wrong(place, "\(text) is no number")
            }
            return text
        case UInt8(ascii: "-")?, (UInt8(ascii: "0")...UInt8(ascii: "9"))?:
            return try scanner.number()
        default: throw wrong(place, "expected a number")
        }
    }

    private mutating func integer<Number: FixedWidthInteger>(
        at place: String
    ) throws(WireError) -> Number {
        let text = try written(at: place)
        if let number = Number(text) { return number }
        // `1e3` and `5.0` are whole numbers too, as far as a double is exact.
        if let real = Double(text), abs(real) <= 9_007_199_254_740_992,
            let number = Number(exactly: real)
        {
            return number
        }
        throw wrong(place, "\(text) is no whole number of \(Number.bitWidth) bits")
    }

    private mutating func double(at place: String) throws(WireError) -> Double {
        let text = try written(at: place)
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default:
            guard let number = Double(text), number.isFinite else {
                throw wrong(place, "\(text) is no number")
            }
            return number
        }
    }

    private mutating func truth(at place: String) throws(WireError) -> UInt64 {
        if scanner.skip(word: "true") { return 1 }
        if scanner.skip(word: "false") { return 0 }
        throw wrong(place, "expected true or false")
    }

    private mutating func enumeration(
        _ names: EnumDescriptor, at place: String
    ) throws(WireError) -> UInt64 {
        guard scanner.peek() == UInt8(ascii: "\"") else {
            return UInt64(bitPattern: Int64(try integer(at: place) as Int32))
        }
        let name = try scanner.text()
        guard let value = names.values.first(where: { $0.name == name }) else {
            throw wrong(place, "\(name) is no value of \(names.name)")
        }
        return UInt64(bitPattern: Int64(value.number))
    }
}
