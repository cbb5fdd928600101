/// Everything protoc told: the files to generate for and those they import.
struct Contract {
    var files: [ProtoFile] = []
    /// Names of the files to generate for.
    var wanted: Set<String> = []

    /// The files to generate for, in protoc's order.
    var wantedFiles: [ProtoFile] { files.filter { wanted.contains($0.name) } }

    /// Every message of every file, nested ones included.
    var allMessages: [Message] { files.flatMap(\.allMessages) }
}

/// One .proto file.
struct ProtoFile {
    var name = ""
    var package = ""
    var isProto3 = false
    var imports: [String] = []
    var messages: [Message] = []
    var enums: [Enumeration] = []
    var services: [Service] = []

    /// The file's messages, nested ones after the one they stand in.
    var allMessages: [Message] { messages.flatMap(\.withNested) }

    /// The file's enums, nested ones included.
    var allEnums: [Enumeration] { enums + allMessages.flatMap(\.enums) }
}

/// A message.
struct Message {
    /// Such as `tollgate.v1.AnswerEvent`.
    var fullName = ""
    var name = ""
    var documentation: [String] = []
    var fields: [Field] = []
    var oneofs: [Oneof] = []
    var messages: [Message] = []
    var enums: [Enumeration] = []
    /// Whether protoc made it for a map field.
    var isMapEntry = false

    /// The message and those nested in it, map entries left out.
    var withNested: [Message] { isMapEntry ? [] : [self] + messages.flatMap(\.withNested) }

    /// The fields that stand in no oneof.
    var plainFields: [Field] { fields.filter { $0.oneof == nil } }

    /// The members of a oneof, in order of their numbers.
    func members(of oneof: Int) -> [Field] { fields.filter { $0.oneof == oneof } }
}

/// A field of a message.
struct Field {
    enum Kind: Equatable {
        case int32
        case int64
        case uint32
        case uint64
        case bool
        case double
        case string
        case bytes
        case enumeration(String)
        case message(String)
        /// A type that Tollgate does not speak, with protoc's name for it.
        case refused(String)
    }

    var name = ""
    var jsonName = ""
    var number: Int32 = 0
    var kind = Kind.int32
    var isRepeated = false
    /// Whether it is a `map<string, string>`; set when the whole contract is known.
    var isTextMap = false
    /// Whether the word `optional` stands before it.
    var isProto3Optional = false
    /// The place of its oneof in the message.
    var oneof: Int?
    var documentation: [String] = []
}

/// A oneof of a message.
struct Oneof {
    var name = ""
    var documentation: [String] = []
}

/// An enum.
struct Enumeration {
    struct Value {
        var name = ""
        var number: Int32 = 0
        var documentation: [String] = []
    }

    var fullName = ""
    var name = ""
    var documentation: [String] = []
    var values: [Value] = []
}

/// A service.
struct Service {
    var fullName = ""
    var name = ""
    var documentation: [String] = []
    var methods: [Method] = []
}

/// A method of a service.
struct Method {
    var name = ""
    var documentation: [String] = []
    var request = ""
    var response = ""
    var streamsRequests = false
    var streamsResponses = false
    /// What `option (facts)` says; nil without one.
    var facts: Facts?

    /// How many messages go each way, named as `MethodDescriptor.Streaming` names it.
    var kind: Kind {
        switch (streamsRequests, streamsResponses) {
        case (false, false): .unary
        case (false, true): .serverStreaming
        case (true, false): .clientStreaming
        case (true, true): .bidirectionalStreaming
        }
    }

    enum Kind: String {
        case unary
        case serverStreaming
        case clientStreaming
        case bidirectionalStreaming
    }
}

/// What a method's options say; numbers as `options.proto` has them.
struct Facts {
    var access: UInt32 = 0
    var roles: [UInt32] = []
    var isIdempotent = false
    var defaultDeadlineMilliseconds: Int64 = 0
}
