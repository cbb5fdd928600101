package import ArgumentParser
import TollgateClient

/// `tollgate admin models`.
package struct AdminModels: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "What can be asked: models, their prices, and who may use them.",
        discussion: """
            A change holds for calls that begin from now on; every server goes by it within a \
            second. A model that was withdrawn keeps its row: what it was used for names it.

            EXAMPLES:
              tollgate admin models list
              tollgate admin models set fast --call-price 1 --for everybody \\
                --reason 'Opening'
              tollgate admin models withdraw fast --reason 'Its provider ends it'
            """,
        subcommands: [ListAllModels.self, SetModel.self, WithdrawModel.self])

    package init() {}
}

/// `tollgate admin models list`.
package struct ListAllModels: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List every model, offered or withdrawn, in the order that users see.",
        discussion: """
            The first one that is offered answers whoever names no model.

            EXAMPLES:
              tollgate admin models list
              tollgate admin models list --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let models = try await invocation.withClient { client, options in
            try await CatalogueServiceClient(client)
                .listAllModels(V1.ListAllModelsRequest(), options: options).models
        }
        if invocation.isJSON {
            invocation.console.json(.object([("models", .array(models.map(\.json)))]))
        } else {
            invocation.console.models(models)
        }
    }
}

/// `tollgate admin models set`.
package struct SetModel: ServiceCommand {
    /// Who may use a model.
    package enum Audience: String, ExpressibleByArgument, CaseIterable, Sendable {
        /// Every account.
        case everybody
        /// Accounts whose purchase permits it.
        case buyers
    }

    package static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Make a model, or change one for calls from now on.",
        discussion: """
            What is not named stays as it is. A new model needs a price, if only of 0; what is not \
            named of it is 0, its answers have at most 4,096 tokens, it is for buyers, offered at \
            once and last in the list. One that was withdrawn stays so, unless --offer says \
            otherwise.

            EXAMPLES:
              tollgate admin models set fast --call-price 1 --for everybody \\
                --reason 'Opening'
              tollgate admin models set pro --prompt-price 0.5 --answer-price 1.5 \\
                --max-tokens 8192 --reason 'Opening'
              tollgate admin models set pro --offer --reason 'Its provider is back'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The model.
    @Argument(help: "What users call it: letters, digits and the signs . - _ / :")
    package var name: String

    /// What it is good for.
    @Option(help: ArgumentHelp("What it is good for, at most 200 bytes.", valueName: "text"))
    package var summary: String?

    /// Of each call.
    @Option(help: ArgumentHelp("Credits for each call.", valueName: "credits"))
    package var callPrice: String?

    /// Of prompts.
    @Option(help: ArgumentHelp("Credits for 1,000 tokens of the prompt.", valueName: "credits"))
    package var promptPrice: String?

    /// Of answers.
    @Option(help: ArgumentHelp("Credits for 1,000 tokens of the answer.", valueName: "credits"))
    package var answerPrice: String?

    /// The longest answer.
    @Option(help: ArgumentHelp("The most tokens an answer may have.", valueName: "number"))
    package var maxTokens: Int64?

    /// Who may use it.
    @Option(name: .customLong("for"), help: "Who may use it: everybody or buyers.")
    package var audience: Audience?

    /// Its place.
    @Option(help: ArgumentHelp("Its place in the list, from 0.", valueName: "number"))
    package var place: Int64?

    /// Whether it is offered again.
    @Flag(help: "Offer it again, if it was withdrawn.")
    package var offer = false

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        let prices = [("call", callPrice), ("prompt", promptPrice), ("answer", answerPrice)]
        for (flag, text) in prices {
            if let text, Amounts.parseCredits(text) == nil {
                throw ValidationError("--\(flag)-price takes credits, such as 1 or 0.25.")
            }
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let by = try act.actedBy(invocation)
        let model = try await invocation.withClient { client, options in
            let catalogue = CatalogueServiceClient(client)
            let models = try await catalogue.listAllModels(
                V1.ListAllModelsRequest(), options: options
            ).models
            let request = V1.SetModelRequest(by: by, model: try changed(among: models))
            return try await catalogue.setModel(request, options: options).model
        }
        guard let model else { return }
        invocation.show(model)
        if model.withdrawn {
            invocation.console.note("It stays withdrawn; --offer offers it again.")
        } else if model.channels.isEmpty {
            invocation.console.note(
                "No channel answers it. Let one: tollgate admin channels set CHANNEL --model "
                    + TerminalText.line(model.name))
        }
    }

    private func changed(among models: [V1.CatalogueModel]) throws -> V1.CatalogueModel {
        let old = models.first { $0.name == name }
        guard old != nil || callPrice != nil || promptPrice != nil || answerPrice != nil else {
            throw CommandFailure(
                .usage, "There is no model \(TerminalText.line(name)) yet.",
                advice: "A new one needs a price: --call-price, --prompt-price, --answer-price.")
        }
        let last = (models.map(\.position).max() ?? 0) + 1
        var model =
            old
            ?? V1.CatalogueModel(
                name: name, maxTokens: CommandLimits.newModelMaxTokens, position: last)
        model.summary = summary ?? model.summary
        model.pricePerCallMicroCredits =
            callPrice.flatMap(Amounts.parseCredits) ?? model.pricePerCallMicroCredits
        model.pricePerThousandPromptTokensMicroCredits =
            promptPrice.flatMap(Amounts.parseCredits)
            ?? model.pricePerThousandPromptTokensMicroCredits
        model.pricePerThousandCompletionTokensMicroCredits =
            answerPrice.flatMap(Amounts.parseCredits)
            ?? model.pricePerThousandCompletionTokensMicroCredits
        model.maxTokens = maxTokens ?? model.maxTokens
        if let audience { model.openToAll = audience == .everybody }
        model.position = place ?? model.position
        if offer { model.withdrawn = false }
        return model
    }
}

