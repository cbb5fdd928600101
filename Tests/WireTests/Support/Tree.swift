import TollgateWire

/// A message as a tree of values by JSON name, defaults left out: a form that owes nothing to the
/// generated code, so that the two can be compared.
struct Tree: Hashable {
    indirect enum Value: Hashable {
        case signed(Int64)
        case unsigned(UInt64)
        case truth(Bool)
        /// The bits, so that NaN equals itself.
        case real(UInt64)
        case text([UInt8])
        case bytes([UInt8])
        case enumeration(Int32)
        case message(Tree)
        case list([Value])
        case map([String: String])
    }

    var values: [String: Value] = [:]
}

// MARK: - Random trees

extension Tree {
    /// A random message of a shape.
    static func random(_ shape: MessageDescriptor, using random: inout SeededRandom) -> Tree {
        var tree = Tree()
        var groups: [Int: [FieldDescriptor]] = [:]
        for field in shape.fields {
            switch field.cardinality {
            case .oneof(let group): groups[group, default: []].append(field)
            case .singular:
                guard !random.once(in: 4) else { continue }
                let value = Value.random(field.kind, using: &random)
                if !value.isDefault { tree.values[field.jsonName] = value }
            case .repeated:
                guard !random.once(in: 3) else { continue }
                let count = Int.random(in: 1...(random.once(in: 10) ? 40 : 4), using: &random)
                tree.values[field.jsonName] = .list(
                    (0..<count).map { _ in Value.random(field.kind, using: &random) })
            case .textMap:
                var map: [String: String] = [:]
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    map[Value.randomText(using: &random)] = Value.randomText(using: &random)
                }
                if !map.isEmpty { tree.values[field.jsonName] = .map(map) }
            }
        }
        for (_, members) in groups.sorted(by: { $0.key < $1.key }) where !random.once(in: 4) {
            guard let chosen = members.randomElement(using: &random) else { continue }
            tree.values[chosen.jsonName] = .random(chosen.kind, using: &random)
        }
        return tree
    }
}

extension Tree.Value {
    /// Whether proto3 leaves it out of a singular field.
    var isDefault: Bool {
        switch self {
        case .signed(let number): number == 0
        case .unsigned(let number): number == 0
        case .truth(let value): !value
        case .real(let bits): bits == 0
        case .text(let bytes), .bytes(let bytes): bytes.isEmpty
        case .enumeration(let number): number == 0
        case .message, .list, .map: false
        }
    }

    static func random(
        _ kind: FieldDescriptor.Kind, using random: inout SeededRandom
    ) -> Tree.Value {
        switch kind {
        case .int32: .signed(Int64(Int32(truncatingIfNeeded: integer(using: &random))))
        case .int64: .signed(Int64(bitPattern: integer(using: &random)))
        case .uint32: .unsigned(UInt64(UInt32(truncatingIfNeeded: integer(using: &random))))
        case .uint64: .unsigned(integer(using: &random))
        case .bool: .truth(Bool.random(using: &random))
        case .double: .real(real(using: &random))
        case .string: .text(Array(randomText(using: &random).utf8))
        case .bytes: .bytes(bytes(using: &random))
        case .enumeration(let names):
            .enumeration(
                random.once(in: 5)
                    ? Int32(truncatingIfNeeded: integer(using: &random))
                    : names.values.randomElement(using: &random)?.number ?? 0)
        case .message(let shape): .message(.random(shape, using: &random))
        }
    }

    private static func integer(using random: inout SeededRandom) -> UInt64 {
        let edges: [UInt64] = [
            0, 1, 127, 128, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000, .max,
        ]
        if random.once(in: 3) { return edges.randomElement(using: &random) ?? 0 }
        return random.next() >> UInt64.random(in: 0..<64, using: &random)
    }

    /// Never −0, which protobuf-c does not tell from 0.
    private static func real(using random: inout SeededRandom) -> UInt64 {
        let edges: [Double] = [
            0, 1, -1.5, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
            .greatestFiniteMagnitude, 0.1, 1e21,
        ]
        if random.once(in: 3) { return (edges.randomElement(using: &random) ?? 0).bitPattern }
        let value = Double(bitPattern: random.next())
        return value.isNaN ? Double.nan.bitPattern : value == 0 ? 0 : value.bitPattern
    }

    private static func bytes(using random: inout SeededRandom) -> [UInt8] {
        (0..<Int.random(in: 0...20, using: &random)).map { _ in
            UInt8(truncatingIfNeeded: random.next())
        }
    }

