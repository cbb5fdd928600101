import Accounts
import Application
import Auth
import Jobs
import Operations
import Orders
import Storage
import TestSupport
import Testing
import TollgateKernel

/// People who hold, settle, sign in and buy, and the jobs that clean up after them, while somebody
/// sets the clock; what each operation may come to is expected on the spot.
struct SteppedLife {
    private struct Code {
        let text: String
        let person: String
        let expiresAt: Timestamp
        let mark: SteppedClock.Mark
        var isRedeemed = false
        /// A person has one code: another one ends it.
        var isReplaced = false
    }

    private struct Session {
        let signedIn: SignIn.SignedIn
        let mark: SteppedClock.Mark
        var isOver = false
    }

    private struct Window: Hashable {
        let account: AccountID
        let minute: Int64
        let steps: Int
    }

    private static let hour: Int64 = 3_600_000
    private static let requestsPerMinute: Int64 = 12
    private static let jobNames = [
        "hold-expire", "metric-rollup", "order-close", "payment-reconcile",
    ]

    /// How often what happened; a run in which something never did has shown nothing.
    private(set) var tally: [String: Int] = [:]
    private(set) var clock: SteppedClock
    private var random: SeededNumbers
    private let jobs: JobsBench
    private let definitions: [JobDefinition]
    private var accounts: [AccountID] = []
    private var holds: [Hold] = []
    private var ended: [HoldID: Hold.State] = [:]
    private var revenue: Int64 = 0
    private var windows: [Window: Int64] = [:]
    private var codes: [Code] = []
    private var sessions: [Session] = []
    private var orders: [Order] = []
    private var tokens: [String: Set<Int64>] = [:]
    private var serial = 0

    init(_ jobs: JobsBench, seed: UInt64) async throws {
        self.jobs = jobs
        clock = SteppedClock(jobs.bench.clock)
        random = SeededNumbers(seed: seed)
        definitions = jobs.standard().filter { Self.jobNames.contains($0.name) }
        try await jobs.runner().register(definitions)
        for name in ["o_ann", "o_bob", "o_cui"] {
            accounts.append(try await jobs.bench.signIn(openID: name).session.account)
        }
    }

    /// One random operation; before it time goes by, and once in a while the clock is set.
    mutating func play() async throws {
        if Int.random(in: 0..<50, using: &random) == 0 {
            let hours = [-1, 1, 24, -24, -1, 1].randomElement(using: &random) ?? 1
            clock.step(milliseconds: Int64(hours) * Self.hour)
            count("steps")
        }
        clock.pass(milliseconds: Int64.random(in: 0...4_000, using: &random))
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<38: try await hold()
        case 38..<66: try await end()
        case 66..<74: try await runJob()
        case 74..<78: try await grant()
        case 78..<82: try await issueCode()
        case 82..<87: try await redeemCode()
        case 87..<91: try await useSession()
        case 91..<94: try await order()
        case 94..<97: try await pay()
        default: try await signOut()
        }
    }

    /// What has to be true whenever somebody looks.
    func judge() async throws {
        #expect(try await jobs.bench.violations() == [])
        for order in orders {
            let state = try await state(of: order)
            let isPaid = jobs.payments.trade(order.outTradeNumber)?.state == .success
            #expect(state != .closed || !isPaid, "a paid order was closed: \(order.outTradeNumber)")
        }
    }

    /// Lets all that is open come to its end, with a clock that goes as it should.
    mutating func finish() async throws {
        // What began while the clock was ahead ends when it gets there again, not before.
        let behind = clock.latest.milliseconds - clock.now.milliseconds
        for round in 0..<100 {
            clock.pass(milliseconds: round < 20 ? behind / 20 : Self.hour)
            for name in Self.jobNames { _ = try await runs(name) }
        }
        try await judge()
        for hold in holds {
            let state = try await jobs.bench.store.read { tx in try tx.ledger.hold(hold.id)?.state }
            #expect(state != .held, "hold \(hold.id) never ended")
            #expect(state == ended[hold.id] ?? .expired, "hold \(hold.id) ended otherwise")
        }
        for order in orders {
            let isPaid = jobs.payments.trade(order.outTradeNumber)?.state == .success
            #expect(try await state(of: order) == (isPaid ? .delivered : .closed))
        }
        let (credits, moments) = try await books()
        #expect(credits == revenue, "what was charged is what was told")
        #expect(moments.allSatisfy { $0 == $0.sorted() }, "a history runs backwards")
    }

    private func books() async throws -> (revenue: Int64, moments: [[Timestamp]]) {
        let accounts = accounts
        return try await jobs.bench.store.read { tx in
            let revenue = try tx.ledger.systemBalances(in: .microCredits)[.revenue] ?? 0
            let moments = try accounts.map { account in
                try tx.ledger.history(after: account, sequence: 0, limit: 100_000)
                    .map(\.transfer)
                    .filter { [$0.from, $0.to].contains(.customer(account)) }.map(\.at)
            }
            return (revenue, moments)
        }
    }
}

