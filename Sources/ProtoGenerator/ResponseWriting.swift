internal import CProtobufC
internal import CProtocPlugin
internal import Glibc

/// A generated file.
struct GeneratedFile {
    /// The path below protoc's output folder.
    var path: String
    var text: String
}

/// Writes the plugin's response with protobuf-c.
enum ResponseWriting {
    /// The files as a serialised CodeGeneratorResponse.
    static func bytes(of files: [GeneratedFile]) -> [UInt8] {
        var structs:
            [UnsafeMutablePointer<Google__Protobuf__Compiler__CodeGeneratorResponse__File>?] =
                []
        defer {
            for file in structs {
                free(file?.pointee.name)
                free(file?.pointee.content)
                file?.deallocate()
            }
        }
        for file in files {
            let target = UnsafeMutablePointer<
                Google__Protobuf__Compiler__CodeGeneratorResponse__File
            >.allocate(capacity: 1)
            google__protobuf__compiler__code_generator_response__file__init(target)
            target.pointee.name = strdup(file.path)
            target.pointee.content = strdup(file.text)
            structs.append(target)
        }
        return structs.withUnsafeMutableBufferPointer { structs in
            packed { response in
                response.n_file = structs.count
                response.file = structs.baseAddress
            }
        }
    }

    /// A refusal as a serialised CodeGeneratorResponse.
    static func bytes(refusing reason: String) -> [UInt8] {
        let text = strdup(reason)
        defer { free(text) }
        return packed { $0.error = text }
    }

    private static func packed(
        _ fill: (inout Google__Protobuf__Compiler__CodeGeneratorResponse) -> Void
    ) -> [UInt8] {
        var response = Google__Protobuf__Compiler__CodeGeneratorResponse()
        google__protobuf__compiler__code_generator_response__init(&response)
        // FEATURE_PROTO3_OPTIONAL: protoc then leaves it to us to refuse the word, with our reason.
        response.has_supported_features = 1
        response.supported_features = 1
        fill(&response)
        let count = google__protobuf__compiler__code_generator_response__get_packed_size(&response)
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            written = google__protobuf__compiler__code_generator_response__pack(
                &response, buffer.baseAddress)
        }
    }
}
