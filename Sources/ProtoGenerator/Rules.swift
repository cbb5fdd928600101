/// What the contract may not hold, each refusal a sentence with its place.
enum Rules {
    /// Every reason to refuse the wanted files; empty if there is none.
    static func refusals(of contract: Contract, package: String) -> [String] {
        var refusals: [String] = []
        for file in contract.wantedFiles {
            refusals += layoutRefusals(of: file, package: package)
            refusals += file.allMessages.flatMap { fieldRefusals(of: $0, package: package) }
            refusals += file.allEnums.flatMap(refusals(of:))
            for service in file.services {
                refusals += service.methods.flatMap { methodRefusals(of: $0, service: service) }
            }
        }
        return refusals + recursionRefusals(of: contract)
    }

    private static func layoutRefusals(of file: ProtoFile, package: String) -> [String] {
        var refusals: [String] = []
        if !file.isProto3 { refusals.append("\(file.name): must be proto3") }
        if file.package != package { refusals.append("\(file.name): must be package \(package)") }
        let holdsMessages = !file.messages.isEmpty || !file.enums.isEmpty
        let importsOptions = file.imports.contains { $0.hasSuffix("options.proto") }
        if !file.services.isEmpty, !file.name.hasSuffix("_service.proto") {
            refusals.append("\(file.name): services stand in a file named x_service.proto")
        }
        if holdsMessages, importsOptions || !file.services.isEmpty {
            refusals.append(
                "\(file.name): messages and enums stand in a file of their own, without options: "
                    + "protobuf-c cannot take a file that imports options")
        }
        return refusals
    }

    private static func fieldRefusals(of message: Message, package: String) -> [String] {
        var refusals: [String] = []
        for field in message.fields {
            let place = "\(message.fullName).\(field.name)"
            if field.isProto3Optional {
                refusals.append(
                    "\(place): the word optional is refused, protobuf-c does not bear it; "
                        + "use a oneof with this one member")
            }
            switch field.kind {
            case .refused(let type):
                refusals.append(
                    "\(place): the type \(type) is refused; Tollgate speaks int32, "
                        + "int64, uint32, uint64, bool, double, string, bytes, enums and messages")
            case .message(let name), .enumeration(let name):
                if !name.hasPrefix(package + ".") {
                    refusals.append("\(place): \(name) is not of package \(package)")
                } else if message.messages.contains(where: { $0.isMapEntry && $0.fullName == name }
                ),
                    !field.isTextMap
                {
                    refusals.append("\(place): of maps, only map<string, string> is spoken")
                }
            default: break
            }
            if Keywords.refusedFields.contains(field.name)
                || Keywords.refusedFields.contains(Names.lowerFirst(field.jsonName))
            {
                refusals.append("\(place): a field cannot have this name; choose another word")
            }
        }
        return refusals + oneofRefusals(of: message)
    }

    private static func oneofRefusals(of message: Message) -> [String] {
        let nested = Set(message.messages.map(\.name) + message.enums.map(\.name))
        return message.oneofs.indices.compactMap { index in
            let name = message.oneofs[index].name
            guard message.members(of: index).count > 1,
                nested.contains(Names.upperCamel(snake: name))
            else { return nil }
            return "\(message.fullName).\(name): a type nested in the message has the oneof's name"
        }
    }

    private static func refusals(of enumeration: Enumeration) -> [String] {
        var refusals: [String] = []
        var cases: Set<String> = ["unrecognized"]
        var numbers: Set<Int32> = []
        for value in enumeration.values {
            let place = "\(enumeration.fullName).\(value.name)"
            let name = Names.enumCase(value, of: enumeration)
            if !cases.insert(name).inserted || name.first?.isNumber != false {
                refusals.append("\(place): \(name) cannot be the name of its case")
            }
            if !numbers.insert(value.number).inserted {
                refusals.append("\(place): two names for one number are refused")
            }
        }
        return refusals
    }

    private static func methodRefusals(of method: Method, service: Service) -> [String] {
        let place = "\(service.fullName)/\(method.name)"
        var refusals: [String] = []
        if method.streamsRequests, method.facts?.isIdempotent == true {
            refusals.append(
                "\(place): a stream of requests cannot be repeated by the client, so its facts "
                    + "must not say idempotent")
        }
        if Keywords.refusedMethods.contains(Names.lowerFirst(method.name)) {
            refusals.append(
                "\(place): \(Names.lowerFirst(method.name)) is a word of C, Swift or the "
                    + "generated code; choose another name for the method")
        }
        guard let facts = method.facts else {
            return refusals + [
                "\(place): states no facts; add option (facts) = { access: …, "
                    + "default_deadline_milliseconds: … }"
            ]
        }
        if !(1...4).contains(facts.access) {
            refusals.append("\(place): its facts do not say who has access")
        }
        if facts.access == 3, facts.roles.isEmpty {
            refusals.append("\(place): access SERVICE needs the roles that may call")
        }
        if !facts.roles.allSatisfy({ (1...4).contains($0) }) {
            refusals.append("\(place): a role is unspecified")
        }
        if facts.defaultDeadlineMilliseconds <= 0 {
            refusals.append("\(place): its facts state no default_deadline_milliseconds")
        }
        return refusals
    }

    /// Protobuf-c unpacks recursively and without a limit, so input could exhaust the stack.
    private static func recursionRefusals(of contract: Contract) -> [String] {
        let wanted = Set(contract.wantedFiles.flatMap(\.allMessages).map(\.fullName))
        var uses: [String: [String]] = [:]
        for message in contract.allMessages {
            uses[message.fullName] = message.fields.compactMap { field in
                if case .message(let name) = field.kind, !field.isTextMap { name } else { nil }
            }
        }
        var finished: Set<String> = []
        var refusals: [String] = []
        func visit(_ name: String, _ trail: [String]) {
            if let start = trail.firstIndex(of: name) {
                let circle = (trail[start...] + [name]).joined(separator: " → ")
                refusals.append(
                    "\(name): recursive messages are refused, protobuf-c unpacks them without a "
                        + "limit to their depth: \(circle)")
                return
            }
            guard !finished.contains(name) else { return }
            for used in uses[name] ?? [] { visit(used, trail + [name]) }
            finished.insert(name)
        }
        for name in wanted.sorted() { visit(name, []) }
        return refusals
    }
}
