import CLI
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("statements")
struct StatementTests {
    /// November 2025 in Shanghai.
    private static let november = V1.Statement(
        accountId: "0H2K9QW3ZT4BM", month: "2025-11", fromMilliseconds: 1_761_926_400_000,
        untilMilliseconds: 1_764_518_400_000, openingMicroCredits: 12_000_000,
        creditedMicroCredits: 10_000_000, debitedMicroCredits: 1_500_000,
        closingMicroCredits: 20_500_000, movements: 3,
        totals: [
            V1.MovementTotal(kind: "purchase", count: 1, creditedMicroCredits: 10_000_000),
            V1.MovementTotal(kind: "usage", count: 2, debitedMicroCredits: 1_500_000),
        ], afterSequence: 4, beforeSequence: 8, trialUsedCalls: 2)

    /// Its movements, newest first.
    private static let entries = [
        V1.LedgerEntry(
            sequence: 7, kind: "usage", amountMicroCredits: -500_000,
            postedAfterMicroCredits: 20_500_000, reference: "r-2",
            atMilliseconds: 1_764_518_399_000),
        V1.LedgerEntry(
            sequence: 6, kind: "usage", amountMicroCredits: -1_000_000,
            postedAfterMicroCredits: 21_000_000, reference: "r-1",
            atMilliseconds: 1_762_000_000_000),
        V1.LedgerEntry(
            sequence: 5, kind: "purchase", amountMicroCredits: 10_000_000,
            postedAfterMicroCredits: 22_000_000, reference: "say \"hi\", O1",
            atMilliseconds: 1_761_926_400_000),
    ]

    private static func telling(
        _ statement: V1.Statement = november
    ) -> MethodRegistration {
        .unary(Methods.AccountsService.getStatement) {
            (request: V1.GetStatementRequest, context) in
            #expect(context.authorization == "Bearer session-of-ann")
            #expect(["", "2025-11"].contains(request.month))
            return V1.GetStatementResponse(statement: statement)
        }
    }

    /// Answers as the server does, at most so many a page; what it was asked for is kept.
    private static func listing(
        _ entries: [V1.LedgerEntry] = entries, pages: Int = 200,
        asked: Asked<V1.ListLedgerRequest> = Asked()
    ) -> MethodRegistration {
        .unary(Methods.AccountsService.listLedger) { (request: V1.ListLedgerRequest, _) in
            asked.add(request)
            let below = entries.filter {
                $0.sequence < request.beforeSequence && $0.sequence > request.afterSequence
            }
            let page = Array(below.prefix(min(pages, Int(request.limit))))
            return V1.ListLedgerResponse(
                entries: page,
                nextBeforeSequence: page.count < below.count ? page.last?.sequence ?? 0 : 0)
        }
    }

    private func run(_ words: String..., against methods: [MethodRegistration]) async throws
        -> Outcome
    {
        let test = try CommandTest()
        try test.signIn()
        return try await test.run(["ledger", "statement"] + words, against: methods)
    }

