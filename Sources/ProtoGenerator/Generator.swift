/// Makes the Swift files of a contract that ``Rules`` found nothing against.
struct Generator {
    /// What protoc told.
    let contract: Contract
    /// What is generated for.
    let target: Target

    /// Every file, in a stable order.
    func files() -> [GeneratedFile] {
        var files = [namespaceFile()]
        for file in contract.wantedFiles {
            let name = Names.upperCamel(snake: Self.baseName(of: file.name))
            if !file.messages.isEmpty || !file.enums.isEmpty {
                files.append(wireFile("\(name).messages", messages(of: file)))
                files.append(wireFile("\(name).codec", codec(of: file)))
                files.append(wireFile("\(name).descriptors", descriptors(of: file)))
            }
            guard let services = target.services else { continue }
            for service in file.services {
                files.append(wireFile("\(service.name).methods", methods(of: service)))
                files.append(
                    GeneratedFile(
                        path: "\(services.handlersFolder)\(service.name).handlers.swift",
                        text: handlers(of: service)))
                files.append(
                    GeneratedFile(
                        path: "\(services.clientsFolder)\(service.name).client.swift",
                        text: client(of: service, imports: services.clientImports)))
            }
        }
        if target.services?.hasMethodTable == true {
            files.append(wireFile("Methods", methodTable()))
        }
        return files
    }

    /// The Swift type of a message or enum, such as `V1.Order`.
    func type(_ fullName: String) -> String {
        let package = contract.wantedFiles.first?.package ?? ""
        let parts = fullName.dropFirst(package.count + 1).split(separator: ".")
        return ([target.namespace] + parts.map { Names.escaped(String($0)) })
            .joined(separator: ".")
    }

    private func wireFile(_ name: String, _ text: String) -> GeneratedFile {
        GeneratedFile(path: "\(target.messageFolder)\(name).swift", text: text)
    }

    private func namespaceFile() -> GeneratedFile {
        var source = SourceText(imports: target.wireImports)
        let package = contract.wantedFiles.first?.package ?? ""
        source.line("/// The messages of the package `\(package)`.")
        source.block("\(target.access)enum \(target.namespace) {") { source in
            source.line("/// Every type of message, in the contract's order.")
            source.nested(
                "\(target.access)static let allMessages: [any WireMessage.Type] = [", "]"
            ) { source in
                for message in contract.wantedFiles.flatMap(\.allMessages) {
                    source.line("\(type(message.fullName)).self,")
                }
            }
        }
        return wireFile(target.namespace, source.text)
    }

    /// `orders_service` of `tollgate/v1/orders_service.proto`.
    private static func baseName(of path: String) -> String {
        let file = path.split(separator: "/").last ?? ""
        return String(file.prefix { $0 != "." })
    }
}
