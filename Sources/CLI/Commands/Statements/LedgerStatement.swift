package import ArgumentParser
import TollgateClient

/// `tollgate ledger statement`.
package struct LedgerStatement: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "statement",
        abstract: "Tell what a month came to on your account, and list its movements.",
        discussion: """
            A month is one in Asia/Shanghai; without --month it is the running one. What was there \
            and what moved is what is left, exactly: a statement that does not add up is not \
            shown.

            EXAMPLES:
              tollgate ledger statement
              tollgate ledger statement --month 2026-11
              tollgate ledger statement --month 2026-11 --csv > november.csv
              tollgate ledger statement --month 2026-11 --json
            """)
    package static let caller = Caller.user
    package static let nature = CallNature.reads

    /// Which month, and how it is written.
    @OptionGroup
    package var statement: StatementOptions

    /// Which movements.
    @OptionGroup
    package var page: LedgerPage

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws { try statement.check(page, output) }

    package func perform(_ invocation: Invocation) async throws {
        let month = statement.month ?? ""
        let report = StatementReport(
            command: "tollgate ledger statement", isCSV: statement.csv, page: page,
            statement: { client, options in
                try await AccountsServiceClient(client).getStatement(
                    V1.GetStatementRequest(month: month), options: options
                ).statement
            },
            movements: { client, options, slice in
                let answer = try await AccountsServiceClient(client).listLedger(
                    V1.ListLedgerRequest(
                        limit: slice.limit, beforeSequence: slice.before,
                        afterSequence: slice.after),
                    options: options)
                return (answer.entries, answer.nextBeforeSequence)
            })
        try await report.write(invocation)
    }
}
