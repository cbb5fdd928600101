internal import TollgateKernel

/// Bytes of a message to JSON.
struct JSONWriter {
    private var output: [UInt8] = []

    /// What is written so far.
    var text: String { String(decoding: output, as: UTF8.self) }

    /// Writes a message as an object.
    mutating func message(
        _ bytes: ArraySlice<UInt8>, as shape: MessageDescriptor, depth: Int
    ) throws(WireError) {
        guard depth < Limits.wireJSONDepth else { throw .malformed("messages nest too deep") }
        let values = try collect(bytes, as: shape)
        append("{")
        var isFirst = true
        for (field, values) in zip(shape.fields, values) {
            guard let last = values.last, try isWorthWriting(field, values) else { continue }
            if !isFirst { append(",") }
            isFirst = false
            quote(field.jsonName)
            append(":")
            switch field.cardinality {
            case .repeated: try list(values, of: field, depth: depth)
            case .textMap: try map(values, of: field)
            case .singular, .oneof:
                if case .message(let inner) = field.kind {
                    // A message that comes in parts is all of them, one after another.
                    var whole: [UInt8] = []
                    for value in values { whole += try delimited(value, field) }
                    try message(whole[...], as: inner, depth: depth + 1)
                } else {
                    try single(last, of: field, depth: depth)
                }
            }
        }
        append("}")
    }

    /// The values of each field, packed arrays taken apart, lost members of oneofs left out.
    private func collect(
        _ bytes: ArraySlice<UInt8>, as shape: MessageDescriptor
    ) throws(WireError) -> [[WireReader.Value]] {
        var places: [Int: Int] = [:]
        for (place, field) in shape.fields.enumerated() { places[field.number] = place }
        var values = [[WireReader.Value]](repeating: [], count: shape.fields.count)
        var reader = WireReader(bytes)
        while let entry = try reader.next() {
            guard let place = places[entry.number] else { continue }
            let field = shape.fields[place]
            if case .oneof(let group) = field.cardinality {
                for (other, rival) in shape.fields.enumerated() where other != place {
                    if rival.cardinality == .oneof(group: group) { values[other] = [] }
                }
            }
            if field.cardinality == .repeated, case .delimited(let packed) = entry.value,
                field.kind.isPackable
            {
                values[place] += try unpack(packed, isFixed: field.kind.isFixed)
            } else {
                values[place].append(entry.value)
            }
        }
        return values
    }

    private func unpack(
        _ packed: ArraySlice<UInt8>, isFixed: Bool
    ) throws(WireError) -> [WireReader.Value] {
        var reader = WireReader(packed)
        var values: [WireReader.Value] = []
        while !reader.isAtEnd {
            values.append(isFixed ? .fixed64(try reader.fixed(8)) : .varint(try reader.varint()))
        }
        return values
    }

    /// False for a singular field that has its default, which canonical JSON leaves out.
    private func isWorthWriting(
        _ field: FieldDescriptor, _ values: [WireReader.Value]
    ) throws(WireError) -> Bool {
        guard field.cardinality == .singular, let last = values.last else { return true }
        if case .message = field.kind { return true }
        return switch last {
        case .varint(let value): value != 0
        case .fixed64(let value): value != 0
        case .fixed32(let value): value != 0
        case .delimited(let value): !value.isEmpty
        }
    }

    private mutating func list(
        _ values: [WireReader.Value], of field: FieldDescriptor, depth: Int
    ) throws(WireError) {
        append("[")
        for (index, value) in values.enumerated() {
            if index > 0 { append(",") }
            try single(value, of: field, depth: depth)
        }
        append("]")
    }

    private mutating func map(
        _ values: [WireReader.Value], of field: FieldDescriptor
    ) throws(WireError) {
        var entries: [String: String] = [:]
        for value in values {
            var key = ""
            var text = ""
            var reader = WireReader(try delimited(value, field))
            while let part = try reader.next() {
                if part.number == 1 { key = try self.text(part.value, field) }
                if part.number == 2 { text = try self.text(part.value, field) }
            }
            entries[key] = text
        }
        append("{")
        for (index, entry) in entries.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { append(",") }
            quote(entry.key)
            append(":")
            quote(entry.value)
        }
        append("}")
    }

    private mutating func single(
        _ value: WireReader.Value, of field: FieldDescriptor, depth: Int
    ) throws(WireError) {
        switch field.kind {
        case .int32: append(String(Int32(truncatingIfNeeded: try varint(value, field))))
        case .uint32: append(String(UInt32(truncatingIfNeeded: try varint(value, field))))
        case .int64: append("\"\(Int64(bitPattern: try varint(value, field)))\"")
        case .uint64: append("\"\(try varint(value, field))\"")
        case .bool: append(try varint(value, field) == 0 ? "false" : "true")
        case .double:
            guard case .fixed64(let bits) = value else { throw mismatch(field) }
            double(Double(bitPattern: bits))
        case .string: quote(try text(value, field))
        case .bytes:
            append("\"\(Base64.encode(try delimited(value, field)))\"")
        case .enumeration(let names):
            let number = Int32(truncatingIfNeeded: try varint(value, field))
            if let known = names.values.first(where: { $0.number == number }) {
                quote(known.name)
            } else {
                append(String(number))
            }
        case .message(let shape):
            try message(try delimited(value, field), as: shape, depth: depth + 1)
        }
    }
}

// MARK: - Parts

extension JSONWriter {
    private mutating func append(_ text: String) { output += text.utf8 }

    private func mismatch(_ field: FieldDescriptor) -> WireError {
        .malformed("the field \(field.name) has another type")
    }

    private func varint(
        _ value: WireReader.Value, _ field: FieldDescriptor
    ) throws(WireError) -> UInt64 {
        guard case .varint(let number) = value else { throw mismatch(field) }
        return number
    }

    private func delimited(
        _ value: WireReader.Value, _ field: FieldDescriptor
    ) throws(WireError) -> ArraySlice<UInt8> {
        guard case .delimited(let bytes) = value else { throw mismatch(field) }
        return bytes
    }

    private func text(
        _ value: WireReader.Value, _ field: FieldDescriptor
    ) throws(WireError) -> String {
        let bytes = try delimited(value, field)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("the text \(field.name) is not UTF-8")
        }
        guard !bytes.contains(0) else {
            throw .malformed("the text \(field.name) holds a NUL character")
        }
        return text
    }

    private mutating func double(_ value: Double) {
        if value.isNaN {
            append("\"NaN\"")
        } else if value.isInfinite {
            append(value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
        } else {
            let text = value.description
            append(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
        }
    }

    /// DEL, the controls beyond ASCII and the two line separators are escaped as well, so that a
    /// document stays one harmless line on a terminal.
    private mutating func quote(_ text: String) {
        append("\"")
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": append("\\\"")
            case "\\": append("\\\\")
            case "\u{08}": append("\\b")
            case "\t": append("\\t")
            case "\n": append("\\n")
            case "\u{0C}": append("\\f")
            case "\r": append("\\r")
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default: output += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            }
        }
        append("\"")
    }
}
