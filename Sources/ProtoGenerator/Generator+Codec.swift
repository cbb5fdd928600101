// Between Swift messages and protoc-c's structs.
extension Generator {
    /// The conformances of a file's messages to `CBacked`.
    func codec(of file: ProtoFile) -> String {
        var source = SourceText(imports: target.codecImports)
        for message in file.allMessages { writeCodec(of: message, to: &source) }
        return source.text
    }

    private func writeCodec(of message: Message, to source: inout SourceText) {
        let cType = Names.cType(message.fullName)
        source.block("extension \(type(message.fullName)): CBacked {") { source in
            source.line("/// Reads one message; see `WireMessage`.")
            source.nested(
                "\(target.access)static func decode(_ bytes: UnsafeRawBufferPointer) "
                    + "throws(WireError) -> Self {", "}"
            ) { $0.line("try Codec.decode(bytes)") }
            source.line()
            source.line("/// Writes the message and lends its bytes; see `WireMessage`.")
            source.nested("\(target.access)func withEncoded<Result>(", ") throws -> Result {") {
                $0.line("_ body: (UnsafeRawBufferPointer) throws -> Result")
            }
            source.nestedBody { $0.line("try Codec.withEncoded(self, body)") }
            source.block("static func initialize(_ target: UnsafeMutablePointer<\(cType)>) {") {
                $0.line("\(Names.cFunctionPrefix(message.fullName))__init(target)")
            }
            source.block("init(reading source: UnsafePointer<\(cType)>) throws(WireError) {") {
                writeReading(of: message, to: &$0)
            }
            source.nested("func write(", ") throws(WireError) {") {
                $0.line("to target: UnsafeMutablePointer<\(cType)>, in arena: Arena")
            }
            source.nestedBody { writeWriting(of: message, to: &$0) }
        }
    }

    /// Where the value is, for an error's sentence.
    private func place(_ field: Field, in message: Message) -> String {
        literal("\(message.fullName).\(field.name)")
    }

    // MARK: Reading

    private func writeReading(of message: Message, to source: inout SourceText) {
        for field in message.plainFields {
            let value =
                field.isRepeated
                ? readingArray(field, in: message) : reading(field, in: message)
            source.line("self.\(Names.property(field)) = \(value)")
        }
        for (index, oneof) in message.oneofs.enumerated() {
            let members = message.members(of: index)
            let chosen = "source.pointee.\(Names.cField(oneof.name))_case.rawValue"
            if members.count == 1 {
                source.nested("if \(chosen) == \(members[0].number) {", "}") {
                    $0.line(
                        "self.\(Names.property(members[0])) = \(reading(members[0], in: message))")
                }
                continue
            }
            let property = Names.escaped(Names.lowerFirst(Names.upperCamel(snake: oneof.name)))
            source.nested("switch \(chosen) {", "}") { source in
                for member in members {
                    source.line("case \(member.number):")
                    writeChoice(member, as: property, in: message, to: &source)
                }
                source.line("default: self.\(property) = nil")
            }
        }
    }

    private func writeChoice(
        _ member: Field, as property: String, in message: Message, to source: inout SourceText
    ) {
        let choice = "self.\(property) = .\(Names.property(member))"
        if case .message(let name) = member.kind {
            source.line(
                "    let value: \(type(name))? = \(reading(member, in: message))")
            source.line("    \(choice)(value ?? \(type(name))())")
        } else {
            source.line("    \(choice)(\(reading(member, in: message)))")
        }
    }

    private func reading(_ field: Field, in message: Message) -> String {
        let value = "source.pointee.\(Names.cField(field.name))"
        switch field.kind {
        case .int32, .int64, .uint32, .uint64, .double, .refused: return value
        case .bool: return "\(value) != 0"
        case .string: return "try Reading.text(\(value), \(place(field, in: message)))"
        case .bytes: return "Reading.bytes(\(value))"
        case .enumeration(let name):
            return "\(type(name))(rawValue: Int32(truncatingIfNeeded: \(value).rawValue))"
        case .message: return "try Reading.message(\(value))"
        }
    }