    /// Any scalars but NUL and surrogates, short ones and long ones.
    static func randomText(using random: inout SeededRandom) -> String {
        let count = random.once(in: 20) ? 300 : Int.random(in: 0...12, using: &random)
        var text = ""
        for _ in 0..<count {
            let limit: UInt32 = [0x7f, 0x7ff, 0xffff, 0x10_ffff].randomElement(using: &random) ?? 1
            if let scalar = Unicode.Scalar(UInt32.random(in: 1...limit, using: &random)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

// MARK: - The text format

extension Tree {
    /// The tree as protoc's text format, in which `protoc --encode` reads messages.
    ///
    /// Source: <https://protobuf.dev/reference/protobuf/textformat-spec/>.
    func textFormat(_ shape: MessageDescriptor) -> String {
        var lines = ""
        for field in shape.fields {
            switch values[field.jsonName] {
            case nil: continue
            case .list(let elements)?:
                for element in elements { lines += line(field, element) }
            case .map(let map)?:
                for (key, value) in map {
                    let quoted = (Self.quoted(Array(key.utf8)), Self.quoted(Array(value.utf8)))
                    lines += "\(field.name) { key: \(quoted.0) value: \(quoted.1) }\n"
                }
            case .some(let value): lines += line(field, value)
            }
        }
        return lines
    }

    private func line(_ field: FieldDescriptor, _ value: Value) -> String {
        switch value {
        case .message(let tree):
            guard case .message(let shape) = field.kind else { return "" }
            return "\(field.name) {\n\(tree.textFormat(shape))}\n"
        case .signed(let number): return "\(field.name): \(number)\n"
        case .unsigned(let number): return "\(field.name): \(number)\n"
        case .truth(let truth): return "\(field.name): \(truth)\n"
        case .real(let bits): return "\(field.name): \(Double(bitPattern: bits))\n"
        case .text(let bytes), .bytes(let bytes):
            return "\(field.name): \(Self.quoted(bytes))\n"
        case .enumeration(let number): return "\(field.name): \(number)\n"
        case .list, .map: return ""
        }
    }

    /// Every byte as an octal escape but letters and digits.
    private static func quoted(_ bytes: [UInt8]) -> String {
        var result = "\""
        for byte in bytes {
            if (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let octal = String(byte, radix: 8)
                result += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
            }
        }
        return result + "\""
    }
}

// MARK: - Trees of generated values

extension Tree {
    /// The tree of a generated message, read off its stored properties.
    init(reflecting message: any WireMessage) {
        let shape = type(of: message).descriptor
        let singular = Set(
            shape.fields.filter { $0.cardinality == .singular }.map(\.jsonName))
        for child in Mirror(reflecting: message).children {
            guard let label = child.label else { continue }
            let mirror = Mirror(reflecting: child.value)
            guard mirror.displayStyle == .optional else {
                let value = Value(reflecting: child.value)
                guard let value, !(singular.contains(label) && value.isDefault) else { continue }
                values[label] = value
                continue
            }
            guard let wrapped = mirror.children.first?.value else { continue }
            if let value = Value(reflecting: wrapped) {
                values[label] = value
            } else if let chosen = Mirror(reflecting: wrapped).children.first,
                let name = chosen.label, let value = Value(reflecting: chosen.value)
            {
                // A oneof: an enum whose case is named like the member.
                values[name] = value
            }
        }
    }
}

extension Tree.Value {
    /// Nil for an empty array or map, and for a oneof.
    fileprivate init?(reflecting value: Any) {
        switch value {
        case let number as Int32: self = .signed(Int64(number))
        case let number as Int64: self = .signed(number)
        case let number as UInt32: self = .unsigned(UInt64(number))
        case let number as UInt64: self = .unsigned(number)
        case let truth as Bool: self = .truth(truth)
        case let number as Double:
            self = .real(number.isNaN ? Double.nan.bitPattern : number.bitPattern)
        case let text as String: self = .text(Array(text.utf8))
        case let choice as any WireEnum: self = .enumeration(choice.rawValue)
        case let message as any WireMessage: self = .message(Tree(reflecting: message))
        default:
            if type(of: value) == [UInt8].self, let bytes = value as? [UInt8] {
                self = .bytes(bytes)
            } else if type(of: value) == [String: String].self, let map = value as? [String: String]
            {
                if map.isEmpty { return nil }
                self = .map(map)
            } else if Mirror(reflecting: value).displayStyle == .collection {
                let elements = Mirror(reflecting: value).children.compactMap {
                    Tree.Value(reflecting: $0.value)
                }
                if elements.isEmpty { return nil }
                self = .list(elements)
            } else {
                return nil
            }
        }
    }
}
