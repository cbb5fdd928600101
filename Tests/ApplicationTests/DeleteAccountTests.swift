import Accounts
import Application
import Auth
import Operations
import Orders
import Storage
import TestSupport
import Testing
import TollgateKernel

@Suite struct DeleteAccountTests {
    private let by = ActedBy(
        credential: "admin", person: "olga", reason: "asked by letter", correlationID: 7)

    private func account(_ id: AccountID, _ bench: TestBench) async throws -> Account {
        try #require(try await bench.store.read { tx in try tx.accounts.account(id) })
    }

    private func code(_ body: () async throws -> Void) async -> Failure.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? Failure)?.code
        }
    }

    @Test func `Who leaves takes their credits and their openid with them; the books stay right`()
        async throws
    {
        try await Asking.with { asking in
            let bench = asking.bench
            for id in ["1", "2"] { _ = try await asking.ask(id) }
            let deleted = try await DeleteAccount(bench.ports).delete(by: asking.token)
            #expect(deleted.account == asking.account)
            #expect(deleted.forfeited == Credits(whole: 1))
            #expect(deleted.isDoneNow)
            let row = try await account(asking.account, bench)
            #expect(row.status == .deleted)
            #expect(row.deletedAt == bench.clock.now())
            let entries = try await AccountQueries(bench.ports).ledger(
                of: asking.account, before: nil, limit: 9)
            #expect(entries.map(\.transfer.kind) == [.forfeit, .usage, .welcome])
            #expect(entries.first?.link.postedAfter == 0)
            let places = try await bench.store.read { tx in
                try TextScan.columns(holding: "o_ann", tx)
            }
            #expect(places == [])
            #expect(try await bench.violations() == [])
            // Nothing can be done with what the person had.
            #expect(await code { _ = try await asking.ask("3") } == .unauthenticated)
            #expect(
                await code { _ = try await DeleteAccount(bench.ports).delete(by: asking.token) }
                    == .unauthenticated)
            let operators = Administration(bench.ports)
            #expect(
                await code {
                    _ = try await operators.setStatus(of: asking.account, to: .active, by: by)
                } == .conflict)
            #expect(
                await code {
                    _ = try await operators.adjust(
                        asking.account, by: Credits(whole: 1),
                        requestID: IdempotencyKey(rawValue: "a"), expiresAt: nil, by)
                } == .conflict)
            #expect(
                await code {
                    _ = try await operators.setStatus(of: asking.account, to: .deleted, by: by)
                } == .invalidRequest)
        }
    }

    @Test func `Who comes back is welcomed no second time, nor has the day's free call again`()
        async throws
    {
        try await Asking.with { asking in
            let bench = asking.bench
            _ = try await asking.ask("1")
            #expect(try await asking.balance().trialUsed == 1)
            _ = try await DeleteAccount(bench.ports).delete(by: asking.token)
            let back = try await bench.signIn()
            #expect(back.accountOpened)
            #expect(back.session.account != asking.account)
            let queries = AccountQueries(bench.ports)
            let quota = try await queries.quota(of: back.session.account)
            #expect(quota.ledger.posted == 0)
            #expect(quota.lots == [])
            #expect(quota.trialUsed == 1)
            // Leaving once more changes nothing of that.
            _ = try await DeleteAccount(bench.ports).delete(by: back.token)
            let again = try await bench.signIn()
            let still = try await queries.quota(of: again.session.account)
            #expect(still.ledger.posted == 0)
            #expect(still.trialUsed == 1)
            // A new day is a new day for everybody, and another person is another person.
            bench.clock.advance(milliseconds: 86_400_000)
            #expect(try await queries.quota(of: again.session.account).trialUsed == 0)
            let other = try await bench.signIn(openID: "o_bob")
            let theirs = try await queries.quota(of: other.session.account)
            #expect(theirs.ledger.balance == Credits(whole: 2))
            #expect(theirs.trialUsed == 0)
        }
    }

    @Test func `Leaving is no way out of a tier, and the operator's last word counts`()
        async throws
    {
        try await TestBench.with { bench in
            let operators = Administration(bench.ports)
            let slow = Tier(
                name: TierName(rawValue: "slow"), priceFactor: .one,
                limits: CallLimits(requestsPerMinute: 1))
            _ = try await operators.set(slow, by: by)
            var session = try await bench.signIn()
            _ = try await operators.setTier(of: session.session.account, to: slow.name, by: by)
            // However often they come and go.
            for _ in 0..<2 {
                _ = try await DeleteAccount(bench.ports).delete(by: session.token)
                session = try await bench.signIn()
                #expect(session.accountOpened)
                #expect(try await account(session.session.account, bench).tier == slow)
            }
            _ = try await operators.setTier(of: session.session.account, to: .standard, by: by)
            _ = try await DeleteAccount(bench.ports).delete(by: session.token)
            session = try await bench.signIn()
            #expect(try await account(session.session.account, bench).tier == .standard)
            let other = try await bench.signIn(openID: "o_bob")
            #expect(try await account(other.session.account, bench).tier == .standard)
        }
    }

    @Test func `A frozen account is deleted by an operator alone, once, and the act is written`()
        async throws
    {
        try await Asking.with { asking in
            let bench = asking.bench
            let operators = Administration(bench.ports)
            let deletion = DeleteAccount(bench.ports)
            _ = try await operators.setStatus(of: asking.account, to: .frozen, by: by)
            #expect(
                await code { _ = try await deletion.delete(by: asking.token) } == .accountFrozen)
            let first = try await deletion.delete(asking.account, by: by)
            #expect(first.isDoneNow)
            #expect(first.forfeited == Credits(whole: 2))
            bench.clock.advance(milliseconds: 1_000)
            let second = try await deletion.delete(asking.account, by: by)
            #expect(!second.isDoneNow)
            #expect(second.at == first.at)
            #expect(second.forfeited == .zero)
            let acts = try await operators.acts(before: nil, limit: 9)
            #expect(acts.map(\.kind) == [.accountDeleted, .accountFrozen])
            #expect(acts.first?.before == "frozen, 2")
            #expect(acts.first?.by.reason == "asked by letter")
            #expect(
                await code { _ = try await deletion.delete(AccountID(rawValue: 9), by: by) }
                    == .notFound)
            let nameless = ActedBy(credential: "admin", person: "", reason: "", correlationID: 0)
            #expect(
                await code { _ = try await deletion.delete(asking.account, by: nameless) }
                    == .invalidRequest)
        }
    }

    @Test func `A chat under way is waited for, and its answer is charged`() async throws {
        try await Asking.with(policy: ServicePolicy(trialCallsPerDay: 0)) { asking in
            let deletion = DeleteAccount(asking.bench.ports)
            var refusals: [Failure.Code?] = []
            try await asking.useCase.answer(asking.question("1")) { event in
                guard case .started = event else { return }
                refusals.append(await code { _ = try await deletion.delete(by: asking.token) })
            }
            #expect(refusals == [.conflict])
            #expect(try await asking.balance().posted == Credits(whole: 1))
            #expect(
                try await deletion.delete(by: asking.token).forfeited == Credits(whole: 1))
        }
    }

    @Test func `Of a deletion and chats at one moment one comes first, and no hold is left`()
        async throws
    {
        for round in 0..<8 {
            try await Asking.with(policy: ServicePolicy(trialCallsPerDay: 0)) { asking in
                let deletion = DeleteAccount(asking.bench.ports)
                async let asked = code { _ = try await asking.ask("1") }
                async let left = code { _ = try await deletion.delete(by: asking.token) }
                let outcome = await (asked, left)
                let isOneOf = [
                    (nil, nil), (nil, .conflict), (.unauthenticated, nil),
                ].contains { $0 == outcome }
                #expect(isOneOf, "round \(round): \(outcome)")
                let held = try await asking.balance().held
                #expect(held == .zero)
            }
        }
    }

    @Test func `Of deletions at one moment one deletes`() async throws {
        try await TestBench.with { bench in
            let signedIn = try await bench.signIn()
            let deletion = DeleteAccount(bench.ports)
            let codes = await withTaskGroup(of: Failure.Code?.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        await code { _ = try await deletion.delete(by: signedIn.token) }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .unauthenticated } == 5)
            #expect(try await bench.violations() == [])
        }
    }

    @Test func `A login at the same moment ends up with the old account's end or a new account`()
        async throws
    {
        for _ in 0..<8 {
            try await TestBench.with { bench in
                let signedIn = try await bench.signIn()
                async let left: Void = {
                    _ = try await DeleteAccount(bench.ports).delete(by: signedIn.token)
                }()
                // Its code may be erased before it is typed.
                let again = try? await bench.signIn()
                try await left
                guard let again else { return }
                let caller = try? await Callers(bench.ports).whoIs(.session(again.token))
                #expect((caller == nil) == (again.session.account == signedIn.session.account))
                #expect(try await bench.violations() == [])
            }
        }
    }

    @Test func `What does not fit into one transaction is erased by the sweeper`() async throws {
        try await TestBench.with { bench in
            let operators = Administration(bench.ports)
            let signedIn = try await bench.signIn()
            let id = signedIn.session.account
            for number in 0..<(2 * Limits.lotsOfOneForfeit) {
                _ = try await operators.adjust(
                    id, by: Credits(whole: 1),
                    requestID: IdempotencyKey(rawValue: "a\(number)"), expiresAt: nil, by)
            }
            var tokens: [SessionToken] = []
            for _ in 0..<(2 * Limits.rowsOfOneErasure) {
                tokens.append(try await bench.signIn().token)
            }
            let deleted = try await DeleteAccount(bench.ports).delete(by: signedIn.token)
            #expect(deleted.forfeited == Credits(whole: Int64(2 * Limits.lotsOfOneForfeit + 2)))
            #expect(try await account(id, bench).status == .deleting)
            // What is left of it opens nothing.
            for token in tokens {
                #expect(
                    await code { _ = try await Callers(bench.ports).whoIs(.session(token)) }
                        == .unauthenticated)
            }
            #expect(try await bench.violations() == [])
            let fence = JobFence(job: "hold-expire", fencingToken: 0)
            let now = bench.clock.now()
            try await bench.store.write { tx in
                try tx.jobs.insertIfNew(
                    JobRecord(
                        name: fence.job, nextDueAt: now, fencingToken: 0, holder: "", heartbeat: 0))
            }
            #expect(try await DeleteAccount(bench.ports).finish(fence: fence) == 1)
            #expect(try await account(id, bench).status == .deleted)
            #expect(try await account(id, bench).deletedAt == deleted.at)
            #expect(try await bench.violations() == [])
            #expect(try await DeleteAccount(bench.ports).finish(fence: fence) == 0)
            let stale = JobFence(job: "hold-expire", fencingToken: -1)
            await #expect(throws: StoreError.self) {
                try await DeleteAccount(bench.ports).finish(fence: stale)
            }
        }
    }
}

