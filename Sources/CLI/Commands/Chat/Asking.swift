import Synchronization
import TollgateClient

/// Asks questions and writes the answers as they come.
struct Asking: Sendable {
    let client: TollgateClient
    let options: CallOptions
    let invocation: Invocation
    /// The most tokens that each model gives, where somebody asks for a number of them.
    var mostTokens: [String: Int64] = [:]

    /// The most tokens that each model gives; none if nobody can tell just now.
    static func mostTokens(
        _ client: TollgateClient, _ options: CallOptions
    ) async throws -> [String: Int64] {
        do {
            let models = try await ChatServiceClient(client)
                .listModels(V1.ListModelsRequest(), options: options).models
            return Dictionary(models.map { ($0.name, $0.maxTokens) }) { first, _ in first }
        } catch is TollgateError {
            return [:]
        }
    }

    /// Asks one question; Ctrl-C stops the answer.
    /// - Throws: `interrupted` if it was stopped, or why there is no whole answer.
    func once(_ question: String, in conversation: Conversation) async throws {
        let request = conversation.request(asking: question, key: invocation.environment.newKey())
        let delivered = Delivered()
        do {
            try await invocation.environment.interrupts.interruptible {
                try await answer(request, into: delivered)
            }
        } catch let error as TollgateError {
            delivered.endLine(on: invocation)
            throw failure(error, after: delivered)
        } catch is Interrupted {
            delivered.endLine(on: invocation)
            throw CommandFailure(.interrupted, "Stopped.", advice: delivered.advice)
        } catch {
            delivered.endLine(on: invocation)
            throw error
        }
    }

    /// The failure of an asking whose call failed.
    ///
    /// A call that just breaks off is the server's end, not the provider's: that one is told in the
    /// stream. One that ran out of time has a server that works, and is charged as one that was
    /// stopped.
    func failure(_ error: TollgateError, after delivered: Delivered) -> CommandFailure {
        switch error.code {
        case "truncated", "unknown_outcome":
            return CommandFailure(
                code: "unavailable", message: "The server went away in the middle of the answer.",
                advice: "What was charged: tollgate ledger. Is the server running: tollgate ping")
        case "deadline_exceeded":
            let limit = invocation.settings.timeoutMilliseconds.map(Moments.duration)
            return CommandFailure(
                code: error.code,
                message: "The answer was not done in \(limit ?? "time").",
                advice: "\(delivered.charge) --timeout gives more time.", status: .upstream)
        default: return invocation.failure(error)
        }
    }

    /// Writes the answer to a request and keeps what was delivered of it.
    func answer(_ request: V1.AskRequest, into delivered: Delivered) async throws {
        let end = try await ChatServiceClient(client).ask(request, options: options) { events in
            var source = ""
            for try await event in events {
                switch event.event {
                case .start(let start):
                    source = start.source
                    delivered.note(source: source)
                    try show(start, asked: request.maxTokens)
                case .delta(let text):
                    delivered.append(text)
                    try show(delta: text)
                case .done(let done): return End.done(done, source: source)
                case .error(let error): return End.failed(error)
                case nil: continue
                }
            }
            return End.cut
        }
        switch end {
        case .done(let done, let source):
            delivered.endLine(on: invocation)
            try show(done, source: source, asked: request.maxTokens)
        case .failed(let error): throw Self.failure(error)
        case .cut:
            throw CommandFailure(
                .truncated, "The answer was cut off before its end.", advice: delivered.advice)
        }
    }

    /// How a stream ended.
    private enum End: Sendable {
        case done(V1.AnswerDone, source: String)
        case failed(V1.AnswerError)
        case cut
    }

    private static func failure(_ error: V1.AnswerError) -> CommandFailure {
        let charged = Amounts.creditsWithUnit(error.chargedMicroCredits)
        return CommandFailure(
            code: error.code, message: error.message,
            advice: error.chargedMicroCredits == 0
                ? "Nothing was charged." : "Charged for what was delivered: \(charged).")
    }

    private func show(_ start: V1.AnswerStart, asked: Int64) throws {
        guard invocation.isJSON else {
            if let most = mostTokens[start.model], most < asked {
                invocation.console.note(
                    "\(TerminalText.line(start.model)) answers in at most "
                        + "\(Amounts.count(most, "token")); --max-tokens asks for more.")
            }
            return
        }
        try write([
            ("event", .text("start")), ("model", .text(start.model)),
            ("source", .text(start.source)),
        ])
    }

    private func show(delta: String) throws {
        if invocation.isJSON {
            try write([("event", .text("delta")), ("text", .text(delta))])
            return
        }
        let console = invocation.console
        // A file gets the answer byte for byte; a terminal must not be steered by it.
        let text = console.output.isTerminal ? TerminalText.block(delta) : delta
        guard console.part(text) else { throw OutputClosed() }
    }

    private func show(_ done: V1.AnswerDone, source: String, asked: Int64) throws {
        if invocation.isJSON {
            try write([
                ("event", .text("done")),
                ("finishReason", .text(done.finishReason)),
                ("source", .text(source)),
                ("promptTokens", .number(done.promptTokens)),
                ("completionTokens", .number(done.completionTokens)),
                ("estimated", .bool(done.estimated)),
                ("chargedMicroCredits", .number(done.chargedMicroCredits)),
                ("balanceMicroCredits", .number(done.balanceMicroCredits)),
                ("trialLeftCalls", .number(done.trialLeftCalls)),
            ])
            return
        }
        let console = invocation.console
        console.note(console.errorStyle.dim(AnswerSummary.line(done, source: source)))
        if let remark = AnswerSummary.remark(done, asked: asked) { console.note(remark) }
    }

    private func write(_ members: [(String, JSONValue)]) throws {
        guard invocation.console.json(.object(members)) else { throw OutputClosed() }
    }
}

/// What came of an answer so far, wherever it broke off.
final class Delivered: Sendable {
    private let text = Mutex("")
    private let source = Mutex("")

    /// Notes what pays for it.
    func note(source name: String) { source.withLock { $0 = name } }

    /// Adds a piece.
    func append(_ piece: String) { text.withLock { $0 += piece } }

    /// All of it.
    var all: String { text.withLock { $0 } }

    /// What a stopped or broken answer means for the account.
    var advice: String {
        all.isEmpty
            ? "Nothing was delivered: tollgate quota tells your balance."
            : "What was delivered is charged: tollgate quota tells your balance."
    }

    /// What an answer that ran out of time means for the account, and where that stands.
    var charge: String {
        guard !all.isEmpty else {
            return "Nothing was delivered; whether it was charged tells: tollgate ledger."
        }
        return switch source.withLock({ $0 }) {
        case "trial": "What was delivered took a free call of today: tollgate quota."
        case "promotion", "own_key": "What was delivered costs you no credits."
        default: "What was delivered is charged: tollgate ledger."
        }
    }

    /// Ends the answer's last line, if a person reads it and it has begun.
    func endLine(on invocation: Invocation) {
        let isOpen = text.withLock { !$0.isEmpty && !$0.hasSuffix("\n") }
        if !invocation.isJSON, isOpen { invocation.console.line() }
    }
}