/// `tollgate admin models withdraw`.
package struct WithdrawModel: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "withdraw",
        abstract: "Offer a model no longer; calls under way are answered and charged.",
        discussion: """
            Every server goes by it within a second. `set NAME --offer` offers the model again.

            EXAMPLES:
              tollgate admin models withdraw fast --reason 'Its provider ends it'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The model.
    @Argument(help: "What users call it.")
    package var name: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.WithdrawModelRequest(by: try act.actedBy(invocation), name: name)
        let (model, sellers) = try await invocation.withClient { client, options in
            let catalogue = CatalogueServiceClient(client)
            let model = try await catalogue.withdrawModel(request, options: options).model
            // The model is withdrawn whether or not this can be told.
            let products = try? await catalogue.listAllProducts(
                V1.ListAllProductsRequest(), options: options
            ).products
            return (
                model, (products ?? []).filter { !$0.withdrawn && $0.models.contains(name) }
            )
        }
        guard let model else { return }
        invocation.show(model)
        if !sellers.isEmpty {
            // Whoever buys them now buys a permission of no use.
            let keys = sellers.map { TerminalText.line($0.key) }.joined(separator: ", ")
            invocation.console.note("Still sold with it: \(keys)")
        }
    }
}

extension Invocation {
    fileprivate func show(_ model: V1.CatalogueModel) {
        if isJSON {
            console.json(model.json)
        } else {
            console.models([model])
        }
    }
}

extension Console {
    fileprivate func models(_ models: [V1.CatalogueModel]) {
        var table = TextTable([
            ("MODEL", .left), ("STATE", .left), ("FOR", .left), ("A CALL", .right),
            ("1,000 PROMPT", .right), ("1,000 ANSWER", .right), ("MAX TOKENS", .right),
            ("PLACE", .right), ("CHANNELS", .left), ("WHAT IT IS", .flexible),
        ])
        for model in models {
            table.add([
                model.name, model.withdrawn ? "withdrawn" : "offered",
                model.openToAll ? "everybody" : "buyers",
                Amounts.credits(model.pricePerCallMicroCredits),
                Amounts.credits(model.pricePerThousandPromptTokensMicroCredits),
                Amounts.credits(model.pricePerThousandCompletionTokensMicroCredits),
                Amounts.grouped(model.maxTokens.magnitude), "\(model.position)",
                model.channels.isEmpty ? "-" : model.channels.joined(separator: ", "),
                model.summary,
            ])
        }
        self.table(
            table, ifEmpty: "There are no models yet. Make one with: tollgate admin models set")
    }
}

extension V1.CatalogueModel {
    fileprivate var json: JSONValue {
        .object([
            ("name", .text(name)),
            ("withdrawn", .bool(withdrawn)),
            ("openToAll", .bool(openToAll)),
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
            ("position", .number(position)),
            ("channels", .array(channels.map { .text($0) })),
        ])
    }
}
