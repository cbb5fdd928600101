internal import TollgateKernel

/// A small JSON text as a tree: what is sent, and what comes in where every member matters.
///
/// Objects keep their order, so the bytes signed are the bytes sent; numbers keep their text, so an
/// amount is never rounded through floating point.
enum JSONValue: Hashable, Sendable {
    case object([Member])
    case array([JSONValue])
    case string(String)
    case integer(Int64)
    /// A number that is no 64-bit integer as written: a fraction, an exponent, too many digits.
    case otherNumber(String)
    case boolean(Bool)
    case null

    /// A member of an object.
    struct Member: Hashable, Sendable {
        var name: String
        var value: JSONValue
    }
}

// MARK: Reading

extension JSONValue {
    /// Reads a whole text strictly; the same member twice in one object is refused.
    init(parsing bytes: [UInt8]) throws(JSONError) {
        var scanner = JSONScanner(bytes)
        var left = Limits.jsonValues
        self = try Self.read(&scanner, &left)
        try scanner.end()
    }

    private static func read(_ scanner: inout JSONScanner, _ left: inout Int) throws(JSONError)
        -> JSONValue
    {
        left -= 1
        guard left >= 0 else { throw .tooLarge }
        switch try scanner.kind() {
        case .object: return .object(try members(&scanner, &left))
        case .array:
            var elements: [JSONValue] = []
            try scanner.enterArray()
            while try scanner.nextElement() { elements.append(try read(&scanner, &left)) }
            return .array(elements)
        case .string: return .string(try scanner.string())
        case .number:
            let text = try scanner.number()
            // "-0" is not how an integer is written.
            return Int64(text).flatMap { text == "-0" ? nil : .integer($0) } ?? .otherNumber(text)
        case .boolean: return .boolean(try scanner.boolean())
        case .null:
            _ = try scanner.takeNull()
            return .null
        }
    }

    private static func members(_ scanner: inout JSONScanner, _ left: inout Int) throws(JSONError)
        -> [Member]
    {
        var members: [Member] = []
        var names: Set<String> = []
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            guard names.insert(name).inserted else { throw .duplicateMember(name) }
            members.append(Member(name: name, value: try read(&scanner, &left)))
        }
        return members
    }

    /// The member of that name; nil if this is no object or has none.
    subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The elements, if it is an array.
    var elements: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The text, if this is a string.
    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The number, if it is a 64-bit integer.
    var integer: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }
}

// MARK: Writing

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
    init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member(name: $0.0, value: $0.1) })
    }

    /// The text without white space, members in their order.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (place, member) in members.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.write(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (place, element) in elements.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .string(let text): Self.write(text, to: &bytes)
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .otherNumber(let text): bytes.append(contentsOf: text.utf8)
        case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .null: bytes.append(contentsOf: "null".utf8)
        }
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0a: bytes.append(contentsOf: "\\n".utf8)
            case 0x0d: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: (byte < 0x10 ? "\\u000" : "\\u00").utf8)
                bytes.append(contentsOf: String(byte, radix: 16).utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
