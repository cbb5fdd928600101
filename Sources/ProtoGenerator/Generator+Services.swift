// Services: the table of methods, the server's protocols, the client's stubs.
extension Generator {
    /// The methods of a service as constants.
    func methods(of service: Service) -> String {
        var source = SourceText(imports: [])
        source.block("extension Methods {") { source in
            source.documentation(service.documentation, otherwise: "Methods of \(service.name).")
            source.block("\(target.access)enum \(service.name) {") { source in
                for method in service.methods {
                    source.documentation(
                        method.documentation, otherwise: "The method `\(method.name)`.")
                    writeDescriptor(of: method, in: service, to: &source)
                    source.line()
                }
                source.line("/// The methods in the contract's order.")
                let names = service.methods.map { Names.lowerFirst($0.name) }
                source.line(
                    "\(target.access)static let all: [MethodDescriptor] = "
                        + "[\(names.joined(separator: ", "))]"
                )
            }
        }
        return source.text
    }

    /// All methods of all services.
    func methodTable() -> String {
        var source = SourceText(imports: [])
        source.line("/// What the contract states about each of its methods.")
        source.block("public enum Methods {") { source in
            source.line("/// Every method, by service.")
            source.nested("public static let all: [MethodDescriptor] = [", "].flatMap { $0 }") {
                source in
                for service in contract.wantedFiles.flatMap(\.services) {
                    source.line("\(service.name).all,")
                }
            }
        }
        return source.text
    }

    private func writeDescriptor(
        of method: Method, in service: Service, to source: inout SourceText
    ) {
        let accesses: [UInt32: String] = [1: "connection", 2: "user", 3: "service", 4: "admin"]
        let roles: [UInt32: String] = [1: "web", 2: "jobs", 3: "admin", 4: "cli"]
        let facts = method.facts ?? Facts()
        let name = Names.lowerFirst(method.name)
        source.nested("\(target.access)static let \(name) = MethodDescriptor(", ")") { source in
            source.line("service: \(literal(service.fullName)), name: \(literal(method.name)),")
            let list = facts.roles.compactMap { roles[$0] }.map { ".\($0)" }
                .joined(separator: ", ")
            source.line(
                "access: .\(accesses[facts.access] ?? ""), roles: [\(list)], "
                    + "isIdempotent: \(facts.isIdempotent),")
            source.line(
                "defaultDeadlineMilliseconds: \(grouped(facts.defaultDeadlineMilliseconds)),")
            source.line("streaming: .\(method.kind.rawValue),")
            source.line("request: \(type(method.request)).descriptor,")
            source.line("response: \(type(method.response)).descriptor")
        }
    }

