package import ArgumentParser
import TollgateClient

/// `tollgate chat`.
package struct Chat: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Ask a question, or hold a conversation.",
        discussion: """
            With QUESTION it answers that and ends; a question can come through a pipe as well. \
            Without, it holds a conversation: /help there tells the few words it knows.

            The answer goes to standard output as it is written; tokens, cost and balance go to \
            standard error. Ctrl-C stops the answer; what was delivered of it is charged. In a \
            conversation a second Ctrl-C leaves.

            With --json each event of the answer is one line: start, delta, done.

            EXAMPLES:
              tollgate chat 'Why is the sky blue?'
              tollgate chat --model demo-chat --max-tokens 200 'Three names for a cat'
              git diff | tollgate chat --system 'Review this change.'
              tollgate chat
            """)
    package static let caller = Caller.user
    package static let nature = CallNature.changes

    /// The question.
    @Argument(help: "The question; without it, a conversation.")
    package var question: String?

    /// The model.
    @Option(
        help: ArgumentHelp(
            "The model, as `tollgate models` lists it (default: the operator's choice).",
            valueName: "name"))
    package var model: String?

    /// The most tokens an answer may have.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The most tokens an answer may have, up to the model's limit (default: that).",
            valueName: "number"))
    package var maxTokens: Int64?

    /// What the model is told before the conversation.
    @Option(
        help: ArgumentHelp("What the model is told before the conversation.", valueName: "text"))
    package var system: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens takes 1 or more.") }
        if let question, question.allSatisfy(\.isWhitespace) {
            throw ValidationError("The question is empty.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let conversation = Conversation(
            model: model ?? "", maxTokens: maxTokens ?? 0, system: system ?? "")
        let input = invocation.environment.input
        if question == nil, input.isTerminal {
            guard !invocation.isJSON else {
                throw CommandFailure(
                    .usage, "--json needs a question.", advice: "tollgate chat --json QUESTION")
            }
            try await invocation.withClient { client, options in
                let chat = try await asking(client, options, invocation)
                try await ConversationLoop(asking: chat, conversation: conversation).run()
            }
            return
        }
        let text =
            if let question { question } else { try await input.all() }
        guard !text.allSatisfy(\.isWhitespace) else {
            throw CommandFailure(
                .usage, "There is no question.", advice: "tollgate chat 'Why is the sky blue?'")
        }
        try await invocation.withClient { client, options in
            try await asking(client, options, invocation).once(text, in: conversation)
        }
    }

    /// What asks; with --max-tokens it knows what is above a model's own limit.
    private func asking(
        _ client: TollgateClient, _ options: CallOptions, _ invocation: Invocation
    ) async throws -> Asking {
        let isTold = maxTokens != nil && !invocation.isJSON
        return Asking(
            client: client, options: options, invocation: invocation,
            mostTokens: isTold ? try await Asking.mostTokens(client, options) : [:])
    }
}
