package import ArgumentParser
import TollgateClient

/// `tollgate quota`.
package struct Quota: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "quota",
        abstract: "Tell what you may still spend.",
        discussion: """
            The balance is what a new call can spend: your credits less those reserved for calls \
            under way. Free calls of the day are used before credits; a day ends at midnight in \
            Shanghai.

            EXAMPLES:
              tollgate quota
              tollgate quota --json
            """)
    package static let caller = Caller.user
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let quota = try await invocation.withClient { client, options in
            try await AccountsServiceClient(client).getQuota(V1.GetQuotaRequest(), options: options)
        }
        if invocation.isJSON {
            invocation.console.json(quota.json)
            return
        }
        let left = max(0, quota.trialGrantedCalls - quota.trialUsedCalls)
        invocation.console.facts([
            ("Balance", Amounts.creditsWithUnit(quota.balanceMicroCredits)),
            ("Reserved for calls", Amounts.creditsWithUnit(quota.heldMicroCredits)),
            ("Free calls today", "\(left) of \(quota.trialGrantedCalls) left"),
        ])
        guard !quota.lots.isEmpty else { return }
        invocation.console.line()
        var table = TextTable([
            ("FROM", .left), ("LEFT", .right), ("GRANTED", .right), ("EXPIRES", .left),
            ("ORDER", .left),
        ])
        for lot in quota.lots {
            table.add([
                lot.origin, Amounts.credits(lot.remainingMicroCredits),
                Amounts.credits(lot.grantedMicroCredits),
                lot.expiresAtMilliseconds == 0
                    ? "never" : invocation.moments.moment(lot.expiresAtMilliseconds),
                lot.orderId,
            ])
        }
        invocation.console.table(table, ifEmpty: "")
    }
}

extension V1.GetQuotaResponse {
    fileprivate var json: JSONValue {
        .object([
            ("balanceMicroCredits", .number(balanceMicroCredits)),
            ("postedMicroCredits", .number(postedMicroCredits)),
            ("heldMicroCredits", .number(heldMicroCredits)),
            ("trialGrantedCalls", .number(trialGrantedCalls)),
            ("trialUsedCalls", .number(trialUsedCalls)),
            (
                "lots",
                .array(
                    lots.map { lot in
                        .object([
                            ("lotId", .text(lot.lotId)),
                            ("origin", .text(lot.origin)),
                            ("orderId", .text(lot.orderId)),
                            ("grantedMicroCredits", .number(lot.grantedMicroCredits)),
                            ("remainingMicroCredits", .number(lot.remainingMicroCredits)),
                            ("expiresAtMilliseconds", .number(lot.expiresAtMilliseconds)),
                        ])
                    })
            ),
        ])
    }
}
