package import ArgumentParser
import TollgateClient

/// `tollgate admin audit`.
package struct AdminAudit: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Add the books up again and tell every violation.",
        discussion: """
            Ends with 0 if no checker found anything, with 1 otherwise.

            Waits for an hour unless --timeout says otherwise.

            EXAMPLES:
              tollgate admin audit
              tollgate admin audit --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let audit = try await invocation.withClient { client, options in
            var options = options
            // The contract's own deadline suits a short history.
            if options.timeoutMilliseconds == nil {
                options.timeoutMilliseconds = CommandLimits.auditMilliseconds
            }
            return try await OperationsServiceClient(client).audit(
                V1.AuditRequest(), options: options)
        }
        if invocation.isJSON {
            invocation.console.json(audit.json)
        } else {
            show(audit, invocation.console)
        }
        guard !audit.clean else { return }
        let count = audit.findings.reduce(0) { $0 + $1.violationCount }
        throw CommandFailure(
            .auditUnclean, "The books do not add up: \(Amounts.count(count, "violation")).")
    }

    private func show(_ audit: V1.AuditResponse, _ console: Console) {
        let style = console.outputStyle
        var table = TextTable([
            ("CHECK", .left), ("ROWS", .right), ("VIOLATIONS", .right), ("PROVES", .flexible),
        ])
        for finding in audit.findings {
            table.add([
                finding.check, Amounts.grouped(finding.rows.magnitude),
                Amounts.grouped(finding.violationCount.magnitude), finding.summary,
            ])
        }
        console.table(table, ifEmpty: "No checker ran.")
        for finding in audit.findings where finding.violationCount > 0 {
            console.line()
            console.line(style.red(TerminalText.line(finding.check)))
            for violation in finding.violations {
                console.line("  \(TerminalText.line(violation))")
            }
            let untold = finding.violationCount - Int64(finding.violations.count)
            if untold > 0 { console.line("  … and \(Amounts.grouped(untold.magnitude)) more") }
        }
        if audit.clean { console.line(style.green("The books are clean.")) }
    }
}

extension V1.AuditResponse {
    fileprivate var json: JSONValue {
        let list = findings.map { finding in
            JSONValue.object([
                ("check", .text(finding.check)),
                ("summary", .text(finding.summary)),
                ("rows", .number(finding.rows)),
                ("violationCount", .number(finding.violationCount)),
                ("violations", .array(finding.violations.map { .text($0) })),
            ])
        }
        return .object([("clean", .bool(clean)), ("findings", .array(list))])
    }
}
