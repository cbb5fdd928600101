package import ArgumentParser
import TollgateClient

/// `tollgate ledger`.
package struct Ledger: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "List what came onto your account and what left it, newest first.",
        discussion: """
            EXAMPLES:
              tollgate ledger
              tollgate ledger --limit 200
              tollgate ledger --before 151      goes on where a page ended
            """)
    package static let caller = Caller.user
    package static let nature = CallNature.reads

    /// Movements on a page.
    @Option(help: ArgumentHelp("How many movements, 1 to 200.", valueName: "number"))
    package var limit: Int64 = 50

    /// Where the page starts.
    @Option(help: ArgumentHelp("Only movements before this one.", valueName: "sequence"))
    package var before: Int64 = 0

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit takes 1 to 200.") }
        guard before >= 0 else { throw ValidationError("--before takes a sequence number.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.ListLedgerRequest(limit: limit, beforeSequence: before)
        let page = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client).listLedger(request, options: options)
        }
        if invocation.isJSON {
            invocation.console.json(page.json)
            return
        }
        var table = TextTable([
            ("NO.", .right), ("WHEN", .left), ("WHAT", .left), ("CREDITS", .right),
            ("AFTER", .right), ("ABOUT", .flexible),
        ])
        for entry in page.entries {
            table.add([
                String(entry.sequence), invocation.moments.moment(entry.atMilliseconds),
                entry.kind, Amounts.change(entry.amountMicroCredits),
                Amounts.credits(entry.postedAfterMicroCredits), entry.reference,
            ])
        }
        invocation.console.table(table, ifEmpty: "Nothing has moved on your account yet.")
        if page.nextBeforeSequence != 0 {
            invocation.console.note("More: tollgate ledger --before \(page.nextBeforeSequence)")
        }
    }
}

extension V1.ListLedgerResponse {
    fileprivate var json: JSONValue {
        let list = entries.map { entry in
            JSONValue.object([
                ("sequence", .number(entry.sequence)),
                ("kind", .text(entry.kind)),
                ("amountMicroCredits", .number(entry.amountMicroCredits)),
                ("postedAfterMicroCredits", .number(entry.postedAfterMicroCredits)),
                ("reference", .text(entry.reference)),
                ("atMilliseconds", .number(entry.atMilliseconds)),
            ])
        }
        return .object([
            ("entries", .array(list)), ("nextBeforeSequence", .number(nextBeforeSequence)),
        ])
    }
}
