import Accounts
import Application
import Auth
import Chat
import Operations
import Orders
import Storage
import TestSupport
import Testing
import TollgateKernel

@Suite struct ExportAccountTests {
    private typealias Section = ExportAccount.Section

    private static let by = ActedBy(
        credential: "admin", person: "olga", reason: "as agreed", correlationID: 7)

    /// Every page, from the first to the last.
    private func pages(_ bench: TestBench, _ token: SessionToken) async throws
        -> [ExportAccount.Page]
    {
        var pages = [try await ExportAccount(bench.ports).page(after: nil, for: token)]
        while let next = pages.last?.next {
            try #require(pages.count < 100, "the pages do not end")
            pages.append(try await ExportAccount(bench.ports).page(after: next, for: token))
        }
        return pages
    }

    /// What tells rows apart, by section.
    private func names(_ pages: [ExportAccount.Page]) -> [Section: [String]] {
        pages.reduce(into: [:]) { names, page in
            let rows: [String] =
                switch page.rows {
                case .account(let profile): ["\(profile.account.id) \(profile.openID)"]
                case .trialDays(let days): days.map { "\($0.day.number) \($0.used)" }
                case .movements(let entries): entries.map { "\($0.link.sequence)" }
                case .orders(let orders):
                    orders.map { "\($0.order.id) \($0.payments.map(\.total.fen))" }
                case .calls(let calls):
                    calls.map { "\($0.hold.requestID) \($0.usage?.outcome.rawValue ?? "none")" }
                case .refusals(let refusals): refusals.map { "\($0.number) \($0.code)" }
                case .apiKeys(let keys): keys.map { "\($0.id) \($0.name)" }
                case .loginSessions(let sessions): sessions.map { "\($0.id)" }
                case .messages(let messages): messages.map { "\($0.id) \($0.kind)" }
                }
            names[page.section, default: []] += rows
        }
    }

    @Test func `Every row of the person is told once, and none of anybody else`() async throws {
        try await Buying.with { buying in
            let bench = buying.bench
            let ann = try await bench.signIn()
            let bob = try await bench.signIn(openID: "o_bob")
            let many = 2 * Limits.exportRows + 7
            for session in [ann, bob] {
                let id = session.session.account
                for number in 0..<many {
                    _ = try await Administration(bench.ports).adjust(
                        id, by: Credits(micro: 5),
                        requestID: IdempotencyKey(rawValue: "a\(number)"), expiresAt: nil, Self.by)
                }
                try await seed(id, many, bench)
            }
            let order = try await buying.order()
            _ = try await buying.book.book(buying.notification(of: buying.paid(order)))
            let pages = try await pages(bench, ann.token)
            #expect(
                pages.map(\.section).reduce(into: []) { order, section in
                    if order.last != section { order.append(section) }
                } == Section.allCases)
            let told = names(pages)
            for (section, rows) in told { #expect(Set(rows).count == rows.count, "\(section)") }
            #expect(told[.account] == ["\(buying.account) o_ann"])
            #expect(told[.trialDays]?.count == many)
            // The welcome, the adjustments, the purchase.
            #expect(told[.movements] == (1...(many + 2)).map(String.init))
            #expect(told[.orders] == ["\(order.id) [100]"])
            #expect(told[.calls]?.count == many)
            #expect(told[.calls]?.filter { $0.hasSuffix("answered") }.count == 1)
            #expect(told[.refusals]?.count == many)
            #expect(told[.apiKeys]?.count == many)
            // Two sign-ins, one of `Buying`.
            #expect(told[.loginSessions]?.count == 2)
            #expect(told[.messages]?.count == 1)
            // Ends the holds, so that the books are right.
            bench.clock.advance(milliseconds: 10_000)
            #expect(try await bench.store.sweepHolds(at: bench.clock.now()).count == 2 * many)
        }
    }

    /// Free calls, calls, refusals and keys, so many of each.
    private func seed(_ id: AccountID, _ many: Int, _ bench: TestBench) async throws {
        let now = bench.clock.now()
        try await bench.store.write { [ports = bench.ports] tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
            for number in 0..<many {
                try tx.accounts.save(
                    TrialDay(account: id, day: ShanghaiDay(number: Int64(number)), used: 1))
                let hold = try ledger.hold(
                    HoldRequest(
                        account: id, requestID: IdempotencyKey(rawValue: "r\(number)"),
                        requestHash: [UInt8](repeating: 1, count: 32), source: .promotion,
                        amount: .zero, trialDay: nil, trialLimit: 0,
                        expiresAt: now.adding(milliseconds: 1_000)), at: now)
                if number == 0 {
                    try tx.chat.insert(
                        UsageRecord(
                            hold: hold.id, account: id, model: ModelName(rawValue: "m"),
                            channel: "a", source: "promotion",
                            usage: TokenUsage(promptTokens: 1, completionTokens: 2),
                            isEstimated: false, charged: .zero, outcome: .answered,
                            startedAt: now, firstTokenAt: nil, endedAt: now))
                }
                try tx.chat.insertRefusal(
                    account: id, model: ModelName(rawValue: "m\(number)"), code: .quotaExhausted,
                    at: now)
                try tx.apiKeys.insert(
                    APIKey(
                        id: APIKeyID(rawValue: ports.identifiers.next()),
                        digest: [UInt8](repeating: 1, count: 32), account: id,
                        name: "robot \(number)", models: [], spendCap: nil,
                        requestsPerMinute: nil, createdAt: now, expiresAt: nil))
            }
        }
    }

    @Test(arguments: [
        "", "nothing", "account", "orders:x", "nothing:1",
        "calls:" + String(repeating: "r", count: Limits.exportCursorBytes),
    ])
    func `A place that no page named is refused`(cursor: String) async throws {
        try await TestBench.with { bench in
            let token = try await bench.signIn().token
            let failure = await #expect(throws: Failure.self) {
                try await ExportAccount(bench.ports).page(after: cursor, for: token)
            }
            #expect(failure?.code == .invalidRequest)
        }
    }

    @Test func `Who is not signed in any more is told nothing`() async throws {
        try await TestBench.with { bench in
            let token = try await bench.signIn().token
            try await SignIn(bench.ports).signOut(token)
            let failure = await #expect(throws: Failure.self) {
                try await ExportAccount(bench.ports).page(after: "movements:", for: token)
            }
            #expect(failure?.code == .unauthenticated)
        }
    }
}
