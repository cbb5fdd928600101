package import ArgumentParser
import TollgateClient

/// `tollgate call`.
package struct Call: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Call any method of the contract with JSON.",
        discussion: """
            The request and the response are the contract's messages in proto3 JSON: 64-bit \
            numbers are strings, bytes are base64, defaults are left out. A stream writes one \
            line a message. The credential is the one that the method asks for: cli, admin, web \
            or jobs in the data folder's credentials.

            EXAMPLES:
              tollgate call --list
              tollgate call --describe ListLedger
              tollgate call Ping
              tollgate call AccountsService/ListLedger '{"limit": "5"}'
              tollgate call Ask - < question.json
            """)
    package static let caller = Caller.connection
    package static let nature = CallNature.changes

    /// The method's name.
    @Argument(help: "The method, such as AuthService/WhoAmI or whoami.")
    package var method: String?

    /// The request.
    @Argument(help: "The request; - reads it from standard input. (default: {})")
    package var request: String?

    /// Whether the methods are listed.
    @Flag(help: "List the methods and what the contract states about them.")
    package var list = false

    /// Whether the method's messages are shown.
    @Flag(help: "Show the fields of the method's messages instead of calling it.")
    package var describe = false

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        if list, method != nil { throw ValidationError("--list takes no method.") }
        if list, describe { throw ValidationError("--list and --describe exclude each other.") }
        if !list, method == nil {
            throw ValidationError("Name a method, or list them with --list.")
        }
        if describe, request != nil { throw ValidationError("--describe takes no request.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        guard let name = method else {
            MethodListing.list(invocation)
            return
        }
        let method = try MethodTable.method(named: name)
        if describe {
            MethodListing.describe(method, invocation)
            return
        }
        try await call(method, invocation)
    }

    private func call(_ method: MethodDescriptor, _ invocation: Invocation) async throws {
        let text =
            request == "-" ? try await invocation.environment.input.all() : request ?? "{}"
        let bytes: [UInt8]
        do {
            bytes = try WireJSON.bytes(of: text, as: method.request)
        } catch {
            throw CommandFailure(
                .usage, error.description,
                advice: "See its fields with: tollgate call --describe "
                    + MethodTable.shortName(method))
        }
        let acting = invocation.acting(as: MethodTable.caller(method))
        do {
            try await acting.withClient { client, options in
                switch method.streaming {
                case .unary:
                    let answer = try await client.unaryBytes(method, bytes, options: options)
                    try write(answer, method, invocation)
                case .serverStreaming:
                    try await client.withByteStream(method, bytes, options: options) { messages in
                        for try await message in messages {
                            try write(message, method, invocation)
                        }
                    }
                case .clientStreaming, .bidirectionalStreaming:
                    throw CommandFailure(
                        .usage, "\(MethodTable.shortName(method)) takes a stream of requests.",
                        advice: "Call it from a program, with TollgateClient.")
                }
            }
        } catch let error as TollgateError {
            throw acting.failure(error)
        }
    }

    private func write(
        _ bytes: [UInt8], _ method: MethodDescriptor, _ invocation: Invocation
    ) throws {
        let text: String
        do {
            text = try WireJSON.text(of: bytes, as: method.response)
        } catch {
            throw CommandFailure(code: "internal_error", message: error.description)
        }
        guard invocation.console.json(.raw(text)) else { throw OutputClosed() }
    }
}