extension SteppedLife {
    private mutating func count(_ what: String) { tally[what, default: 0] += 1 }

    private mutating func number() -> Int {
        serial += 1
        return serial
    }

    private mutating func someone() -> AccountID {
        accounts[Int.random(in: 0..<accounts.count, using: &random)]
    }

    private func state(of order: Order) async throws -> OrderState? {
        try await jobs.bench.store.read { tx in try tx.orders.order(order.id) }?.state
    }

    private func inLedger<Value: Sendable>(
        _ body: @escaping @Sendable (Ledger) throws -> Value
    ) async throws -> Value {
        let identifiers = jobs.bench.ports.identifiers
        return try await jobs.bench.store.write { tx in
            try body(Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers))
        }
    }

    private mutating func hold() async throws {
        let account = someone()
        do {
            try await hold(of: account)
        } catch let failure as Failure where failure.code == .rateLimited {
            let wait = try #require(failure.retryAfterMilliseconds)
            #expect(wait <= 120_000, "a step must not lock anybody out: \(failure)")
            count("rate limited")
            guard failure.message.contains("a minute") else { return }
            // Who waits as told gets through.
            clock.pass(milliseconds: wait)
            do {
                try await hold(of: account)
            } catch let failure as Failure where failure.code == .quotaExhausted {
                count("exhausted")
            }
        } catch let failure as Failure where failure.code == .quotaExhausted {
            count("exhausted")
        }
    }

    private mutating func hold(of account: AccountID) async throws {
        let now = clock.now
        let request = HoldRequest(
            account: account, requestID: IdempotencyKey(rawValue: "r\(number())"),
            requestHash: [UInt8](repeating: 1, count: 32), source: .credits,
            amount: Credits(micro: Int64.random(in: 1...2_000_000, using: &random)), trialDay: nil,
            trialLimit: 0,
            expiresAt: now.adding(milliseconds: Int64.random(in: 1_000...600_000, using: &random)),
            limits: CallLimits(
                requestsPerMinute: Self.requestsPerMinute, concurrentChats: 40))
        let hold = try await inLedger { try $0.hold(request, at: now) }
        holds.append(hold)
        count("holds")
        let window = Window(account: account, minute: now.seconds / 60, steps: clock.steps)
        windows[window, default: 0] += 1
        #expect(
            windows[window, default: 0] <= Self.requestsPerMinute, "beyond the limit of a minute")
    }

    private mutating func end() async throws {
        guard !holds.isEmpty else { return }
        // Mostly one of the newest, which is open yet; else one that may have ended long ago.
        let range = Int.random(in: 0..<4, using: &random) > 0 ? max(0, holds.count - 12) : 0
        let hold = holds[Int.random(in: range..<holds.count, using: &random)]
        let now = clock.now
        let isSettled = Int.random(in: 0..<4, using: &random) > 0
        let price = Credits(micro: Int64.random(in: 0...500_000, using: &random))
        let outcome = try await inLedger { ledger in
            try isSettled
                ? ledger.settle(hold.id, price: price, at: now)
                : ledger.release(hold.id, as: .released, at: now)
        }
        if outcome.wasOpen {
            #expect(ended[hold.id] == nil, "hold \(hold.id) ended twice")
            ended[hold.id] = outcome.state
            revenue += outcome.charged.micro
            count(outcome.state.rawValue)
        } else {
            // What the model has not ended, the sweeper has.
            #expect(outcome.state == ended[hold.id] ?? .expired)
            ended[hold.id] = outcome.state
            count("ended before")
        }
        revenue += outcome.writtenOff.micro
        #expect(outcome.balance >= .zero, "a negative balance")
    }

    private mutating func grant() async throws {
        let lives = [nil, Self.hour, 2 * Self.hour, 24 * Self.hour]
        let life = lives[Int.random(in: 0..<lives.count, using: &random)]
        let now = clock.now
        _ = try await Administration(jobs.bench.ports).adjust(
            someone(), by: Credits(micro: Int64.random(in: 1...4_000_000, using: &random)),
            requestID: IdempotencyKey(rawValue: "g\(number())"),
            expiresAt: life.map { now.adding(milliseconds: $0) },
            ActedBy(credential: "tests", person: "Ann", reason: "a gift", correlationID: 1))
        count("grants")
    }

    private mutating func runJob() async throws {
        let name = Self.jobNames[Int.random(in: 0..<Self.jobNames.count, using: &random)]
        if try await runs(name) { count("runs") }
    }

    /// What two schedulers do about a job: the one that takes the lease runs it.
    private mutating func runs(_ name: String) async throws -> Bool {
        let definition = try #require(definitions.first { $0.name == name })
        var record = try await jobs.record(name)
        if let corrected = definition.schedule.corrected(due: record.nextDueAt, now: clock.now) {
            try await jobs.runner().move(record, to: corrected)
            record = try await jobs.record(name)
            count("schedules put right")
        }
        let interval = definition.schedule.intervalMilliseconds
        #expect(
            record.nextDueAt.milliseconds - clock.now.milliseconds <= 2 * interval,
            "\(name) waits for a moment that a step left behind")
        guard record.nextDueAt <= clock.now else { return false }
        let (first, second) = (jobs.runner("a"), jobs.runner("b"))
        async let one = first.run(definition, seen: record)
        async let other = second.run(definition, seen: record)
        let ran = try await [one, other].compactMap(\.self)
        #expect(ran.count == 1, "a lease belongs to one")
        for run in ran {
            #expect(run.state == .succeeded, "\(run.summary)")
            let isNew = tokens[name, default: []].insert(run.fencingToken).inserted
            #expect(isNew, "fencing number \(run.fencingToken) of \(name) was given twice")
        }
        return true
    }
}

