internal import CProtobufC
internal import CProtocPlugin

/// Reads protoc's request with protobuf-c.
enum RequestReading {
    /// The contract in a serialised CodeGeneratorRequest, and the plugin's parameter; nil if the
    /// bytes are none.
    static func read(_ bytes: [UInt8]) -> (contract: Contract, parameter: String)? {
        guard
            let request = google__protobuf__compiler__code_generator_request__unpack(
                nil, bytes.count, bytes)
        else { return nil }
        defer { google__protobuf__compiler__code_generator_request__free_unpacked(request, nil) }
        var contract = Contract()
        let wanted = list(request.pointee.file_to_generate, request.pointee.n_file_to_generate)
        contract.wanted = Set(wanted.map { String(cString: $0) })
        contract.files = list(request.pointee.proto_file, request.pointee.n_proto_file).map(file)
        contract.resolveMaps()
        return (contract, text(request.pointee.parameter))
    }

    private static func file(
        _ source: UnsafeMutablePointer<Google__Protobuf__FileDescriptorProto>
    ) -> ProtoFile {
        let comments = Comments(source.pointee.source_code_info)
        let package = text(source.pointee.package)
        var file = ProtoFile()
        file.name = text(source.pointee.name)
        file.package = package
        file.isProto3 = text(source.pointee.syntax) == "proto3"
        file.imports = list(source.pointee.dependency, source.pointee.n_dependency)
            .map { String(cString: $0) }
        file.messages = list(source.pointee.message_type, source.pointee.n_message_type)
            .enumerated().map { message($1, in: package, at: [4, Int32($0)], comments) }
        file.enums = list(source.pointee.enum_type, source.pointee.n_enum_type)
            .enumerated().map { enumeration($1, in: package, at: [5, Int32($0)], comments) }
        file.services = list(source.pointee.service, source.pointee.n_service)
            .enumerated().map { service($1, in: package, at: [6, Int32($0)], comments) }
        return file
    }

    private static func message(
        _ source: UnsafeMutablePointer<Google__Protobuf__DescriptorProto>, in scope: String,
        at path: [Int32], _ comments: Comments
    ) -> Message {
        var message = Message()
        message.name = text(source.pointee.name)
        message.fullName = "\(scope).\(message.name)"
        message.documentation = comments.lines(at: path)
        if let options = source.pointee.options {
            message.isMapEntry = options.pointee.map_entry != 0
        }
        message.fields = list(source.pointee.field, source.pointee.n_field)
            .enumerated().map { field($1, at: path + [2, Int32($0)], comments) }
            .sorted { $0.number < $1.number }
        message.oneofs = list(source.pointee.oneof_decl, source.pointee.n_oneof_decl)
            .enumerated().map {
                Oneof(
                    name: text($1.pointee.name),
                    documentation: comments.lines(at: path + [8, Int32($0)]))
            }
        message.messages = list(source.pointee.nested_type, source.pointee.n_nested_type)
            .enumerated().map {
                self.message($1, in: message.fullName, at: path + [3, Int32($0)], comments)
            }
        message.enums = list(source.pointee.enum_type, source.pointee.n_enum_type)
            .enumerated().map {
                enumeration($1, in: message.fullName, at: path + [4, Int32($0)], comments)
            }
        return message
    }

    private static func field(
        _ source: UnsafeMutablePointer<Google__Protobuf__FieldDescriptorProto>, at path: [Int32],
        _ comments: Comments
    ) -> Field {
        var field = Field()
        field.name = text(source.pointee.name)
        field.jsonName = text(source.pointee.json_name)
        field.number = source.pointee.number
        field.kind = kind(
            source.pointee.type.rawValue, named: String(text(source.pointee.type_name).dropFirst()))
        field.isRepeated =
            source.pointee.label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED
        field.isProto3Optional = source.pointee.proto3_optional != 0
        if source.pointee.has_oneof_index != 0 { field.oneof = Int(source.pointee.oneof_index) }
        field.documentation = comments.lines(at: path)
        return field
    }

