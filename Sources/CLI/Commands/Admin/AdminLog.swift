package import ArgumentParser
import TollgateClient

/// `tollgate admin log`.
package struct AdminLog: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "List what operators did: who, what, to what, why; newest first.",
        discussion: """
            Each line was written in the transaction that did it, and none is ever changed.

            EXAMPLES:
              tollgate admin log
              tollgate admin log --limit 200 --json
              tollgate admin log --before 0H2K9QW3ZT4BM      goes on where a page ended
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    /// Acts told.
    @Option(
        parsing: .unconditional, help: ArgumentHelp("How many acts, 1 to 200.", valueName: "number")
    )
    package var limit: Int64 = 50

    /// Where the page starts.
    @Option(help: ArgumentHelp("Only acts before this one.", valueName: "act"))
    package var before: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit takes 1 to 200.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.ListAdminActsRequest(limit: limit, beforeActId: before ?? "")
        let page = try await invocation.withClient { client, options in
            try await AdminServiceClient(client).listAdminActs(request, options: options)
        }
        if invocation.isJSON {
            invocation.console.json(
                .object([
                    ("acts", .array(page.acts.map(\.json))),
                    ("nextBeforeActId", .text(page.nextBeforeActId)),
                ]))
            return
        }
        var table = TextTable([
            ("WHEN", .left), ("WHO", .left), ("WHAT", .left), ("TO", .left), ("BEFORE", .left),
            ("AFTER", .left), ("WHY", .flexible),
        ])
        for act in page.acts {
            table.add([
                invocation.moments.moment(act.atMilliseconds),
                "\(act.person) (\(act.credential))", act.kind, act.object, act.before, act.after,
                act.reason,
            ])
        }
        invocation.console.table(table, ifEmpty: "No operator has changed anything yet.")
        if !page.nextBeforeActId.isEmpty {
            invocation.console.note("More: tollgate admin log --before \(page.nextBeforeActId)")
        }
    }
}

extension V1.AdminAct {
    fileprivate var json: JSONValue {
        .object([
            ("actId", .text(actId)),
            ("atMilliseconds", .number(atMilliseconds)),
            ("person", .text(person)),
            ("credential", .text(credential)),
            ("kind", .text(kind)),
            ("object", .text(object)),
            ("before", .text(before)),
            ("after", .text(after)),
            ("reason", .text(reason)),
            ("correlationId", .number(correlationId)),
        ])
    }
}
