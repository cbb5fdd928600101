/// The shape of a message, known at run time.
///
/// A class, because methods and fields refer to shapes and pass them around; one instance a type.
public final class MessageDescriptor: Sendable {
    /// The full name, such as `tollgate.v1.LoginRequest`.
    public let name: String

    /// The fields in order of their numbers.
    public let fields: [FieldDescriptor]

    /// Makes a shape; generated code is the usual source.
    public init(name: String, fields: [FieldDescriptor]) {
        self.name = name
        self.fields = fields
    }
}

/// One field of a message.
public struct FieldDescriptor: Sendable {
    /// The name in the contract, such as `order_id`.
    public let name: String

    /// The name in JSON, such as `orderId`.
    public let jsonName: String

    /// The number on the wire.
    public internal(set) var number: Int

    /// The type of the value, or of each element.
    public let kind: Kind

    /// How many values there can be.
    public let cardinality: Cardinality

    /// Makes a field; generated code is the usual source.
    public init(
        name: String, jsonName: String, number: Int, kind: Kind,
        cardinality: Cardinality = .singular
    ) {
        self.name = name
        self.jsonName = jsonName
        self.number = number
        self.kind = kind
        self.cardinality = cardinality
    }

    /// The types that the contract uses.
    public enum Kind: Sendable {
        /// A signed 32-bit number.
        case int32
        /// A signed 64-bit number; a string in JSON.
        case int64
        /// An unsigned 32-bit number.
        case uint32
        /// An unsigned 64-bit number; a string in JSON.
        case uint64
        /// True or false.
        case bool
        /// A 64-bit floating-point number.
        case double
        /// UTF-8 text without NUL.
        case string
        /// Any bytes; base64 in JSON.
        case bytes
        /// One of a set of names; the name in JSON.
        case enumeration(EnumDescriptor)
        /// A message.
        case message(MessageDescriptor)
    }

    /// How many values a field can have.
    public enum Cardinality: Hashable, Sendable {
        /// One value, its default if absent.
        case singular
        /// One value that can be absent; `group` numbers the oneof it belongs to in its message.
        case oneof(group: Int)
        /// Any number of values.
        case repeated
        /// Texts by text; an object in JSON. The field's kind is `.string`.
        case textMap
    }
}

extension FieldDescriptor.Kind {
    /// Whether an array of them is one field of numbers without keys.
    var isPackable: Bool {
        switch self {
        case .int32, .int64, .uint32, .uint64, .bool, .enumeration, .double: true
        case .string, .bytes, .message: false
        }
    }

    /// Whether each has 64 bits on the wire.
    var isFixed: Bool {
        if case .double = self { true } else { false }
    }
}

/// The names and numbers of an enum.
public final class EnumDescriptor: Sendable {
    /// The full name, such as `tollgate.v1.OrderState`.
    public let name: String

    /// Names as the contract writes them, with their numbers; the first is the default, 0.
    public let values: [(name: String, number: Int32)]

    /// Makes a set of names; generated code is the usual source.
    public init(name: String, values: [(name: String, number: Int32)]) {
        self.name = name
        self.values = values
    }
}
