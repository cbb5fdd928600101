package import ArgumentParser
import TollgateClient

/// `tollgate admin incidents`.
package struct AdminIncidents: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "incidents",
        abstract: "List what a person has to look at, newest first.",
        discussion: """
            EXAMPLES:
              tollgate admin incidents
              tollgate admin incidents --limit 200 --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    /// Incidents told.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many incidents, 1 to 200.", valueName: "number"))
    package var limit: Int64 = 50

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit takes 1 to 200.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let incidents = try await invocation.withClient { client, options in
            try await OperationsServiceClient(client)
                .listIncidents(V1.ListIncidentsRequest(limit: limit), options: options).incidents
        }
        if invocation.isJSON {
            invocation.console.json(.object([("incidents", .array(incidents.map(\.json)))]))
            return
        }
        var table = TextTable([
            ("WHEN", .left), ("KIND", .left), ("ABOUT", .left), ("WHAT HAPPENED", .flexible),
        ])
        for incident in incidents {
            table.add([
                invocation.moments.moment(incident.atMilliseconds), incident.kind,
                incident.reference, incident.summary,
            ])
        }
        invocation.console.table(table, ifEmpty: "Nothing needs a look.")
    }
}

extension V1.Incident {
    fileprivate var json: JSONValue {
        .object([
            ("atMilliseconds", .number(atMilliseconds)),
            ("kind", .text(kind)),
            ("reference", .text(reference)),
            ("summary", .text(summary)),
        ])
    }
}
