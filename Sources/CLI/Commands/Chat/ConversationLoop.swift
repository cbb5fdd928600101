import ArgumentParser
import TollgateClient

/// A conversation at the terminal.
struct ConversationLoop: Sendable {
    private let asking: Asking
    private let first: Conversation

    init(asking: Asking, conversation: Conversation) {
        self.asking = asking
        first = conversation
    }

    /// What a person does at the prompt.
    private enum Event: Sendable {
        case line(String)
        case interrupt
        case end
    }

    private var console: Console { asking.invocation.console }
    private var environment: CommandEnvironment { asking.invocation.environment }

    /// Holds the conversation until the person leaves.
    func run() async throws {
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        environment.input.start { line in continuation.yield(line.map(Event.line) ?? .end) }
        console.note("A conversation: /help for help, Ctrl-D leaves.")
        // A Ctrl-C that does not find an answer to stop is one at the prompt.
        try await environment.interrupts.listening {
            continuation.yield(.interrupt)
        } while: {
            try await converse(events)
        }
    }

    private func converse(_ events: AsyncStream<Event>) async throws {
        var conversation = first
        var isLeaving = false
        console.prompt("> ")
        for await event in events {
            switch event {
            case .line(let line):
                isLeaving = false
                switch Self.wish(line) {
                case .nothing: break
                case .leave: return
                case .word(let word): obey(word, &conversation)
                case .question(let question):
                    isLeaving = try await ask(question, &conversation)
                }
            case .interrupt:
                console.note("")
                // The person has seen the prompt and knows what they do: nothing to say.
                if isLeaving { throw ExitCode(ExitStatus.interrupted.rawValue) }
                isLeaving = true
                console.note("Ctrl-C again leaves.")
            case .end:
                console.note("")
                return
            }
            console.prompt("> ")
        }
    }

    /// What a line asks for.
    private enum Wish {
        case nothing
        case leave
        case word(String)
        case question(String)
    }

    private static func wish(_ line: String) -> Wish {
        guard let start = line.firstIndex(where: { !$0.isWhitespace }) else { return .nothing }
        let text = line[start...]
        guard text.hasPrefix("/") else { return .question(String(text)) }
        return ["/quit", "/exit", "/bye"].contains(text) ? .leave : .word(String(text))
    }

    private func obey(_ word: String, _ conversation: inout Conversation) {
        let parts = word.split(separator: " ", omittingEmptySubsequences: true)
        switch (parts.first, parts.dropFirst().first) {
        case ("/new", nil):
            conversation.forget()
            console.note("A new conversation.")
        case ("/model", let name?):
            conversation.model = String(name)
            console.note("The next answer comes from \(TerminalText.line(String(name))).")
        default:
            if parts.first != "/help" {
                console.note("\(TerminalText.line(word)) is no word of this conversation.")
            }
            console.note(
                """
                /new         forget what was said
                /model NAME  let another model answer
                /quit        leave (or Ctrl-D)
                Ctrl-C stops an answer; Ctrl-C once more leaves.
                """)
        }
    }

    /// Asks and remembers.
    /// - Returns: Whether the person stopped the answer.
    /// - Throws: What makes going on pointless.
    private func ask(_ question: String, _ conversation: inout Conversation) async throws -> Bool {
        let request = conversation.request(asking: question, key: environment.newKey())
        let delivered = Delivered()
        var isStopped = false
        do {
            try await environment.interrupts.interruptible {
                try await asking.answer(request, into: delivered)
            }
        } catch is Interrupted {
            isStopped = true
            delivered.endLine(on: asking.invocation)
            console.note("Stopped. \(delivered.advice)")
        } catch let error as TollgateError {
            delivered.endLine(on: asking.invocation)
            let failure = asking.failure(error, after: delivered)
            guard failure.status != .unauthenticated else { throw failure }
            console.report(failure, isJSON: false)
        } catch let failure as CommandFailure {
            delivered.endLine(on: asking.invocation)
            console.report(failure, isJSON: false)
        }
        if !delivered.all.isEmpty {
            conversation.remember(question: question, answer: delivered.all)
        }
        return isStopped
    }
}
