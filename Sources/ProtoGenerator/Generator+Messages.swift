// Messages and enums as Swift types.
extension Generator {
    /// The types of a file.
    func messages(of file: ProtoFile) -> String {
        var source = SourceText(imports: target.wireImports)
        source.block("extension \(target.namespace) {") { source in
            for enumeration in file.enums { write(enumeration, to: &source) }
            for message in file.messages { write(message, to: &source) }
        }
        return source.text
    }

    private func write(_ message: Message, to source: inout SourceText) {
        source.documentation(message.documentation, otherwise: "A message of the contract.")
        source.block("\(target.access)struct \(Names.escaped(message.name)): WireMessage {") {
            source in
            for property in properties(of: message) {
                source.documentation(
                    property.documentation, otherwise: "The field `\(property.protoName)`.")
                source.line(
                    "\(target.access)var \(property.name): \(property.type)\(property.initialValue)"
                )
                source.line()
            }
            writeInitializers(of: message, to: &source)
            for index in message.oneofs.indices where message.members(of: index).count > 1 {
                write(message.oneofs[index], message.members(of: index), to: &source)
            }
            for enumeration in message.enums { write(enumeration, to: &source) }
            for nested in message.messages where !nested.isMapEntry { write(nested, to: &source) }
        }
    }

    private func writeInitializers(of message: Message, to source: inout SourceText) {
        source.line("/// A message whose fields all have their defaults.")
        source.line("\(target.access)init() {}")
        source.line()
        let properties = properties(of: message)
        guard !properties.isEmpty else { return }
        source.line("/// A message with these fields, the others at their defaults.")
        source.nested("\(target.access)init(", ") {") { source in
            for (index, property) in properties.enumerated() {
                let comma = index == properties.count - 1 ? "" : ","
                source.line("\(property.name): \(property.type)\(property.defaultValue)\(comma)")
            }
        }
        source.nestedBody { source in
            for property in properties { source.line("self.\(property.name) = \(property.name)") }
        }
    }

    private func write(_ oneof: Oneof, _ members: [Field], to source: inout SourceText) {
        source.documentation(oneof.documentation, otherwise: "One of several values.")
        let name = Names.escaped(Names.upperCamel(snake: oneof.name))
        source.block("\(target.access)enum \(name): Hashable, Sendable {") { source in
            for member in members {
                source.documentation(
                    member.documentation, otherwise: "The field `\(member.name)`.")
                source.line("case \(Names.property(member))(\(elementType(member)))")
            }
        }
    }

    private func write(_ enumeration: Enumeration, to source: inout SourceText) {
        source.documentation(enumeration.documentation, otherwise: "An enum of the contract.")
        source.block("\(target.access)enum \(Names.escaped(enumeration.name)): WireEnum {") {
            source in
            for value in enumeration.values {
                source.documentation(value.documentation, otherwise: "The value `\(value.name)`.")
                source.line("case \(Names.enumCase(value, of: enumeration))")
            }
            source.line("/// A number that this version does not know.")
            source.line("case unrecognized(Int32)")
            source.line()
            source.line("/// The value with this number; unknown numbers are kept.")
            source.block("\(target.access)init(rawValue: Int32) {") { source in
                source.nested("switch rawValue {", "}") { source in
                    for value in enumeration.values {
                        let name = Names.enumCase(value, of: enumeration)
                        source.line("case \(value.number): self = .\(name)")
                    }
                    source.line("default: self = .unrecognized(rawValue)")
                }
            }
            source.line("/// The number on the wire.")
            source.block("\(target.access)var rawValue: Int32 {") { source in
                source.nested("switch self {", "}") { source in
                    for value in enumeration.values {
                        let name = Names.enumCase(value, of: enumeration)
                        source.line("case .\(name): \(value.number)")
                    }
                    source.line("case .unrecognized(let number): number")
                }
            }
        }
    }
}

// MARK: - Properties

extension Generator {
    /// A stored property of a message: a field, or a oneof.
    struct Property {
        var name: String
        var protoName: String
        var type: String
        /// The default as a parameter's: ` = …`.
        var defaultValue: String
        var documentation: [String]

        /// The default as a variable's; an optional's nil goes without saying.
        var initialValue: String { defaultValue == " = nil" ? "" : defaultValue }
    }

    /// The properties, in order of the first number each carries.
    func properties(of message: Message) -> [Property] {
        var seen: Set<Int> = []
        return message.fields.compactMap { field in
            guard let oneof = field.oneof else { return property(field) }
            guard seen.insert(oneof).inserted else { return nil }
            let declaration = message.oneofs[oneof]
            guard message.members(of: oneof).count > 1 else {
                // The contract's way to say that a value may be absent.
                let comment =
                    field.documentation.isEmpty
                    ? declaration.documentation : field.documentation
                return Property(
                    name: Names.property(field), protoName: field.name,
                    type: "\(elementType(field))?", defaultValue: " = nil", documentation: comment)
            }
            let name = Names.upperCamel(snake: declaration.name)
            return Property(
                name: Names.escaped(Names.lowerFirst(name)), protoName: declaration.name,
                type: "\(type(message.fullName)).\(Names.escaped(name))?", defaultValue: " = nil",
                documentation: declaration.documentation)
        }
    }

    private func property(_ field: Field) -> Property {
        let type: String
        let value: String
        if field.isTextMap {
            (type, value) = ("[String: String]", "[:]")
        } else if field.isRepeated {
            (type, value) = ("[\(elementType(field))]", "[]")
        } else {
            (type, value) = singular(field)
        }
        return Property(
            name: Names.property(field), protoName: field.name, type: type,
            defaultValue: " = \(value)", documentation: field.documentation)
    }

    private func singular(_ field: Field) -> (type: String, value: String) {
        let type = elementType(field)
        switch field.kind {
        case .int32, .int64, .uint32, .uint64, .double: return (type, "0")
        case .bool: return (type, "false")
        case .string: return (type, "\"\"")
        case .bytes: return (type, "[]")
        case .enumeration: return (type, "\(type)(rawValue: 0)")
        case .message, .refused: return ("\(type)?", "nil")
        }
    }

    /// The type of one value.
    func elementType(_ field: Field) -> String {
        switch field.kind {
        case .int32: "Int32"
        case .int64: "Int64"
        case .uint32: "UInt32"
        case .uint64: "UInt64"
        case .bool: "Bool"
        case .double: "Double"
        case .string: "String"
        case .bytes: "[UInt8]"
        case .enumeration(let name), .message(let name): type(name)
        case .refused(let name): name
        }
    }
}
