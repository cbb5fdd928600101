import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("call")
struct CallTests {
    private let ping = MethodRegistration.unary(Methods.DiagnosticsService.ping) {
        (request: V1.PingRequest, _) in
        V1.PingResponse(
            payload: request.payload, version: "0.1.0", nowMilliseconds: 5, realm: "sandbox")
    }

    @Test(arguments: [
        "tollgate.v1.DiagnosticsService/Ping", "DiagnosticsService/Ping", "diagnostics/ping",
        "DiagnosticsService.Ping", "ping",
    ])
    func aMethodGoesByItsNames(name: String) async throws {
        let outcome = try await CommandTest().run(
            "call", name, #"{"payload": "aGk="}"#, against: [ping])
        #expect(outcome.status == 0)
        #expect(
            outcome.output
                == #"{"payload":"aGk=","version":"0.1.0","nowMilliseconds":"5","realm":"sandbox"}"#
                + "\n")
    }

    @Test func theRequestCanComeThroughAPipe() async throws {
        let test = try CommandTest(input: ScriptedInput(["{", #""payload":"aGk="}"#]))
        let outcome = try await test.run("call", "Ping", "-", against: [ping])
        #expect(outcome.output.hasPrefix(#"{"payload":"aGk=""#))
    }

    @Test func aMethodOfThePersonCarriesTheSession() async throws {
        let who = MethodRegistration.unary(Methods.AuthService.whoAmI) {
            (_: V1.WhoAmIRequest, context) in
            #expect(context.authorization == "Bearer session-of-ann")
            return V1.WhoAmIResponse(accountId: "A")
        }
        let test = try CommandTest()
        #expect(try await test.run("call", "whoami", against: [who]).status == 3)
        try test.signIn()
        #expect(
            try await test.run("call", "whoami", against: [who]).output == "{\"accountId\":\"A\"}\n"
        )
    }

    @Test func theCredentialIsTheOneTheMethodAsksFor() async throws {
        let audit = MethodRegistration.unary(Methods.OperationsService.audit) {
            (_: V1.AuditRequest, context) in
            #expect(context.identity?.role == .admin)
            return V1.AuditResponse(clean: true)
        }
        let callback = MethodRegistration.unary(Methods.WeixinService.receiveCallback) {
            (_: V1.ReceiveCallbackRequest, context) in
            #expect(context.identity?.role == .web)
            return V1.ReceiveCallbackResponse(httpStatus: 403)
        }
        let test = try CommandTest()
        #expect(
            try await test.run("call", "audit", against: [audit]).output == "{\"clean\":true}\n")
        let called = try await test.run("call", "receivecallback", against: [callback])
        #expect(called.status == 0)
        #expect(called.output.hasSuffix("{\"httpStatus\":403}\n"))
    }

    @Test func aStreamIsOneLineAMessage() async throws {
        let ask = MethodRegistration.serverStreaming(Methods.ChatService.ask) {
            (request: V1.AskRequest, _, events: ServerStreamWriter<V1.AnswerEvent>) in
            for turn in request.turns {
                try await events.write(V1.AnswerEvent(event: .delta(turn.content)))
            }
            throw Failure(.upstreamFailed, "It broke.")
        }
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run(
            "call", "Ask", #"{"turns":[{"content":"a"},{"content":"b"}]}"#, "--json",
            against: [ask])
        #expect(outcome.status == 8)
        #expect(outcome.lines == ["{\"delta\":\"a\"}", "{\"delta\":\"b\"}"])
        #expect(
            outcome.errors == #"{"error":{"code":"upstream_failed","message":"It broke."}}"# + "\n")
    }

    @Test func theListHasEveryMethodWithItsFacts() async throws {
        let outcome = try await CommandTest().run("call", "--list", against: [])
        #expect(outcome.status == 0)
        #expect(outcome.lines.count == Methods.all.count + 1)
        let facts = outcome.lines.map { line in
            line.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        #expect(facts.contains("AuthService/Login anyone no 10 s one"))
        #expect(facts.contains("ChatService/Ask signed in no 10 min stream"))
        #expect(facts.contains("PaymentsService/NotifyPayment web yes 4 s one"))
        let json = try await CommandTest().run("call", "--list", "--json", against: [])
        #expect(
            json.output.contains(
                #"{"method":"tollgate.v1.OperationsService/Audit","access":"admin","roles":[],"#
                    + #""isIdempotent":true,"defaultDeadlineMilliseconds":120000,"#
                    + #""streaming":"unary"}"#))
    }

    @Test func describeShowsFieldsOfNestedMessages() async throws {
        let outcome = try await CommandTest().run("call", "Ask", "--describe", against: [])
        #expect(outcome.lines.contains("Request: AskRequest"))
        #expect(outcome.lines.contains("  turns: list of ChatTurn"))
        #expect(outcome.lines.contains("ChatTurn"))
        #expect(outcome.lines.contains("  delta: string, one of several"))
        #expect(outcome.lines.contains("AnswerDone"))
    }

    @Test(arguments: [
        ("Nothing", ""), ("pnig", "Did you mean DiagnosticsService/Ping? "),
    ])
    func aMethodThatIsNotThereIsNotFound(name: String, meant: String) async throws {
        let outcome = await (try CommandTest()).run(["call", name], connector: Unreachable())
        #expect(outcome.status == 10)
        #expect(
            outcome.errors == "error: There is no method \(name).\n"
                + "\(meant)List them with: tollgate call --list\n")
    }

    @Test(arguments: [
        (["call"], "Name a method"),
        (["call", "--list", "Ping"], "--list takes no method."),
        (["call", "Ping", "{"], "malformed"),
        (["call", "Ping", #"{"pay":"aGk="}"#], "malformed"),
    ])
    func whatMakesNoSenseIsAUsageError(arguments: [String], reason: String) async throws {
        let outcome = await (try CommandTest()).run(arguments, connector: Unreachable())
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains(reason))
        #expect(outcome.output.isEmpty)
    }
}