    /// The numbers are those of FieldDescriptorProto.Type.
    private static func kind(_ type: UInt32, named name: String) -> Field.Kind {
        switch type {
        case 1: .double
        case 2: .refused("float")
        case 3: .int64
        case 4: .uint64
        case 5: .int32
        case 6: .refused("fixed64")
        case 7: .refused("fixed32")
        case 8: .bool
        case 9: .string
        case 10: .refused("group")
        case 11: .message(name)
        case 12: .bytes
        case 13: .uint32
        case 14: .enumeration(name)
        case 15: .refused("sfixed32")
        case 16: .refused("sfixed64")
        case 17: .refused("sint32")
        case 18: .refused("sint64")
        default: .refused("type \(type)")
        }
    }

    private static func enumeration(
        _ source: UnsafeMutablePointer<Google__Protobuf__EnumDescriptorProto>, in scope: String,
        at path: [Int32], _ comments: Comments
    ) -> Enumeration {
        var result = Enumeration()
        result.name = text(source.pointee.name)
        result.fullName = "\(scope).\(result.name)"
        result.documentation = comments.lines(at: path)
        result.values = list(source.pointee.value, source.pointee.n_value).enumerated().map {
            Enumeration.Value(
                name: text($1.pointee.name), number: $1.pointee.number,
                documentation: comments.lines(at: path + [2, Int32($0)]))
        }
        return result
    }

    private static func service(
        _ source: UnsafeMutablePointer<Google__Protobuf__ServiceDescriptorProto>, in scope: String,
        at path: [Int32], _ comments: Comments
    ) -> Service {
        var service = Service()
        service.name = text(source.pointee.name)
        service.fullName = "\(scope).\(service.name)"
        service.documentation = comments.lines(at: path)
        service.methods = list(source.pointee.method, source.pointee.n_method).enumerated().map {
            var method = Method()
            method.name = text($1.pointee.name)
            method.documentation = comments.lines(at: path + [2, Int32($0)])
            method.request = String(text($1.pointee.input_type).dropFirst())
            method.response = String(text($1.pointee.output_type).dropFirst())
            method.streamsRequests = $1.pointee.client_streaming != 0
            method.streamsResponses = $1.pointee.server_streaming != 0
            method.facts = $1.pointee.options.flatMap { FactsReading.read($0) }
            return method
        }
        return service
    }

    /// A C array of pointers without its NULLs.
    static func list<Element>(
        _ source: UnsafeMutablePointer<UnsafeMutablePointer<Element>?>?, _ count: Int
    ) -> [UnsafeMutablePointer<Element>] {
        UnsafeBufferPointer(start: source, count: source == nil ? 0 : count).compactMap { $0 }
    }

    /// A text that may be absent.
    static func text(_ source: UnsafePointer<CChar>?) -> String {
        source.map { String(cString: $0) } ?? ""
    }
}

extension Contract {
    /// Marks the fields that are written `map<string, string>`; other maps are left as repeated
    /// entries, which the rules then refuse.
    fileprivate mutating func resolveMaps() {
        var textEntries: Set<String> = []
        func collect(_ messages: [Message]) {
            for message in messages {
                if message.isMapEntry, message.fields.allSatisfy({ $0.kind == .string }) {
                    textEntries.insert(message.fullName)
                }
                collect(message.messages)
            }
        }
        for file in files { collect(file.messages) }
        func mark(_ message: inout Message) {
            for index in message.fields.indices {
                if case .message(let name) = message.fields[index].kind, textEntries.contains(name)
                {
                    message.fields[index].isTextMap = true
                }
            }
            for index in message.messages.indices { mark(&message.messages[index]) }
        }
        for file in files.indices {
            for index in files[file].messages.indices { mark(&files[file].messages[index]) }
        }
    }
}
