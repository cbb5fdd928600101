// Shapes of messages and enums, as data.
extension Generator {
    /// The descriptors of a file.
    func descriptors(of file: ProtoFile) -> String {
        var source = SourceText(imports: target.wireImports)
        for enumeration in file.allEnums { writeDescriptor(of: enumeration, to: &source) }
        for message in file.allMessages { writeDescriptor(of: message, to: &source) }
        return source.text
    }

    private func writeDescriptor(of enumeration: Enumeration, to source: inout SourceText) {
        source.block("extension \(type(enumeration.fullName)) {") { source in
            source.line("/// The names and numbers of `\(enumeration.fullName)`.")
            source.nested("\(target.access)static let descriptor = EnumDescriptor(", ")") {
                source in
                source.line("name: \(literal(enumeration.fullName)),")
                source.nested("values: [", "]") { source in
                    for value in enumeration.values {
                        source.line("(name: \(literal(value.name)), number: \(value.number)),")
                    }
                }
            }
        }
    }

    private func writeDescriptor(of message: Message, to source: inout SourceText) {
        source.block("extension \(type(message.fullName)) {") { source in
            source.line("/// The shape of `\(message.fullName)`.")
            let opening = "\(target.access)static let descriptor = MessageDescriptor("
            guard !message.fields.isEmpty else {
                source.line("\(opening)name: \(literal(message.fullName)), fields: [])")
                return
            }
            source.nested(opening, ")") { source in
                source.line("name: \(literal(message.fullName)),")
                source.nested("fields: [", "]") { source in
                    for field in message.fields { source.line("\(descriptor(of: field)),") }
                }
            }
        }
    }

    private func descriptor(of field: Field) -> String {
        var arguments = [
            "name: \(literal(field.name))", "jsonName: \(literal(field.jsonName))",
            "number: \(field.number)", "kind: \(kind(of: field))",
        ]
        if field.isTextMap {
            arguments.append("cardinality: .textMap")
        } else if field.isRepeated {
            arguments.append("cardinality: .repeated")
        } else if let oneof = field.oneof {
            arguments.append("cardinality: .oneof(group: \(oneof))")
        }
        return "FieldDescriptor(\(arguments.joined(separator: ", ")))"
    }

    private func kind(of field: Field) -> String {
        if field.isTextMap { return ".string" }
        return switch field.kind {
        case .int32: ".int32"
        case .int64: ".int64"
        case .uint32: ".uint32"
        case .uint64: ".uint64"
        case .bool: ".bool"
        case .double: ".double"
        case .string: ".string"
        case .bytes: ".bytes"
        case .enumeration(let name): ".enumeration(\(type(name)).descriptor)"
        case .message(let name): ".message(\(type(name)).descriptor)"
        case .refused(let name): ".\(name)"
        }
    }
}
