package import ArgumentParser
import TollgateClient

/// `tollgate models`.
package struct Models: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List the models, their prices, and which you may use.",
        discussion: """
            Prices are in credits: for each call, and for 1,000 tokens of the prompt and of the \
            answer.

            EXAMPLES:
              tollgate models
              tollgate models --json
            """)
    package static let caller = Caller.user
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let models = try await invocation.withClient { client, options in
            try await ChatServiceClient(client)
                .listModels(V1.ListModelsRequest(), options: options).models
        }
        if invocation.isJSON {
            invocation.console.json(.object([("models", .array(models.map(\.json)))]))
            return
        }
        var table = TextTable([
            ("MODEL", .left), ("A CALL", .right), ("1,000 PROMPT", .right),
            ("1,000 ANSWER", .right), ("MAX TOKENS", .right), ("ALLOWED", .left),
            ("FOR", .flexible),
        ])
        for model in models {
            table.add([
                model.name, Amounts.credits(model.pricePerCallMicroCredits),
                Amounts.credits(model.pricePerThousandPromptTokensMicroCredits),
                Amounts.credits(model.pricePerThousandCompletionTokensMicroCredits),
                Amounts.grouped(model.maxTokens.magnitude), model.permitted ? "yes" : "no",
                model.summary,
            ])
        }
        invocation.console.table(table, ifEmpty: "No model is offered now.")
    }
}

extension V1.Model {
    fileprivate var json: JSONValue {
        .object([
            ("name", .text(name)),
            ("summary", .text(summary)),
            ("pricePerCallMicroCredits", .number(pricePerCallMicroCredits)),
            (
                "pricePerThousandPromptTokensMicroCredits",
                .number(pricePerThousandPromptTokensMicroCredits)
            ),
            (
                "pricePerThousandCompletionTokensMicroCredits",
                .number(pricePerThousandCompletionTokensMicroCredits)
            ),
            ("maxTokens", .number(maxTokens)),
            ("permitted", .bool(permitted)),
        ])
    }
}
