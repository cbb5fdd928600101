/// What protobuf-c 1.4.1 does not bear, kept out of the contract.
enum ContractRules {
    /// A message with the types its fields name.
    struct Message: Hashable, Sendable {
        /// With its package and outer messages: `tollgate.v1.Order.Line`.
        var name: String
        var fieldTypes: [String]
        var path: String
        var line: Int
    }

    /// Words a C compiler keeps for itself: a method of this name becomes a member of a C struct.
    private static let cKeywords: Set<String> = [
        "auto", "break", "case", "char", "const", "continue", "default", "delete", "do", "double",
        "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
        "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef",
        "union", "unsigned", "void", "volatile", "while",
    ]

    /// protobuf-c unpacks nested messages by recursion without a limit: none may hold itself.
    static func recursion(_ files: [TextFile]) -> [Finding] {
        let messages = files.flatMap { Self.messages(in: $0) }
        let names = Set(messages.map(\.name))
        var edges: [String: Set<String>] = [:]
        for message in messages {
            edges[message.name, default: []].formUnion(
                message.fieldTypes.compactMap { resolve($0, from: message.name, among: names) })
        }
        return messages.filter { reaches($0.name, from: $0.name, edges) }.map { message in
            Finding(
                path: message.path, line: message.line,
                sentence: "\(message.name) holds itself, and protobuf-c would recurse on it")
        }
    }

    private static func reaches(
        _ goal: String, from start: String, _ edges: [String: Set<String>]
    ) -> Bool {
        var seen: Set<String> = []
        var pending = Array(edges[start] ?? [])
        while let name = pending.popLast() {
            if name == goal { return true }
            if seen.insert(name).inserted { pending += edges[name] ?? [] }
        }
        return false
    }

    /// protoc's rule: the innermost scope that knows the name wins.
    private static func resolve(
        _ type: String, from scope: String, among names: Set<String>
    ) -> String? {
        if type.hasPrefix(".") {
            let absolute = String(type.dropFirst())
            return names.contains(absolute) ? absolute : nil
        }
        var scope = scope.split(separator: ".").map(String.init)
        while true {
            let candidate = (scope + [type]).joined(separator: ".")
            if names.contains(candidate) { return candidate }
            if scope.isEmpty { return nil }
            scope.removeLast()
        }
    }

    /// proto3 `optional`, files of messages that import options, and methods C cannot name.
    static func unbearable(_ file: TextFile) -> [Finding] {
        let source = LexedSource(file.text)
        var findings: [Finding] = []
        let isProto3 = file.text.contains("\"proto3\"")
        for index in source.tokens.indices {
            let line = source.tokens[index].line
            let next = source.text(index + 1).lowercased()
            switch source.text(index) {
            case "optional" where isProto3 && source.startsLine(index):
                findings.append(
                    file.finding(line, "proto3 optional: use a oneof of one member"))
            case "rpc" where cKeywords.contains(next):
                findings.append(file.finding(line, "\(next) is a keyword of C"))
            default: break
            }
        }
        let holdsMessages = source.tokens.indices.contains {
            source.text($0) == "message" && source.startsLine($0)
        }
        if holdsMessages, file.text.contains("/options.proto\"") {
            findings.append(
                file.finding(1, "messages beside imported options: give the service its own file"))
        }
        return findings
    }

    static func messages(in file: TextFile) -> [Message] {
        let source = LexedSource(file.text)
        var scope: [(name: String, isMessage: Bool)] = []
        var packageName = ""
        var messages: [String: Message] = [:]
        var index = 0
        func current() -> String {
            ([packageName] + scope.filter(\.isMessage).map(\.name)).filter { !$0.isEmpty }
                .joined(separator: ".")
        }
        while index < source.tokens.count {
            switch source.text(index) {
            case "package" where scope.isEmpty:
                packageName = dottedName(source, &index)
            case "message" where source.text(index + 2) == "{":
                scope.append((source.text(index + 1), true))
                messages[current()] = Message(
                    name: current(), fieldTypes: [], path: file.path,
                    line: source.tokens[index].line)
                index += 2
            case "{": scope.append(("", false))
            case "}": _ = scope.popLast()
            case "=" where source.tokens[index + 1].kind == .number && !scope.isEmpty:
                if let type = fieldType(source, equals: index) {
                    messages[current()]?.fieldTypes.append(type)
                }
            default: break
            }
            index += 1
        }
        return messages.values.sorted { $0.line < $1.line }
    }

    private static func dottedName(_ source: LexedSource, _ index: inout Int) -> String {
        var name = ""
        while source.text(index + 1) != ";", index + 1 < source.tokens.count {
            index += 1
            name += source.text(index)
        }
        return name
    }

    /// The type before `name = number`, dots included; the value's type of a map.
    private static func fieldType(_ source: LexedSource, equals: Int) -> String? {
        var index = equals - 2
        if source.text(index) == ">" { index -= 1 }
        guard index >= 0, source.tokens[index].kind == .word else { return nil }
        var type = source.text(index)
        while source.text(index - 1) == "." {
            let outer = source.text(index - 2)
            let joins = !source.tokens[index - 1].followsSpace
            type = joins ? "\(outer).\(type)" : ".\(type)"
            if !joins { break }
            index -= 2
        }
        return type
    }
}
