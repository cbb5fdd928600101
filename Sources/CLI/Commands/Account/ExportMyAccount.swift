package import ArgumentParser
import TollgateClient

/// `tollgate account export`.
package struct ExportMyAccount: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write what is kept about you into a file, as one JSON document.",
        discussion: """
            Account, free calls, movements, orders and payments, calls and refused questions, API \
            keys, login sessions, messages. Secrets are never told, and your questions and their \
            answers are not kept. Only you may read the file.

            EXAMPLES:
              tollgate account export --output tollgate.json
              tollgate account export --output - | jq .account
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.reads

    /// The file that gets the document.
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp(
            "Write into this file; - writes to standard output.", valueName: "path"))
    package var file: String

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        guard file != "-" else {
            _ = try await export(invocation) { text in
                guard invocation.console.part(text) else { throw OutputClosed() }
            }
            return
        }
        let draft: PrivateDraft
        do { draft = try PrivateDraft(of: file) } catch { throw failure(error) }
        defer { draft.discard() }
        let rows = try await export(invocation) { text in
            do throws(SecretFile.Problem) { try draft.write(text) } catch { throw failure(error) }
        }
        do { try draft.keep() } catch { throw failure(error) }
        if invocation.isJSON {
            invocation.console.json(
                .object([("file", .text(file)), ("rows", .number(Int64(rows)))]))
        } else {
            invocation.console.line(
                "Wrote \(Amounts.count(Int64(rows), "row")) to \(TerminalText.line(file)).")
        }
    }

    private func failure(_ problem: SecretFile.Problem) -> CommandFailure {
        problem.failure(about: "The document's file", path: file)
    }

    /// Asks page after page and writes each as it comes; how many rows there were.
    private func export(
        _ invocation: Invocation, write: @escaping @Sendable (String) throws -> Void
    ) async throws -> Int {
        try await invocation.withClient { client, options in
            let accounts = AccountsServiceClient(client)
            var document = ExportDocument()
            var after = ""
            repeat {
                let page = try await accounts.exportMyAccount(
                    V1.ExportMyAccountRequest(after: after), options: options)
                // A server that names a place again would have us write for ever.
                guard page.next != after || after.isEmpty else {
                    throw CommandFailure(
                        code: "internal_error", message: "The server's pages do not end.")
                }
                try write(document.text(of: page))
                after = page.next
            } while !after.isEmpty
            try write(document.end())
            return document.rows
        }
    }
}

/// The document as it grows: sections in the order they come, each named once.
struct ExportDocument {
    /// Rows so far.
    private(set) var rows = 0
    private var section = ""
    private var isFirstRow = true

    /// What a page adds.
    mutating func text(of page: V1.ExportMyAccountResponse) throws -> String {
        var text = ""
        if page.section != section {
            text = section.isEmpty ? "{" : "],"
            text += JSONValue.text(page.section).text + ":["
            section = page.section
            isFirstRow = true
        }
        for row in try Self.rows(of: page) {
            text += (isFirstRow ? "\n" : ",\n") + row
            isFirstRow = false
            rows += 1
        }
        return text
    }

    /// What closes the document.
    func end() -> String { section.isEmpty ? "{}\n" : "]}\n" }

    private static func rows(of page: V1.ExportMyAccountResponse) throws -> [String] {
        try documents(page.account.map { [$0] } ?? []) + documents(page.trialDays)
            + documents(page.movements) + documents(page.orders) + documents(page.calls)
            + documents(page.refusals) + documents(page.apiKeys)
            + documents(page.loginSessions) + documents(page.messages)
    }

    private static func documents<Message: WireMessage>(
        _ messages: [Message]
    ) throws -> [String] {
        do {
            return try messages.map { try WireJSON.text(of: $0.encoded(), as: Message.descriptor) }
        } catch let error as WireError {
            throw CommandFailure(code: "internal_error", message: error.description)
        }
    }
}
