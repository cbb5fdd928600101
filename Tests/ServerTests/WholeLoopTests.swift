import Application
import Chat
import Jobs
import Operations
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import Weixin

/// The loop a person walks: message, code, chat, quota gone, payment, chat.
@Suite(.timeLimit(.minutes(5))) struct WholeLoopTests {
    private static let credit = Credits(whole: 1).micro

    @Test(arguments: Reach.allCases, [OfficialAccountIdentity.Mode.plain, .aes])
    func `A person signs in, chats, runs out, pays and goes on`(
        reach: Reach, mode: OfficialAccountIdentity.Mode
    ) async throws {
        try await ServerBench.with(reach, mode: mode) { world in
            world.models.script(
                "a",
                [
                    .event(.delta("Hel")), .event(.delta("lo, ")), .event(.delta("you")),
                    .event(.finished(reason: "stop", usage: ScriptedModels.usage)),
                ])
            try await world.client("web") { client in
                let code = try await askForCode(world, client)
                let person = try await signIn(client, with: code)
                try await chatUntilExhausted(world, person)
                try await buy(world, person)
                try await goOn(person)
                try await readHistory(person)
                try await signOut(person)
            }
            try await lookAsOperator(world)
        }
    }

    private func askForCode(_ world: ServerBench, _ client: TollgateClient) async throws -> String {
        let weixin = WeixinServiceClient(client)
        let pushes = try Pushes(world.account, at: world.bench.clock.now())
        let push = try pushes.text("Login")
        let first = try await weixin.receiveCallback(push)
        #expect(first.httpStatus == 200)
        let shown = try pushes.shown(first)
        #expect(shown.openID == "gh_tollgate")
        #expect(shown.officialAccount == "o_ann")
        // WeChat repeats a push it got no answer to in time: it gets the same code.
        let again = try pushes.shown(try await weixin.receiveCallback(push))
        #expect(again.text == shown.text)
        return try #require(Pushes.code(in: shown.text))
    }

    private func signIn(_ client: TollgateClient, with code: String) async throws -> Person {
        let auth = AuthServiceClient(client)
        let login = V1.LoginRequest(code: code.lowercased(), source: "browser", device: "Firefox")
        let signedIn = try await auth.login(login)
        #expect(signedIn.accountOpened)
        let person = Person(client, authorization: "Bearer \(signedIn.sessionToken)")
        let me = try await auth.whoAmI(V1.WhoAmIRequest(), options: person.options)
        #expect(me.accountId == signedIn.accountId)
        #expect(me.accountStatus == "active")
        let second = await error { _ = try await auth.login(login) }
        #expect(second?.code == "unauthenticated")
        let quota = try await person.quota()
        #expect(quota.balanceMicroCredits == 2 * Self.credit)
        #expect(quota.trialGrantedCalls == 1)
        #expect(quota.trialUsedCalls == 0)
        return person
    }

    private func chatUntilExhausted(_ world: ServerBench, _ person: Person) async throws {
        var deltas = 0
        let trial = try await person.ask(id: "q1") { event in
            if case .delta = event.event { deltas += 1 }
        }
        #expect(trial.start?.source == "trial")
        #expect(trial.start?.model == "m")
        #expect(trial.text == "Hello, you")
        #expect(deltas == 3)
        #expect(trial.done?.chargedMicroCredits == 0)
        #expect(trial.done?.trialLeftCalls == 0)
        #expect(trial.done?.completionTokens == ScriptedModels.usage.completionTokens)
        #expect(trial.done?.estimated == false)
        for (id, left) in [("q2", Self.credit), ("q3", 0)] {
            let granted = try await person.ask(id: id)
            #expect(granted.start?.source == "credits")
            #expect(granted.done?.chargedMicroCredits == Self.credit)
            #expect(granted.done?.balanceMicroCredits == left)
        }
        let refusal = await error { _ = try await person.ask(id: "q4") }
        #expect(refusal?.code == "quota_exhausted")
        #expect(refusal?.httpStatus == 402)
        #expect(refusal?.message.contains("buy more") == true)
        #expect(world.models.asked.count == 3)
        let repeated = await error { _ = try await person.ask(id: "q2") }
        #expect(repeated?.code == "already_answered")
        #expect(world.models.asked.count == 3)
    }

    private func buy(_ world: ServerBench, _ person: Person) async throws {
        let products = try await OrdersServiceClient(person.client).listProducts(
            V1.ListProductsRequest())
        #expect(products.products.map(\.key) == ["starter"])
        let order = try await person.order()
        #expect(order.state == "awaiting_payment")
        #expect(order.codeUrl == "weixin://pay/\(order.outTradeNumber)")
        #expect(try await person.order().orderId == order.orderId)

        let wechat = try PaymentWorld.make()
        let body = try wechat.body(
            of: PaymentWorld.Payment(outTradeNumber: order.outTradeNumber))
        let notification = try wechat.notification(body, at: world.bench.clock.now())
        let verdict = try await PaymentsServiceClient(person.client).notifyPayment(notification)
        #expect(verdict.httpStatus == 200)
        #expect(verdict.body.contains("SUCCESS"))
        let paid = try await person.order(order.orderId)
        #expect(paid.state == "delivered")
        #expect(paid.codeUrl == "")
        #expect(paid.paidAtMilliseconds > 0)
        #expect(try await person.quota().balanceMicroCredits == 10 * Self.credit)
    }

    private func goOn(_ person: Person) async throws {
        let answer = try await person.ask(id: "q5")
        #expect(answer.text == "Hello, you")
        #expect(answer.done?.balanceMicroCredits == 9 * Self.credit)
    }

    private func readHistory(_ person: Person) async throws {
        let orders = try await OrdersServiceClient(person.client).listOrders(
            V1.ListOrdersRequest(), options: person.options)
        #expect(orders.orders.map(\.state) == ["delivered"])
        #expect(orders.nextBeforeOrderId == "")
        let ledger = try await AccountsServiceClient(person.client).listLedger(
            V1.ListLedgerRequest(), options: person.options)
        #expect(
            ledger.entries.map(\.amountMicroCredits)
                == [-1, 10, -1, -1, 2].map { $0 * Self.credit })
        #expect(ledger.entries.map(\.sequence) == [5, 4, 3, 2, 1])
        #expect(ledger.entries.first?.postedAfterMicroCredits == 9 * Self.credit)
        let page = try await AccountsServiceClient(person.client).listLedger(
            V1.ListLedgerRequest(limit: 2, beforeSequence: 4), options: person.options)
        #expect(page.entries.map(\.sequence) == [3, 2])
        #expect(page.nextBeforeSequence == 2)
    }

    private func signOut(_ person: Person) async throws {
        _ = try await AuthServiceClient(person.client).logout(
            V1.LogoutRequest(), options: person.options)
        let refused = await error { _ = try await person.quota() }
        #expect(refused?.code == "unauthenticated")
    }

    private func lookAsOperator(_ world: ServerBench) async throws {
        let ports = world.bench.ports
        let jobs = StandardJobs(
            ports, orders: FollowUpOrders(ports, payments: world.payments), sweeps: Sweeps(ports),
            outbox: SendOutbox(ports, officialAccount: ScriptedMessages(), templateIDs: [:]),
            previews: PreviewJobs(ports, payments: world.payments))
        let scheduler = JobScheduler(
            ports, definitions: jobs.definitions(JobIntervals()), holder: "test")
        let run = try await scheduler.runNow("metric-rollup")
        try await world.client("admin") { client in
            let operations = OperationsServiceClient(client)
            for resolution in ["hour", "day"] {
                let figures = try await operations.listMetrics(
                    V1.ListMetricsRequest(resolution: resolution)
                ).points
                let values = Dictionary(
                    uniqueKeysWithValues: figures.map { ("\($0.metric) \($0.dimension)", $0.value) }
                )
                #expect(
                    values == [
                        "chats m": 4, "prompt_tokens m": 20, "completion_tokens m": 28,
                        "refusals quota_exhausted": 1, "orders starter": 1,
                        "paid_orders starter": 1, "revenue_fen starter": 100,
                    ], "\(resolution)")
            }
            let audit = try await operations.audit(V1.AuditRequest())
            #expect(audit.clean)
            #expect(audit.findings.count >= 5)
            #expect(audit.findings.allSatisfy { $0.violationCount == 0 })
            let runs = try await JobsServiceClient(client).listJobRuns(V1.ListJobRunsRequest())
            #expect(runs.runs.map(\.runId) == [run.id.description])
            #expect(runs.runs.map(\.state) == ["succeeded"])
            let incidents = try await operations.listIncidents(V1.ListIncidentsRequest())
            #expect(incidents.incidents.isEmpty)
        }
    }
}
