import CLI
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("chat")
struct ChatTests {
    private func signedIn(
        isTerminal: Bool = false, input: ScriptedInput = ScriptedInput([])
    ) throws -> CommandTest {
        let test = try CommandTest(isTerminal: isTerminal, input: input)
        try test.signIn()
        return test
    }

    private static let done = V1.AnswerDone(
        finishReason: "stop", promptTokens: 1_012, completionTokens: 34,
        chargedMicroCredits: 1_000_000, balanceMicroCredits: 9_000_000)

    /// Answers each question with `<question>!` in two pieces; remembers the requests.
    private func echo(
        _ asked: Requests = Requests(), source: String = "credits", done: V1.AnswerDone = done
    ) -> MethodRegistration {
        .serverStreaming(Methods.ChatService.ask) {
            (request: V1.AskRequest, context, events: ServerStreamWriter<V1.AnswerEvent>) in
            #expect(context.authorization == "Bearer session-of-ann")
            asked.add(request)
            let start = V1.AnswerStart(model: "fast", source: source)
            try await events.write(V1.AnswerEvent(event: .start(start)))
            let question = request.turns.last?.content ?? ""
            try await events.write(V1.AnswerEvent(event: .delta(question)))
            try await events.write(V1.AnswerEvent(event: .delta("!")))
            try await events.write(V1.AnswerEvent(event: .done(done)))
        }
    }

    private func failing(_ failure: Failure) -> MethodRegistration {
        .serverStreaming(Methods.ChatService.ask) {
            (_: V1.AskRequest, _, _: ServerStreamWriter<V1.AnswerEvent>) in throw failure
        }
    }

    /// Delivers a piece, then waits until it is cancelled.
    private func hanging(_ cancelled: Requests) -> MethodRegistration {
        .serverStreaming(Methods.ChatService.ask) {
            (request: V1.AskRequest, _, events: ServerStreamWriter<V1.AnswerEvent>) in
            if request.turns.last?.content != "slow" {
                try await events.write(V1.AnswerEvent(event: .delta("quick\n")))
                try await events.write(V1.AnswerEvent(event: .done(Self.done)))
                return
            }
            try await events.write(V1.AnswerEvent(event: .delta("half an")))
            do {
                try await Task.sleep(for: .seconds(60))
            } catch {
                cancelled.add(request)
                throw error
            }
        }
    }

