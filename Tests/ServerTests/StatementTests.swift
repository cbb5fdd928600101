import Application
import TestSupport
import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct StatementTests {
    @Test func `A person and an operator read the same statement and the same movements`()
        async throws
    {
        let policy = ServicePolicy(trialCallsPerDay: 1, welcomeGrant: Credits(whole: 2))
        try await ServerBench.with(policy: policy) { world in
            let (token, account) = try await world.signIn()
            let month = ShanghaiMonth(world.bench.clock.now())
            try await world.client { client in
                let person = Person(client, authorization: token)
                for id in ["free", "paid"] { _ = try await person.ask(id: id) }
                let accounts = AccountsServiceClient(client)
                let statement = try await accounts.getStatement(
                    V1.GetStatementRequest(month: month.description), options: person.options
                ).statement
                let told = try #require(statement)
                #expect(told.accountId == account.description)
                #expect(told.fromMilliseconds == month.start.milliseconds)
                #expect(told.untilMilliseconds == month.end.milliseconds)
                #expect(told.openingMicroCredits == 0)
                #expect(told.totals.map(\.kind) == ["welcome", "usage"])
                #expect(told.totals.map(\.creditedMicroCredits) == [2_000_000, 0])
                #expect(told.totals.map(\.debitedMicroCredits) == [0, 1_000_000])
                #expect(told.closingMicroCredits == 1_000_000)
                #expect(told.trialUsedCalls == 1)
                #expect(told.running && told.heldMicroCredits == 0 && told.openCalls == 0)
                let running = try await accounts.getStatement(
                    V1.GetStatementRequest(), options: person.options)
                #expect(running.statement == told)
                let all = try await accounts.listLedger(
                    V1.ListLedgerRequest(
                        beforeSequence: told.beforeSequence, afterSequence: told.afterSequence),
                    options: person.options)
                #expect(all.entries.map(\.sequence) == [2, 1])
                let above = try await accounts.listLedger(
                    V1.ListLedgerRequest(limit: 1, afterSequence: 1), options: person.options)
                #expect(above.entries.map(\.sequence) == [2])
                #expect(above.nextBeforeSequence == 0)

                try await world.client("admin") { client in
                    let admin = AdminServiceClient(client)
                    let seen = try await admin.getAccountStatement(
                        V1.GetAccountStatementRequest(
                            accountId: account.description, month: month.description))
                    #expect(seen.statement == told)
                    let moved = try await admin.getAccountLedger(
                        V1.GetAccountLedgerRequest(accountId: account.description, limit: 1))
                    #expect(moved.entries == Array(all.entries.prefix(1)))
                    #expect(moved.nextBeforeSequence == 2)
                }
            }
        }
    }

    @Test func `What is no month, and an account that nobody has, are refused`() async throws {
        try await ServerBench.with { world in
            let (token, account) = try await world.signIn()
            let next = ShanghaiMonth(world.bench.clock.now()).next.description
            try await world.client("admin") { client in
                let person = Person(client, authorization: token)
                for month in ["2026-13", "november", "1969-12", next] {
                    let refused = await error {
                        _ = try await AccountsServiceClient(client).getStatement(
                            V1.GetStatementRequest(month: month), options: person.options)
                    }
                    #expect(refused?.code == "invalid_request", "\(month)")
                    let refusedToo = await error {
                        _ = try await AdminServiceClient(client).getAccountStatement(
                            V1.GetAccountStatementRequest(
                                accountId: account.description, month: month))
                    }
                    #expect(refusedToo?.code == "invalid_request", "\(month)")
                }
                let nobody = AccountID(rawValue: 77).description
                let statement = await error {
                    _ = try await AdminServiceClient(client).getAccountStatement(
                        V1.GetAccountStatementRequest(accountId: nobody))
                }
                #expect(statement?.code == "not_found")
                let ledger = await error {
                    _ = try await AdminServiceClient(client).getAccountLedger(
                        V1.GetAccountLedgerRequest(accountId: nobody))
                }
                #expect(ledger?.code == "not_found")
                let early = try await AccountsServiceClient(client).getStatement(
                    V1.GetStatementRequest(month: "1970-01"), options: person.options)
                #expect(early.statement?.movements == 0)
                #expect(early.statement?.running == false)
            }
        }
    }
}