    @Test func aStatementTellsWhatWasThereWhatMovedAndWhatIsLeft() async throws {
        let outcome = try await run(
            "--month", "2025-11", against: [Self.telling(), Self.listing()])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "Account          0H2K9QW3ZT4BM",
                "Month            2025-11",
                "From             2025-11-01 00:00:00 +08:00",
                "Until before     2025-12-01 00:00:00 +08:00",
                "Opening balance  12 credits",
                "Closing balance  20.5 credits",
                "Movements        3",
                "Free calls used  2",
                "",
                "WHAT      COUNT  CAME  LEFT",
                "purchase      1   +10     0",
                "usage         2     0  -1.5",
                "",
                "12 + 10 - 1.5 = 20.5 credits",
                "",
                "NO.  WHEN (+08:00)        WHAT      CREDITS  AFTER  ABOUT",
                "  7  2025-11-30 23:59:59  usage        -0.5   20.5  r-2",
                "  6  2025-11-01 20:26:40  usage          -1     21  r-1",
                "  5  2025-11-01 00:00:00  purchase      +10     22  say \"hi\", O1",
            ])
        #expect(outcome.errors.isEmpty)
    }

    @Test func aPageSaysWhereTheNextStartsAndStaysInItsMonth() async throws {
        let asked = Asked<V1.ListLedgerRequest>()
        let methods = [Self.telling(), Self.listing(asked: asked)]
        let first = try await run("--limit", "2", against: methods)
        #expect(first.errors == "More: tollgate ledger statement --month 2025-11 --before 6\n")
        let rest = try await run("--month", "2025-11", "--before", "6", against: methods)
        #expect(rest.lines.last?.hasPrefix("  5  ") == true)
        #expect(rest.errors.isEmpty)
        _ = try await run("--before", "99", against: methods)
        #expect(
            asked.all == [
                V1.ListLedgerRequest(limit: 2, beforeSequence: 8, afterSequence: 4),
                V1.ListLedgerRequest(limit: 50, beforeSequence: 6, afterSequence: 4),
                V1.ListLedgerRequest(limit: 50, beforeSequence: 8, afterSequence: 4),
            ])
    }

    @Test func theRunningMonthTellsWhatIsOpen() async throws {
        var running = Self.november
        running.running = true
        running.heldMicroCredits = 250_000
        running.openCalls = 1
        let outcome = try await run(against: [Self.telling(running), Self.listing()])
        #expect(outcome.lines[1] == "Month               2025-11, until now")
        #expect(
            outcome.lines[8...9] == [
                "Reserved for calls  0.25 credits", "Calls under way     1",
            ])
    }

    @Test func aMonthWithoutMovementsIsShort() async throws {
        let empty = V1.Statement(
            accountId: "0H2K9QW3ZT4BM", month: "2025-11", fromMilliseconds: 1_761_926_400_000,
            untilMilliseconds: 1_764_518_400_000, afterSequence: 0, beforeSequence: 1)
        let outcome = try await run(against: [Self.telling(empty), Self.listing([])])
        #expect(outcome.status == 0)
        #expect(outcome.lines.last == "0 + 0 - 0 = 0 credits")
        let csv = try await run("--csv", against: [Self.telling(empty), Self.listing([])])
        #expect(csv.status == 0)
        #expect(csv.lines.count == 1)
    }

    @Test func documentsHaveEveryNumber() async throws {
        let outcome = try await run(
            "--month", "2025-11", "--limit", "1", "--json",
            against: [Self.telling(), Self.listing()])
        let expected = [
            #"{"accountId":"0H2K9QW3ZT4BM","month":"2025-11","fromMilliseconds":1761926400000,"#,
            #""untilMilliseconds":1764518400000,"openingMicroCredits":12000000,"#,
            #""creditedMicroCredits":10000000,"debitedMicroCredits":1500000,"#,
            #""closingMicroCredits":20500000,"movements":3,"totals":["#,
            #"{"kind":"purchase","count":1,"creditedMicroCredits":10000000,"#,
            #""debitedMicroCredits":0},{"kind":"usage","count":2,"creditedMicroCredits":0,"#,
            #""debitedMicroCredits":1500000}],"trialUsedCalls":2,"running":false,"#,
            #""heldMicroCredits":0,"openCalls":0,"entries":[{"sequence":7,"kind":"usage","#,
            #""amountMicroCredits":-500000,"postedAfterMicroCredits":20500000,"#,
            #""reference":"r-2","atMilliseconds":1764518399000}],"nextBeforeSequence":7}"#,
        ].joined()
        #expect(outcome.output == expected + "\n")
    }

    @Test(arguments: [1, 2, 200]) func filesHaveEveryMovementPageByPage(pages: Int) async throws {
        let asked = Asked<V1.ListLedgerRequest>()
        let outcome = try await run(
            "--csv", against: [Self.telling(), Self.listing(pages: pages, asked: asked)])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "sequence,at,kind,amount_micro_credits,posted_after_micro_credits,reference",
                "7,2025-11-30 23:59:59 +08:00,usage,-500000,20500000,r-2",
                "6,2025-11-01 20:26:40 +08:00,usage,-1000000,21000000,r-1",
                "5,2025-11-01 00:00:00 +08:00,purchase,10000000,22000000,\"say \"\"hi\"\", O1\"",
            ])
        #expect(outcome.errors == "12 + 10 - 1.5 = 20.5 credits\n")
        #expect(asked.all.count == (3 + pages - 1) / pages)
        #expect(asked.all.allSatisfy { $0.limit == 200 && $0.afterSequence == 4 })
    }

    @Test func aFileThatLacksAMovementDoesNotLookWhole() async throws {
        for lost in Self.entries.indices {
            var entries = Self.entries
            entries.remove(at: lost)
            let outcome = try await run("--csv", against: [Self.telling(), Self.listing(entries)])
            #expect(outcome.status == 1, "without \(lost)")
            #expect(outcome.errors.hasPrefix("error: The statement of 2025-11 does not add up: "))
        }
        var bent = Self.entries
        bent[1].amountMicroCredits += 1
        let outcome = try await run("--csv", against: [Self.telling(), Self.listing(bent)])
        #expect(outcome.status == 1)
    }

    @Test func aStatementThatDoesNotAddUpIsNotShown() async throws {
        let changes: [@Sendable (inout V1.Statement) -> Void] = [
            { $0.openingMicroCredits += 1 }, { $0.closingMicroCredits -= 1 },
            { $0.creditedMicroCredits += 1 }, { $0.debitedMicroCredits += 1 },
            { $0.movements += 1 }, { $0.beforeSequence += 1 }, { $0.totals.removeLast() },
            { $0.totals[1].debitedMicroCredits = .min },
        ]
        for (place, change) in changes.enumerated() {
            var bent = Self.november
            change(&bent)
            for form in [["--csv"], ["--json"], []] {
                let test = try CommandTest()
                try test.signIn()
                let outcome = try await test.run(
                    ["ledger", "statement"] + form, against: [Self.telling(bent), Self.listing()])
                #expect(outcome.status == 1, "change \(place)")
                #expect(outcome.output.isEmpty, "change \(place)")
                #expect(outcome.errors.contains("does not add up"), "change \(place)")
            }
        }
    }

    @Test(arguments: [
        ["--month", "2025-13"], ["--month", "2025"], ["--month", "november"],
        ["--month", "2025-1"], ["--csv", "--json"], ["--csv", "--before", "6"], ["--limit", "0"],
        ["--limit", "201"],
    ])
    func whatMakesNoSenseIsAUsageError(words: [String]) async throws {
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run(["ledger", "statement"] + words, against: [])
        #expect(outcome.status == 2)
        let asOperator = try await CommandTest().run(
            ["admin", "accounts", "statement", "0H2K9QW3ZT4BM"] + words, against: [])
        #expect(asOperator.status == 2)
    }

    @Test func anOperatorSeesWhatTheOwnerSees() async throws {
        let tell = MethodRegistration.unary(Methods.AdminService.getAccountStatement) {
            (request: V1.GetAccountStatementRequest, _) in
            #expect(
                request
                    == V1.GetAccountStatementRequest(
                        accountId: "0H2K9QW3ZT4BM", month: "2025-11"))
            return V1.GetAccountStatementResponse(statement: Self.november)
        }
        let list = MethodRegistration.unary(Methods.AdminService.getAccountLedger) {
            (request: V1.GetAccountLedgerRequest, _) in
            #expect(
                request
                    == V1.GetAccountLedgerRequest(
                        accountId: "0H2K9QW3ZT4BM", limit: 2, beforeSequence: 8, afterSequence: 4))
            return V1.GetAccountLedgerResponse(
                entries: Array(Self.entries.prefix(2)), nextBeforeSequence: 6)
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "statement", "0H2K9QW3ZT4BM", "--month", "2025-11", "--limit",
                "2",
            ], against: [tell, list])
        #expect(outcome.status == 0)
        #expect(outcome.lines.first == "Account          0H2K9QW3ZT4BM")
        #expect(outcome.lines.count == 18)
        #expect(
            outcome.errors
                == "More: tollgate admin accounts statement 0H2K9QW3ZT4BM --month 2025-11 "
                + "--before 6\n")
    }

    @Test func theLedgerItselfStaysAsItWas() async throws {
        let asked = Asked<V1.ListLedgerRequest>()
        for words in [["ledger"], ["ledger", "--limit", "2", "--before", "7", "--json"]] {
            let test = try CommandTest()
            try test.signIn()
            let outcome = try await test.run(words, against: [Self.listing(asked: asked)])
            #expect(outcome.status == 0)
        }
        #expect(
            asked.all == [
                V1.ListLedgerRequest(limit: 50), V1.ListLedgerRequest(limit: 2, beforeSequence: 7),
            ])
        let mistyped = try await CommandTest().run(["ledger", "statment"], against: [])
        #expect(mistyped.status == 2)
        #expect(mistyped.errors.contains("Did you mean 'statement'?"))
    }
}

/// Remembers what a method was asked.
private final class Asked<Request: Sendable>: Sendable {
    private let requests = Mutex<[Request]>([])

    var all: [Request] { requests.withLock { $0 } }

    func add(_ request: Request) { requests.withLock { $0.append(request) } }
}