    @Test func theAnswerIsOutputAndTheRestIsNot() async throws {
        let asked = Requests()
        let outcome = try await signedIn().run(
            "chat", "--model", "fast", "--max-tokens", "99", "--system", "Be brief.", "Why",
            against: [echo(asked)])
        #expect(outcome.status == 0)
        #expect(outcome.output == "Why!\n")
        #expect(outcome.errors == "[1,012 + 34 tokens · cost 1 credit · balance 9 credits]\n")
        #expect(
            asked.all == [
                V1.AskRequest(
                    model: "fast",
                    turns: [
                        V1.ChatTurn(role: "system", content: "Be brief."),
                        V1.ChatTurn(role: "user", content: "Why"),
                    ], maxTokens: 99, requestId: "key-1")
            ])
    }

    @Test func aFreeCallSaysSo() async throws {
        var done = Self.done
        done.chargedMicroCredits = 0
        done.estimated = true
        done.finishReason = "length"
        let outcome = try await signedIn().run(
            "chat", "Why", against: [echo(source: "trial", done: done)])
        #expect(
            outcome.errors
                == "[1,012 + 34 tokens (estimated) · free call, 0 free calls left today · "
                + "balance 9 credits]\n"
                + "The answer reached its limit of tokens: what the model gives, or what your "
                + "balance covers.\n")
    }

    @Test func moreTokensThanTheModelGivesAreToldOf() async throws {
        let models = MethodRegistration.unary(Methods.ChatService.listModels) {
            (_: V1.ListModelsRequest, _) in
            V1.ListModelsResponse(models: [V1.Model(name: "fast", maxTokens: 1_024)])
        }
        for (asked, told) in [(1_024, false), (1_025, true)] {
            let outcome = try await signedIn().run(
                "chat", "--max-tokens", "\(asked)", "Why", against: [echo(), models])
            #expect(outcome.output == "Why!\n")
            #expect(
                outcome.errors.hasPrefix(
                    "fast answers in at most 1,024 tokens; --max-tokens asks for more.\n") == told)
            let json = try await signedIn().run(
                "chat", "--max-tokens", "\(asked)", "Why", "--json", against: [echo(), models])
            #expect(json.errors.isEmpty)
        }
        var done = Self.done
        done.finishReason = "length"
        done.completionTokens = 64
        let outcome = try await signedIn().run(
            "chat", "--max-tokens", "64", "Why", against: [echo(done: done), models])
        #expect(outcome.errors.hasSuffix("its limit of tokens; --max-tokens raises it.\n"))
    }

    @Test(arguments: [
        ("slow", "credits", "What was delivered is charged: tollgate ledger."),
        ("slow", "trial", "What was delivered took a free call of today: tollgate quota."),
        ("slow", "own_key", "What was delivered costs you no credits."),
        ("", "credits", "Nothing was delivered; whether it was charged tells: tollgate ledger."),
    ])
    func anAnswerThatTakesTooLongTellsOfItsChargeAndNotOfTheServer(
        piece: String, source: String, charge: String
    ) async throws {
        let stalls = MethodRegistration.serverStreaming(Methods.ChatService.ask) {
            (_: V1.AskRequest, _, events: ServerStreamWriter<V1.AnswerEvent>) in
            try await events.write(
                V1.AnswerEvent(event: .start(V1.AnswerStart(model: "fast", source: source))))
            if !piece.isEmpty { try await events.write(V1.AnswerEvent(event: .delta(piece))) }
            try await Task.sleep(for: .seconds(60))
        }
        let outcome = try await signedIn().run("chat", "Why", "--timeout", "1", against: [stalls])
        #expect(outcome.status == 8)
        #expect(
            outcome.errors
                == "error: The answer was not done in 1 s.\n\(charge) --timeout gives more time.\n")
        let json = try await signedIn().run(
            "chat", "Why", "--timeout", "1", "--json", against: [stalls])
        #expect(json.errors.contains(#""code":"deadline_exceeded""#))
    }

    @Test func inJSONEachEventIsALine() async throws {
        let outcome = try await signedIn().run("chat", "Why", "--json", against: [echo()])
        let done = [
            #"{"event":"done","finishReason":"stop","source":"credits","promptTokens":1012,"#,
            #""completionTokens":34,"estimated":false,"chargedMicroCredits":1000000,"#,
            #""balanceMicroCredits":9000000,"trialLeftCalls":0}"#,
        ].joined()
        let lines = [
            #"{"event":"start","model":"fast","source":"credits"}"#,
            #"{"event":"delta","text":"Why"}"#,
            #"{"event":"delta","text":"!"}"#,
            done,
        ]
        #expect(outcome.lines == lines)
        #expect(outcome.errors.isEmpty)
    }

    @Test func aPipedQuestionIsTakenWhole() async throws {
        let input = ScriptedInput(["first line", "", "third line"])
        let outcome = try await signedIn(input: input).run("chat", against: [echo()])
        #expect(outcome.output == "first line\n\nthird line!\n")
    }

    @Test func anEmptyPipeIsAUsageError() async throws {
        let outcome = try await signedIn(input: ScriptedInput([" "])).run("chat", against: [])
        #expect(outcome.status == 2)
    }

    @Test func quotaExhaustedSaysWhereToBuy() async throws {
        let test = try signedIn()
        let outcome = try await test.run(
            "chat", "Why",
            against: [failing(Failure(.quotaExhausted, "Neither free calls nor credits are left."))]
        )
        #expect(outcome.status == 4)
        #expect(outcome.output.isEmpty)
        #expect(
            outcome.errors
                == "error: Neither free calls nor credits are left.\n"
                + "See what can be bought: tollgate products; then: tollgate buy PRODUCT\n")
    }

    @Test(
        arguments: [
            (Failure.Code.modelNotPermitted, 5), (.contentRefused, 5), (.accountFrozen, 5),
            (.inProgress, 6), (.rateLimited, 7), (.upstreamFailed, 8), (.upstreamTimedOut, 8),
            (.unavailable, 9), (.invalidRequest, 2), (.notFound, 10),
        ] as [(Failure.Code, Int32)])
    func eachRefusalHasItsExitCode(code: Failure.Code, status: Int32) async throws {
        let outcome = try await signedIn().run(
            "chat", "Why", "--json", against: [failing(Failure(code, "No."))])
        #expect(outcome.status == status)
        #expect(
            outcome.errors
                == #"{"error":{"code":"\#(code.rawValue)","message":"No."}}"# + "\n")
    }

    @Test func anErrorAfterTheStartEndsTheLineAndTellsTheCharge() async throws {
        let method = MethodRegistration.serverStreaming(Methods.ChatService.ask) {
            (_: V1.AskRequest, _, events: ServerStreamWriter<V1.AnswerEvent>) in
            try await events.write(V1.AnswerEvent(event: .delta("half")))
            let error = V1.AnswerError(
                code: "upstream_failed", message: "The provider broke off.",
                chargedMicroCredits: 250_000)
            try await events.write(V1.AnswerEvent(event: .error(error)))
        }
        let outcome = try await signedIn().run("chat", "Why", against: [method])
        #expect(outcome.status == 8)
        #expect(outcome.output == "half\n")
        #expect(
            outcome.errors
                == "error: The provider broke off.\n"
                + "Charged for what was delivered: 0.25 credits.\n")
    }

    @Test func aStreamWithoutAnEndIsTruncated() async throws {
        let method = MethodRegistration.serverStreaming(Methods.ChatService.ask) {
            (_: V1.AskRequest, _, events: ServerStreamWriter<V1.AnswerEvent>) in
            try await events.write(V1.AnswerEvent(event: .delta("half")))
        }
        let outcome = try await signedIn().run("chat", "Why", against: [method])
        #expect(outcome.status == 8)
        #expect(outcome.output == "half\n")
        #expect(
            outcome.errors
                == "error: The answer was cut off before its end.\n"
                + "What was delivered is charged: tollgate quota tells your balance.\n")
    }

    @Test func anAnswerCannotSteerTheTerminal() async throws {
        let outcome = try await signedIn(isTerminal: true).run(
            "chat", "a\u{1B}]0;title\u{7}b", against: [echo()])
        #expect(outcome.output == "a]0;titleb!\n")
        let piped = try await signedIn().run("chat", "a\u{1B}b", against: [echo()])
        #expect(piped.output == "a\u{1B}b!\n")
    }

    @Test func controlCStopsTheAnswerAndTheServersWork() async throws {
        let test = try signedIn()
        let cancelled = Requests()
        async let outcome = test.run("chat", "slow", against: [hanging(cancelled)])
        #expect(await test.sees("half an"))
        test.interrupts.deliver()
        let ended = try await outcome
        #expect(ended.status == 130)
        #expect(ended.output == "half an\n")
        #expect(
            ended.errors
                == "Stopped.\n"
                + "What was delivered is charged: tollgate quota tells your balance.\n")
        #expect(cancelled.all.count == 1)
    }

    @Test func aReaderWhoLeavesEndsTheAnswerQuietly() async throws {
        let test = try CommandTest(closesAfterWrites: 1)
        try test.signIn()
        let outcome = try await test.run("chat", "Why", against: [echo()])
        #expect(outcome.status == 0)
        #expect(outcome.output == "Why")
        #expect(outcome.errors.isEmpty)
    }

    @Test func aConversationRemembersAndForgets() async throws {
        let asked = Requests()
        let input = ScriptedInput(
            ["one", "", "/model deep", "two", "/new", "three", "/quit", "never"],
            isTerminal: true)
        let outcome = try await signedIn(isTerminal: true, input: input).run(
            "chat", "--system", "S", against: [echo(asked)])
        #expect(outcome.status == 0)
        #expect(outcome.output == "one!\ntwo!\nthree!\n")
        #expect(
            asked.all.map { request in request.turns.map { "\($0.role): \($0.content)" } } == [
                ["system: S", "user: one"],
                ["system: S", "user: one", "assistant: one!", "user: two"],
                ["system: S", "user: three"],
            ])
        #expect(asked.all.map(\.model) == ["", "deep", "deep"])
        #expect(Set(asked.all.map(\.requestId)).count == 3)
    }

    @Test func inAConversationARefusalIsNotTheEnd() async throws {
        let input = ScriptedInput(["one", "two"], isTerminal: true)
        let outcome = try await signedIn(isTerminal: true, input: input).run(
            "chat", against: [failing(Failure(.quotaExhausted, "Nothing is left."))])
        #expect(outcome.status == 0)
        let refusals = outcome.errors.split(separator: "\n")
            .filter { $0.hasSuffix("error: Nothing is left.") }
        #expect(refusals.count == 2)
    }

    @Test func inAConversationControlCStopsTheAnswerThenLeaves() async throws {
        let input = ScriptedInput()
        let test = try signedIn(isTerminal: true, input: input)
        let cancelled = Requests()
        async let outcome = test.run("chat", against: [hanging(cancelled)])
        input.type("slow")
        #expect(await test.sees("half an"))
        test.interrupts.deliver()
        #expect(await test.sees("Stopped. What was delivered is charged"))
        input.type("quick")
        #expect(await test.sees("balance 9 credits]\n> "))
        test.interrupts.deliver()
        #expect(await test.sees("Ctrl-C again leaves."))
        test.interrupts.deliver()
        let ended = try await outcome
        #expect(ended.status == 130)
        // Nothing is said any more; the line of progress, if there was one, is taken away.
        #expect(ended.errors.hasSuffix("Ctrl-C again leaves.\n> \n\r\u{1B}[2K"))
        #expect(cancelled.all.count == 1)
    }

    @Test func aConversationInJSONIsRefused() async throws {
        let input = ScriptedInput([], isTerminal: true)
        let outcome = try await signedIn(isTerminal: true, input: input)
            .run("chat", "--json", against: [])
        #expect(outcome.status == 2)
    }
}

/// Requests that handlers saw.
final class Requests: Sendable {
    private let list = Mutex<[V1.AskRequest]>([])

    func add(_ request: V1.AskRequest) { list.withLock { $0.append(request) } }

    var all: [V1.AskRequest] { list.withLock { $0 } }
}
