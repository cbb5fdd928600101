import TollgateClient

/// The contract's methods, found by the names that people write.
enum MethodTable {
    /// The method of a name: `tollgate.v1.AuthService/Login`, `AuthService/Login`, `auth/login` or
    /// `login`; letter case does not matter.
    /// - Throws: `not_found` if no method has the name, a usage failure if several have it.
    static func method(
        named name: String, in methods: [MethodDescriptor] = Methods.all
    ) throws(CommandFailure) -> MethodDescriptor {
        let found = methods.filter { names(of: $0).contains(name.lowercased()) }
        if found.count == 1, let method = found.first { return method }
        let shown = TerminalText.line(name)
        guard found.isEmpty else {
            throw CommandFailure(
                .usage, "\(shown) is the name of several methods.",
                advice: "Say which: " + found.map(shortName).joined(separator: ", "))
        }
        let meant = CommandSuggestion.nearest(
            to: name.lowercased(), among: methods.map { $0.name.lowercased() })
        let nearest = methods.first { $0.name.lowercased() == meant }.map {
            "Did you mean \(shortName($0))? "
        }
        throw CommandFailure(
            code: "not_found", message: "There is no method \(shown).",
            advice: "\(nearest ?? "")List them with: tollgate call --list")
    }

    /// The name without the package: `AuthService/Login`.
    static func shortName(_ method: MethodDescriptor) -> String {
        "\(shortService(method))/\(method.name)"
    }

    /// Who may call, as `--list` says it.
    static func access(_ method: MethodDescriptor) -> String {
        switch method.access {
        case .connection: "anyone"
        case .user: "signed in"
        case .service: method.roles.map(\.rawValue).joined(separator: ", ")
        case .admin: "operator"
        }
    }

    /// As whom a method has to be called.
    static func caller(_ method: MethodDescriptor) -> Caller {
        switch method.access {
        case .connection: .connection
        case .user: .user
        case .service: .service(method.roles.first ?? .cli)
        case .admin: .administrator
        }
    }

    /// A field's type as the contract writes it.
    static func type(_ field: FieldDescriptor) -> String {
        let name =
            switch field.kind {
            case .int32: "int32"
            case .int64: "int64"
            case .uint32: "uint32"
            case .uint64: "uint64"
            case .bool: "bool"
            case .double: "double"
            case .string: "string"
            case .bytes: "bytes"
            case .enumeration(let shape): shortType(shape.name)
            case .message(let shape): shortType(shape.name)
            }
        return switch field.cardinality {
        case .singular: name
        case .oneof: "\(name), one of several"
        case .repeated: "list of \(name)"
        case .textMap: "object of strings"
        }
    }

    /// The shapes that a message's fields lead to, itself first, each once.
    static func shapes(from root: MessageDescriptor) -> [MessageDescriptor] {
        var found = [root]
        var place = 0
        while place < found.count {
            for field in found[place].fields {
                guard case .message(let shape) = field.kind,
                    !found.contains(where: { $0.name == shape.name })
                else { continue }
                found.append(shape)
            }
            place += 1
        }
        return found
    }

    /// A type's name without the package.
    static func shortType(_ name: String) -> String {
        name.split(separator: ".").last.map(String.init) ?? name
    }

    private static func names(of method: MethodDescriptor) -> Set<String> {
        let service = shortService(method)
        let bare = service.hasSuffix("Service") ? String(service.dropLast(7)) : service
        return Set(
            [
                method.fullName, "\(service)/\(method.name)", "\(bare)/\(method.name)",
                "\(service).\(method.name)", "\(bare).\(method.name)", method.name,
            ].map { $0.lowercased() })
    }

    private static func shortService(_ method: MethodDescriptor) -> String {
        shortType(method.service)
    }
}