    private func readingArray(_ field: Field, in message: Message) -> String {
        let name = Names.cField(field.name)
        let arguments = "source.pointee.\(name), source.pointee.n_\(name)"
        let place = place(field, in: message)
        if field.isTextMap {
            return
                "try Reading.entries(\(arguments), \(place)) { ($0.pointee.key, $0.pointee.value) }"
        }
        switch field.kind {
        case .int32, .int64, .uint32, .uint64, .double, .refused:
            return "Reading.numbers(\(arguments))"
        case .bool: return "Reading.converted(\(arguments)) { $0 != 0 }"
        case .string: return "try Reading.texts(\(arguments), \(place))"
        case .bytes: return "Reading.manyBytes(\(arguments))"
        case .enumeration(let name):
            return "Reading.converted(\(arguments)) "
                + "{ \(type(name))(rawValue: Int32(truncatingIfNeeded: $0.rawValue)) }"
        case .message: return "try Reading.messages(\(arguments))"
        }
    }

    // MARK: Writing

    private func writeWriting(of message: Message, to source: inout SourceText) {
        for field in message.plainFields {
            let property = "self.\(Names.property(field))"
            let target = "target.pointee.\(Names.cField(field.name))"
            if field.isRepeated {
                source.nested("if !\(property).isEmpty {", "}") { source in
                    source.line(
                        "target.pointee.n_\(Names.cField(field.name)) = \(property).count")
                    source.line("\(target) = \(writingArray(field, property, in: message))")
                }
                continue
            }
            switch field.kind {
            case .message:
                source.nested("if let value = \(property) {", "}") {
                    $0.line("\(target) = \(writing(field, "value", in: message))")
                }
            case .string, .bytes:
                source.nested("if !\(property).isEmpty {", "}") {
                    $0.line("\(target) = \(writing(field, property, in: message))")
                }
            default: source.line("\(target) = \(writing(field, property, in: message))")
            }
        }
        for (index, oneof) in message.oneofs.enumerated() {
            write(oneof, message.members(of: index), in: message, to: &source)
        }
    }

    private func write(
        _ oneof: Oneof, _ members: [Field], in message: Message, to source: inout SourceText
    ) {
        func writeChoice(_ member: Field, _ source: inout SourceText) {
            let value = writing(member, "value", in: message)
            source.line("target.pointee.\(Names.cField(member.name)) = \(value)")
            let choice = "target.pointee.\(Names.cField(oneof.name))_case"
            source.line("\(choice) = .init(rawValue: \(member.number))")
        }
        if members.count == 1 {
            source.nested("if let value = self.\(Names.property(members[0])) {", "}") {
                writeChoice(members[0], &$0)
            }
            return
        }
        let property = Names.escaped(Names.lowerFirst(Names.upperCamel(snake: oneof.name)))
        source.nested("switch self.\(property) {", "}") { source in
            for member in members {
                source.nested("case .\(Names.property(member))(let value)?:", "") {
                    writeChoice(member, &$0)
                }
                source.dropBlankLine()
            }
            source.line("case nil: break")
        }
    }

    private func writing(_ field: Field, _ value: String, in message: Message) -> String {
        switch field.kind {
        case .int32, .int64, .uint32, .uint64, .double, .refused: value
        case .bool: "\(value) ? 1 : 0"
        case .string: "try arena.text(\(value), \(place(field, in: message)))"
        case .bytes: "try arena.bytes(\(value))"
        case .enumeration: ".init(rawValue: .init(truncatingIfNeeded: \(value).rawValue))"
        case .message: "try arena.message(\(value))"
        }
    }

    private func writingArray(_ field: Field, _ value: String, in message: Message) -> String {
        let place = place(field, in: message)
        if field.isTextMap, case .message(let entry) = field.kind {
            return "try arena.entries(\(value), \(place), \(Names.cFunctionPrefix(entry))__init) "
                + "{ $0.key = $1; $0.value = $2 }"
        }
        switch field.kind {
        case .int32, .int64, .uint32, .uint64, .double, .refused:
            return "try arena.numbers(\(value))"
        case .bool: return "try arena.converted(\(value)) { $0 ? 1 : 0 }"
        case .string: return "try arena.texts(\(value), \(place))"
        case .bytes: return "try arena.manyBytes(\(value))"
        case .enumeration(let name):
            return "try arena.converted(\(value)) { "
                + "\(Names.cType(name))(rawValue: .init(truncatingIfNeeded: $0.rawValue)) }"
        case .message: return "try arena.messages(\(value))"
        }
    }
}