/// Orders and payments of who leaves.
@Suite struct DeleteBuyerTests {
    private let by = ActedBy(
        credential: "admin", person: "olga", reason: "asked by letter", correlationID: 7)

    private func refusal(_ buying: Buying) async -> Failure? {
        do {
            _ = try await DeleteAccount(buying.bench.ports).delete(buying.account, by: by)
            return nil
        } catch {
            return error as? Failure
        }
    }

    private func paidLate(_ order: Order, _ buying: Buying) throws -> RemoteTrade {
        var trade = try #require(buying.payments.trade(order.outTradeNumber))
        trade.state = .success
        trade.transactionID = "late"
        return trade
    }

    /// Lets an order's time run out and closes it.
    private func close(_ order: Order, _ buying: Buying) async throws {
        buying.bench.clock.advance(
            milliseconds: buying.bench.ports.policy.orderLifetimeMilliseconds + 1)
        #expect(try await buying.follow.close(order, fence: nil) == .closed)
    }

    @Test func `An order that can still be paid keeps its account, a delivered one does not`()
        async throws
    {
        try await Buying.with { buying in
            let order = try await buying.order()
            let refusal = await refusal(buying)
            #expect(refusal?.code == .conflict)
            #expect(refusal?.message.contains(order.id.description) == true)
            _ = try await buying.book.book(buying.notification(of: buying.paid(order)))
            #expect(await self.refusal(buying) == nil)
            #expect(try await buying.state(of: order) == .delivered)
        }
    }