extension SteppedLife {
    private mutating func issueCode() async throws {
        let ports = jobs.bench.ports
        let person = ["o_ann", "o_bob", "o_cui"].randomElement(using: &random) ?? "o_ann"
        let text = try ports.identityKey.deriveLoginCode(
            pushKey: "push-\(number())", openID: person, attempt: 0)
        let now = clock.now
        let code = LoginCode(
            digest: try ports.identityKey.loginCodeDigest(text), openID: person,
            expiresAt: now.adding(milliseconds: Limits.loginCodeMilliseconds))
        guard try await ports.store.write({ tx in try tx.auth.insert(code, now: now) }) else {
            return
        }
        for place in codes.indices where codes[place].person == person {
            codes[place].isReplaced = true
        }
        codes.append(
            Code(
                text: text.printed, person: person, expiresAt: code.expiresAt, mark: clock.mark()))
        if codes.count > 20 { codes.removeFirst() }
        count("codes")
    }

    private mutating func redeemCode() async throws {
        guard !codes.isEmpty else { return }
        let place = Int.random(in: 0..<codes.count, using: &random)
        let code = codes[place]
        do {
            let signedIn = try await SignIn(jobs.bench.ports).signIn(
                typed: code.text, source: "source-\(number())", device: "test")
            #expect(!code.isRedeemed, "a code was redeemed twice")
            #expect(!code.isReplaced, "a code outlived the person's next one")
            #expect(
                clock.elapsed(since: code.mark)
                    < Limits.loginCodeMilliseconds + clock.setBack(since: code.mark),
                "a code lived longer than its bound and the steps")
            codes[place].isRedeemed = true
            sessions.append(Session(signedIn: signedIn, mark: clock.mark()))
            if sessions.count > 12 { sessions.removeFirst() }
            count("redeemed")
        } catch let failure as Failure where failure.code == .unauthenticated {
            #expect(
                code.isRedeemed || code.isReplaced
                    || clock.peak(since: code.mark) >= code.expiresAt,
                "a live code was refused")
            count("refused codes")
        }
    }

    private mutating func useSession() async throws {
        guard let session = sessions.randomElement(using: &random) else { return }
        do {
            _ = try await Callers(jobs.bench.ports).whoIs(.session(session.signedIn.token))
            #expect(!session.isOver, "a session that was ended still works")
            #expect(
                clock.elapsed(since: session.mark)
                    < Limits.loginSessionMilliseconds + clock.setBack(since: session.mark))
            count("sessions used")
        } catch let failure as Failure where failure.code == .unauthenticated {
            count("sessions over")
        }
    }

    private mutating func signOut() async throws {
        guard !sessions.isEmpty else { return }
        let place = Int.random(in: 0..<sessions.count, using: &random)
        try await SignIn(jobs.bench.ports).signOut(sessions[place].signedIn.token)
        sessions[place].isOver = true
        count("signed out")
    }

    private mutating func order() async throws {
        let placing = PlaceOrder(jobs.bench.ports, payments: jobs.payments)
        do {
            orders.append(
                try await placing.place(
                    product: ProductKey(rawValue: "starter"), for: someone(),
                    idempotencyKey: IdempotencyKey(rawValue: "o\(number())")))
            count("orders")
        } catch let failure as Failure where failure.code == .conflict {
            // Ten that nobody has paid.
            count("orders refused")
        } catch let failure as Failure where failure.code == .rateLimited {
            // A day's bound of those that nobody paid: however the clock was set, a day is enough.
            let wait = try #require(failure.retryAfterMilliseconds)
            #expect(
                wait <= Limits.unpaidOrdersSpanMilliseconds + Limits.storeClockRefusedMilliseconds,
                "a step must not keep anybody from buying: \(failure)")
            count("orders of a day refused")
        }
    }

    /// The customer pays, if WeChat still lets them; every other time nobody tells us.
    private mutating func pay() async throws {
        guard let order = orders.suffix(6).randomElement(using: &random),
            let trade = jobs.payments.pay(order.outTradeNumber)
        else { return }
        count("paid")
        guard Bool.random(using: &random) else { return }
        let verdict = try await BookPayment(jobs.bench.ports).book(queried: trade)
        #expect(verdict == .delivered(order.id), "\(verdict)")
    }
}
