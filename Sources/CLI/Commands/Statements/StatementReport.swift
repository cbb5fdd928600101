package import ArgumentParser
import TollgateClient

/// Which month a statement is of, and how it is written.
package struct StatementOptions: ParsableArguments, Sendable {
    /// The month.
    @Option(
        help: ArgumentHelp(
            "A month in Asia/Shanghai, such as 2026-11 (default: the running one).",
            valueName: "month"))
    package var month: String?

    /// Whether every movement is written as CSV.
    @Flag(help: "Write every movement of the month as CSV, newest first.")
    package var csv = false

    /// Makes the running month.
    package init() {}

    package func validate() throws {
        guard let month else { return }
        let parts = month.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 4, parts[1].utf8.count == 2,
            parts.allSatisfy({ part in part.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let number = Int64(parts[1]), (1...12).contains(number)
        else { throw ValidationError("--month takes a month such as 2026-11.") }
    }

    /// Checks what does not go together.
    func check(_ page: LedgerPage, _ output: OutputOptions) throws {
        guard csv else { return }
        guard !output.json else { throw ValidationError("Choose one of --csv and --json.") }
        guard page.before == 0 else {
            throw ValidationError("--csv writes every movement; leave --before out.")
        }
    }
}

/// Writes a statement and its movements, wherever they come from.
struct StatementReport: Sendable {
    /// Movements asked for: so many below one place and above another.
    struct Slice: Sendable {
        var limit: Int64
        var before: Int64
        var after: Int64
    }

    /// How a person goes on after a page.
    let command: String
    /// Whether every movement is written as CSV.
    let isCSV: Bool
    /// Which movements otherwise.
    let page: LedgerPage
    /// Asks for the statement.
    let statement: @Sendable (TollgateClient, CallOptions) async throws -> V1.Statement?
    /// Asks for movements, newest first, and where the next page starts; 0 after the last.
    let movements:
        @Sendable (TollgateClient, CallOptions, Slice) async throws -> (
            entries: [V1.LedgerEntry], next: Int64
        )

    /// Asks and writes.
    func write(_ invocation: Invocation) async throws {
        try await invocation.withClient { client, options in
            guard let told = try await statement(client, options) else {
                throw CommandFailure(.truncated, "The answer holds no statement.")
            }
            try told.check()
            if isCSV {
                try await writeCSV(told, client, options, invocation)
            } else {
                try await writePage(told, client, options, invocation)
            }
        }
    }

    private func writePage(
        _ told: V1.Statement, _ client: TollgateClient, _ options: CallOptions,
        _ invocation: Invocation
    ) async throws {
        let isTop = page.before == 0 || page.before >= told.beforeSequence
        let slice = Slice(
            limit: page.limit, before: isTop ? told.beforeSequence : page.before,
            after: told.afterSequence)
        let (entries, next) = try await movements(client, options, slice)
        if invocation.isJSON {
            invocation.console.json(told.json(entries, next: next))
            return
        }
        invocation.console.facts(told.facts)
        if !told.totals.isEmpty {
            invocation.console.line()
            invocation.console.table(told.sums, ifEmpty: "")
        }
        invocation.console.line()
        invocation.console.line(told.equation)
        guard !told.totals.isEmpty else { return }
        invocation.console.line()
        invocation.console.table(
            .movements(entries, .shanghai), ifEmpty: "No movement of the month is below that one.")
        if next != 0 {
            let month = TerminalText.line(told.month)
            invocation.console.note("More: \(command) --month \(month) --before \(next)")
        }
    }

    /// Writes page after page, and adds them up again: a file that breaks off or lacks a movement
    /// must not look whole.
    private func writeCSV(
        _ told: V1.Statement, _ client: TollgateClient, _ options: CallOptions,
        _ invocation: Invocation
    ) async throws {
        var walk = StatementWalk(from: told)
        var isRead = invocation.console.line(StatementWalk.heading)
        var slice = Slice(
            limit: CommandLimits.statementPage, before: told.beforeSequence,
            after: told.afterSequence)
        while isRead, !walk.isComplete {
            let (entries, next) = try await movements(client, options, slice)
            for entry in entries where isRead {
                try walk.add(entry)
                isRead = invocation.console.line(entry.csv)
            }
            // A page without movements would be asked for without end.
            guard next != 0, !entries.isEmpty else { break }
            slice.before = next
        }
        guard isRead else { return }
        try walk.finish()
        invocation.console.note(told.equation)
    }
}

/// Goes over a statement's movements from the newest to the oldest: each has to stand right below
/// the one before it, and to have left what that one found.
struct StatementWalk {
    static let heading =
        "sequence,at,kind,amount_micro_credits,posted_after_micro_credits,reference"

    private let statement: V1.Statement
    private var sequence: Int64
    private var posted: Int64

    init(from statement: V1.Statement) {
        self.statement = statement
        sequence = statement.beforeSequence
        posted = statement.closingMicroCredits
    }

    /// Whether the oldest movement was seen.
    var isComplete: Bool { sequence == statement.afterSequence &+ 1 }

    mutating func add(_ entry: V1.LedgerEntry) throws {
        let expected = sequence &- 1
        guard entry.sequence == expected, entry.postedAfterMicroCredits == posted else {
            throw statement.mismatch("movement \(expected) is missing or is another")
        }
        sequence = expected
        posted = entry.postedAfterMicroCredits &- entry.amountMicroCredits
    }

    func finish() throws {
        guard isComplete, posted == statement.openingMicroCredits else {
            throw statement.mismatch("its movements do not lead back to what was there")
        }
    }
}

extension V1.Statement {
    /// Adds up what the server told: whoever reads need not trust that it did.
    func check() throws {
        let sums = [totals.map(\.creditedMicroCredits), totals.map(\.debitedMicroCredits)]
            .map { $0.reduce(0, &+) }
        guard sums == [creditedMicroCredits, debitedMicroCredits],
            totals.map(\.count).reduce(0, &+) == movements,
            beforeSequence &- afterSequence == movements &+ 1,
            openingMicroCredits &+ sums[0] &- sums[1] == closingMicroCredits
        else { throw mismatch("what was there and what moved is not what is left") }
    }

    func mismatch(_ what: String) -> CommandFailure {
        CommandFailure(
            .auditUnclean, "The statement of \(TerminalText.line(month)) does not add up: \(what).",
            advice: "Ask again; if it stays so, tell the operator.")
    }

    /// Opening, what moved, closing.
    fileprivate var equation: String {
        "\(Amounts.credits(openingMicroCredits)) + \(Amounts.credits(creditedMicroCredits)) - "
            + "\(Amounts.credits(debitedMicroCredits)) = "
            + Amounts.creditsWithUnit(closingMicroCredits)
    }

    fileprivate var facts: [(name: String, value: String)] {
        let moments = Moments.shanghai
        var facts = [
            (name: "Account", value: accountId),
            ("Month", running ? "\(month), until now" : month),
            ("From", moments.zoned(fromMilliseconds)),
            ("Until before", moments.zoned(untilMilliseconds)),
            ("Opening balance", Amounts.creditsWithUnit(openingMicroCredits)),
            ("Closing balance", Amounts.creditsWithUnit(closingMicroCredits)),
            ("Movements", Amounts.grouped(movements.magnitude)),
            ("Free calls used", Amounts.grouped(trialUsedCalls.magnitude)),
        ]
        if running {
            facts.append(("Reserved for calls", Amounts.creditsWithUnit(heldMicroCredits)))
            facts.append(("Calls under way", Amounts.grouped(openCalls.magnitude)))
        }
        return facts
    }

    fileprivate var sums: TextTable {
        var table = TextTable([
            ("WHAT", .left), ("COUNT", .right), ("CAME", .right), ("LEFT", .right),
        ])
        for total in totals {
            table.add([
                total.kind, Amounts.grouped(total.count.magnitude),
                Amounts.change(total.creditedMicroCredits),
                Amounts.change(0 &- total.debitedMicroCredits),
            ])
        }
        return table
    }

    fileprivate func json(_ entries: [V1.LedgerEntry], next: Int64) -> JSONValue {
        .object([
            ("accountId", .text(accountId)),
            ("month", .text(month)),
            ("fromMilliseconds", .number(fromMilliseconds)),
            ("untilMilliseconds", .number(untilMilliseconds)),
            ("openingMicroCredits", .number(openingMicroCredits)),
            ("creditedMicroCredits", .number(creditedMicroCredits)),
            ("debitedMicroCredits", .number(debitedMicroCredits)),
            ("closingMicroCredits", .number(closingMicroCredits)),
            ("movements", .number(movements)),
            ("totals", .array(totals.map(\.json))),
            ("trialUsedCalls", .number(trialUsedCalls)),
            ("running", .bool(running)),
            ("heldMicroCredits", .number(heldMicroCredits)),
            ("openCalls", .number(openCalls)),
            ("entries", .array(entries.map(\.json))),
            ("nextBeforeSequence", .number(next)),
        ])
    }
}

extension V1.MovementTotal {
    fileprivate var json: JSONValue {
        .object([
            ("kind", .text(kind)),
            ("count", .number(count)),
            ("creditedMicroCredits", .number(creditedMicroCredits)),
            ("debitedMicroCredits", .number(debitedMicroCredits)),
        ])
    }
}

extension V1.LedgerEntry {
    /// The movement as a record of RFC 4180, without control characters.
    fileprivate var csv: String {
        [
            String(sequence), Moments.shanghai.zoned(atMilliseconds), kind,
            String(amountMicroCredits), String(postedAfterMicroCredits), reference,
        ].map(Self.field).joined(separator: ",")
    }

    private static func field(_ text: String) -> String {
        let line = TerminalText.line(text)
        guard line.contains(where: { $0 == "," || $0 == "\"" }) else { return line }
        return "\"" + line.replacing("\"", with: "\"\"") + "\""
    }
}