    @Test func `Money for a closed order of who left is in the books and an incident`() async throws
    {
        try await Buying.with { buying in
            let order = try await buying.order()
            try await close(order, buying)
            #expect(await refusal(buying) == nil)
            let late = try buying.notification(of: paidLate(order, buying))
            #expect(try await buying.book.book(late) == .undelivered(order.id))
            #expect(try await buying.book.book(late) == .incident("payment_mismatch"))
            #expect(try await buying.state(of: order) == .closed)
            #expect(try await buying.booked() == ["refunds": 100])
            #expect(try await buying.incidents() == ["undelivered"])
            let quota = try await AccountQueries(buying.bench.ports).quota(of: buying.account)
            #expect(quota.ledger.posted == 0)
            #expect(quota.lots == [])
        }
    }

    @Test func `Who was signed in a moment ago orders, binds and makes no key after they left`()
        async throws
    {
        try await Buying.with { buying in
            #expect(await refusal(buying) == nil)
            let ports = buying.bench.ports
            let order = await #expect(throws: Failure.self) { try await buying.order() }
            #expect(order?.code == .unauthenticated)
            let apiKey = await #expect(throws: Failure.self) {
                try await APIKeys(ports).create(APIKeys.Wish(name: "robot"), for: buying.account)
            }
            #expect(apiKey?.code == .unauthenticated)
            let own = await #expect(throws: Failure.self) {
                try await OwnKeys(
                    ports, catalogue: buying.bench.catalogue, vault: buying.bench.vault
                ).bind("sk-0123456789", to: "a", for: buying.account)
            }
            #expect(own?.code == .unauthenticated)
        }
    }
}
