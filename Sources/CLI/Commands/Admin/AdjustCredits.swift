package import ArgumentParser
import TollgateClient

/// `tollgate admin accounts adjust`.
package struct AdjustCredits: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "adjust",
        abstract: "Give credits to an account, or take some off it.",
        discussion: """
            It is a transfer like any other, and a line in the log. Nothing is taken that a call \
            has reserved. To repeat an adjustment whose outcome is not known, repeat its --key: it \
            is done once.

            EXAMPLES:
              tollgate admin accounts adjust 0H2K9QW3ZT4BM --give 5 --reason 'Outage'
              tollgate admin accounts adjust 0H2K9QW3ZT4BM --give 5 --expires 30d \\
                --reason 'Gift'
              tollgate admin accounts adjust 0H2K9QW3ZT4BM --take 2.5 --reason 'Given twice'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The account.
    @Argument(help: "The account's number, 13 characters.")
    package var account: String

    /// Credits to give.
    @Option(help: ArgumentHelp("Credits to give.", valueName: "credits"))
    package var give: String?

    /// Credits to take.
    @Option(help: ArgumentHelp("Credits to take.", valueName: "credits"))
    package var take: String?

    /// When given credits expire.
    @Option(
        help: ArgumentHelp(
            "How long given credits last, such as 30d (default: for ever).",
            valueName: "duration"))
    package var expires: String?

    /// The idempotency key.
    @Option(help: ArgumentHelp("The key of an adjustment to repeat.", valueName: "key"))
    package var key: String?

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (give == nil) != (take == nil) else {
            throw ValidationError("Either --give or --take, with credits.")
        }
        guard (Amounts.parseCredits(give ?? take ?? "") ?? 0) > 0 else {
            throw ValidationError("--give and --take take credits, such as 5 or 0.25.")
        }
        if let expires, Moments.parseDuration(expires) == nil {
            throw ValidationError("--expires takes a duration, such as 12h or 90d.")
        }
        if expires != nil, give == nil { throw ValidationError("--expires goes with --give.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let key = key ?? invocation.environment.newKey()
        let amount = Amounts.parseCredits(give ?? take ?? "") ?? 0
        let end = expires.flatMap(Moments.parseDuration).map {
            invocation.environment.now() + $0
        }
        let request = V1.AdjustCreditsRequest(
            by: try act.actedBy(invocation), accountId: account,
            amountMicroCredits: take == nil ? amount : -amount, requestId: key,
            expiresAtMilliseconds: end ?? 0)
        let done = try await adjust(request, invocation)
        if !done.doneNow {
            invocation.console.note("It was done before under this key; nothing changed.")
        }
        if invocation.isJSON {
            let account = done.account ?? V1.AccountStanding()
            invocation.console.json(
                .object([
                    ("doneNow", .bool(done.doneNow)), ("requestId", .text(key)),
                    ("account", account.json),
                ]))
        } else {
            invocation.show(done.account)
        }
    }

    private func adjust(
        _ request: V1.AdjustCreditsRequest, _ invocation: Invocation
    ) async throws -> V1.AdjustCreditsResponse {
        do {
            return try await invocation.withClient { client, options in
                try await AdminServiceClient(client).adjustCredits(request, options: options)
            }
        } catch let error as TollgateError
            where ["unknown_outcome", "deadline_exceeded", "unavailable"].contains(error.code)
        {
            throw CommandFailure(
                code: error.code, message: error.message,
                advice: "Repeat it with --key \(request.requestId): it is done once.")
        } catch let error as TollgateError where error.code == "mismatch" {
            throw CommandFailure(
                code: error.code,
                message: "--key \(request.requestId) was used for another adjustment of this "
                    + "account; nothing changed now.",
                advice: "See what it did with: tollgate admin log. For another adjustment leave "
                    + "--key out.")
        }
    }
}