    /// `600_000` for 600000.
    private func grouped(_ number: Int64) -> String {
        var result = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { result = "_" + result }
            result = "\(digit)" + result
        }
        return result
    }

    /// What a server implements for a service.
    func handlers(of service: Service) -> String {
        var source = SourceText(imports: [
            "package import TollgateRPC", "package import TollgateWire",
        ])
        source.documentation(service.documentation, otherwise: "The service \(service.name).")
        source.block("package protocol \(service.name)Handlers: Sendable {") { source in
            for method in service.methods {
                source.documentation(
                    method.documentation, otherwise: "The method `\(method.name)`.")
                let name = Names.lowerFirst(method.name)
                source.nested("func \(name)(", ") async throws\(result(of: method))") { source in
                    let comma = method.streamsResponses ? "," : ""
                    source.line(
                        "_ \(requestParameter(of: method)), _ context: ServerCallContext\(comma)")
                    if method.streamsResponses {
                        source.line("_ \(responsesParameter(of: method))")
                    }
                }
                source.line()
            }
        }
        source.block("extension \(service.name)Handlers {") { source in
            source.line("/// The methods, ready for the router.")
            source.block("package var service: ServiceRegistration {") { source in
                writeRegistration(of: service, to: &source)
            }
        }
        return source.text
    }

    private func result(of method: Method) -> String {
        method.streamsResponses ? "" : " -> \(type(method.response))"
    }

    /// What a handler is asked with: one message, or the stream of them.
    private func requestParameter(of method: Method) -> String {
        method.streamsRequests
            ? "requests: RequestStream<\(type(method.request))>"
            : "request: \(type(method.request))"
    }

    private func responsesParameter(of method: Method) -> String {
        "responses: ServerStreamWriter<\(type(method.response))>"
    }

    private func writeRegistration(of service: Service, to source: inout SourceText) {
        source.nested("ServiceRegistration(", ")") { source in
            source.line("name: \(literal(service.fullName)),")
            source.nested("methods: [", "]") { source in
                for method in service.methods {
                    let name = Names.lowerFirst(method.name)
                    let descriptor = "Methods.\(service.name).\(name)"
                    var parameters = "\(requestParameter(of: method)), context: ServerCallContext"
                    var arguments =
                        method.streamsRequests ? "requests, context" : "request, context"
                    if method.streamsResponses {
                        parameters += ", \(responsesParameter(of: method))"
                        arguments += ", responses"
                    }
                    source.nested(".\(method.kind.rawValue)(\(descriptor)) {", "},") {
                        $0.line("(\(parameters)) in")
                        $0.line("try await self.\(name)(\(arguments))")
                    }
                }
            }
        }
    }

    /// What a client calls a service by.
    func client(of service: Service, imports: [String]) -> String {
        var source = SourceText(imports: imports)
        source.documentation(service.documentation, otherwise: "The service \(service.name).")
        source.block("\(target.access)struct \(service.name)Client: Sendable {") { source in
            source.line("private let client: TollgateClient")
            source.line()
            source.line("/// Calls over this client's connections.")
            source.block("\(target.access)init(_ client: TollgateClient) {") {
                $0.line("self.client = client")
            }
            for method in service.methods { writeStub(of: method, in: service, to: &source) }
        }
        return source.text
    }

    private func writeStub(
        of method: Method, in service: Service, to source: inout SourceText
    ) {
        let name = Names.lowerFirst(method.name)
        let descriptor = "Methods.\(service.name).\(name)"
        source.documentation(method.documentation, otherwise: "The method `\(method.name)`.")
        switch method.kind {
        case .unary:
            source.nested(
                "\(target.access)func \(name)(", ") async throws -> \(type(method.response)) {"
            ) { source in
                source.line("_ request: \(type(method.request)),")
                source.line("options: CallOptions = CallOptions()")
            }
            source.nestedBody {
                $0.line("try await client.unary(\(descriptor), request, options: options)")
            }
        case .serverStreaming:
            source.nested("\(target.access)func \(name)<Result>(", ") async throws -> Result {") {
                source in
                source.line("_ request: \(type(method.request)),")
                source.line("options: CallOptions = CallOptions(),")
                source.line(
                    "_ body: (ServerStream<\(type(method.response))>) async throws -> Result")
            }
            source.nestedBody {
                $0.line(
                    "try await client.serverStream(\(descriptor), request, options: options, body)")
            }
        case .clientStreaming:
            source.nested(
                "\(target.access)func \(name)(", ") async throws -> \(type(method.response)) {"
            ) { source in
                source.line("options: CallOptions = CallOptions(),")
                source.line("_ body: (RequestWriter<\(type(method.request))>) async throws -> Void")
            }
            source.nestedBody {
                $0.line("try await client.clientStream(\(descriptor), options: options, body)")
            }
        case .bidirectionalStreaming:
            source.nested("\(target.access)func \(name)<Result>(", ") async throws -> Result {") {
                source in
                source.line("options: CallOptions = CallOptions(),")
                source.nested("_ body: (", ") async throws -> Result") {
                    $0.line("RequestWriter<\(type(method.request))>,")
                    $0.line("ServerStream<\(type(method.response))>")
                }
            }
            source.nestedBody {
                $0.line(
                    "try await client.bidirectionalStream(\(descriptor), options: options, body)")
            }
        }
    }
}
