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
              tollgate ledger statement         what this month came to
            """,
        subcommands: [LedgerStatement.self])
    package static let caller = Caller.user
    package static let nature = CallNature.reads

    /// Which movements.
    @OptionGroup
    package var page: LedgerPage

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.ListLedgerRequest(limit: page.limit, beforeSequence: page.before)
        let page = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client).listLedger(request, options: options)
        }
        if invocation.isJSON {
            invocation.console.json(
                .object([
                    ("entries", .array(page.entries.map(\.json))),
                    ("nextBeforeSequence", .number(page.nextBeforeSequence)),
                ]))
            return
        }
        invocation.console.table(
            .movements(page.entries, invocation.moments),
            ifEmpty: "Nothing has moved on your account yet.")
        if page.nextBeforeSequence != 0 {
            invocation.console.note("More: tollgate ledger --before \(page.nextBeforeSequence)")
        }
    }
}

/// Which movements a page has.
package struct LedgerPage: ParsableArguments, Sendable {
    /// Movements on a page.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many movements, 1 to 200.", valueName: "number"))
    package var limit: Int64 = 50

    /// Where the page starts.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only movements before this one.", valueName: "sequence"))
    package var before: Int64 = 0

    /// Makes the first page.
    package init() {}

    package func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit takes 1 to 200.") }
        guard before >= 0 else { throw ValidationError("--before takes a sequence number.") }
    }
}

extension TextTable {
    /// Movements as people read them.
    static func movements(_ entries: [V1.LedgerEntry], _ moments: Moments) -> TextTable {
        let times = moments.column("WHEN", entries.map(\.atMilliseconds))
        var table = TextTable([
            ("NO.", .right), (times.title, .left), ("WHAT", .left), ("CREDITS", .right),
            ("AFTER", .right), ("ABOUT", .flexible),
        ])
        for (entry, time) in zip(entries, times.cells) {
            table.add([
                String(entry.sequence), time,
                entry.kind, Amounts.change(entry.amountMicroCredits),
                Amounts.credits(entry.postedAfterMicroCredits), entry.reference,
            ])
        }
        return table
    }
}

extension V1.LedgerEntry {
    /// The movement as programs read it.
    var json: JSONValue {
        .object([
            ("sequence", .number(sequence)),
            ("kind", .text(kind)),
            ("amountMicroCredits", .number(amountMicroCredits)),
            ("postedAfterMicroCredits", .number(postedAfterMicroCredits)),
            ("reference", .text(reference)),
            ("atMilliseconds", .number(atMilliseconds)),
        ])
    }
}
