package import ArgumentParser
import TollgateClient

/// `tollgate admin accounts statement`.
package struct AccountStatement: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "statement",
        abstract: "Tell what a month came to on an account, and list its movements.",
        discussion: """
            As its owner sees it with `tollgate ledger statement`.

            EXAMPLES:
              tollgate admin accounts statement 0H2K9QW3ZT4BM
              tollgate admin accounts statement 0H2K9QW3ZT4BM --month 2026-11
              tollgate admin accounts statement 0H2K9QW3ZT4BM --month 2026-11 --csv
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

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
            command: "tollgate admin accounts statement \(account)", isCSV: statement.csv,
            page: page,
            statement: { [account] client, options in
                try await AdminServiceClient(client).getAccountStatement(
                    V1.GetAccountStatementRequest(accountId: account, month: month),
                    options: options
                ).statement
            },
            movements: { [account] client, options, slice in
                let answer = try await AdminServiceClient(client).getAccountLedger(
                    V1.GetAccountLedgerRequest(
                        accountId: account, limit: slice.limit, beforeSequence: slice.before,
                        afterSequence: slice.after),
                    options: options)
                return (answer.entries, answer.nextBeforeSequence)
            })
        try await report.write(invocation)
    }
}
