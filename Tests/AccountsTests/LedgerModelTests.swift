import Accounts
import Testing
import TollgateKernel

#if canImport(Glibc)
    import Glibc
#endif

/// Random operations against the rules and against ``LedgerModel``: both agree after each.
///
/// `TOLLGATE_TEST_SEED` repeats a run, `TOLLGATE_TEST_HISTORIES=340` makes it 102,000 operations.
@Suite("The ledger against its model")
struct LedgerModelTests {
    @Test func randomOperationsKeepTheBooksAndAgreeWithTheModel() throws {
        let given = getenv("TOLLGATE_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 1...UInt64(UInt32.max))
        print("ledger model: TOLLGATE_TEST_SEED=\(seed)")
        let histories = getenv("TOLLGATE_TEST_HISTORIES").flatMap { Int(String(cString: $0)) } ?? 40
        var seen: [String: Int] = [:]
        // Forty histories of 300 operations: long enough to tangle, short enough to check whole.
        for history in 0..<histories {
            var run = try LedgerRun(seed: seed &+ UInt64(history))
            for step in 0..<300 {
                let operation = try run.step()
                seen[operation, default: 0] += 1
                if let problem = try run.problem() {
                    Issue.record(
                        "seed \(seed), history \(history), step \(step), \(operation): \(problem)")
                    return
                }
            }
            #expect(try run.chainsAreWhole(), "seed \(seed), history \(history)")
        }
        #expect(seen.values.reduce(0, +) == histories * 300)
        // A run that never reached a case would prove nothing about it.
        for operation in LedgerRun.operations {
            #expect(seen[operation, default: 0] > 0, "seed \(seed): no \(operation)")
        }
    }
}

/// One history: books and model side by side.
private struct LedgerRun {
    static let operations = [
        "grant", "grant again", "hold", "hold refused", "settle", "settle again",
        "settle after expiry", "release", "release again", "expire holds", "expire lots",
        "time forward", "time back",
    ]

    private let books = InMemoryBooks()
    private let ledger: Ledger
    private var model = LedgerModel()
    private var numbers: SeededNumbers
    private let accounts = (1...3).map { AccountID(rawValue: Int64($0) * 1_000_000) }
    private var holdIDs: [HoldID] = []
    private var now: Int64 = 1_700_000_000_000
    private var grants = 0
    private var keys = 0
    private var ended: [HoldID: Hold] = [:]
    private var readTransfers = 0
    private var readded: [LedgerAccount: Int64] = [:]

    init(seed: UInt64) throws {
        numbers = SeededNumbers(seed: seed)
        ledger = Ledger(books, accounts: books, identifiers: CountingIdentifiers())
        for account in accounts {
            try books.insert(
                Account(
                    id: account, openIDDigest: [UInt8](account.description.utf8), status: .active,
                    isWhiteListed: false, openedAt: Timestamp(milliseconds: now)),
                openID: "o\(account)")
        }
    }

    private var moment: Timestamp { Timestamp(milliseconds: now) }

    private mutating func pick(_ range: ClosedRange<Int64>) -> Int64 {
        Int64.random(in: range, using: &numbers)
    }

    /// Makes one random operation on both sides; returns which.
    mutating func step() throws -> String {
        switch pick(0...99) {
        case 0..<15: return try grant()
        case 15..<45: return try hold()
        case 45..<70: return try settle()
        case 70..<80: return try release()
        case 80..<85:
            let limit = Int(pick(1...4))
            let done = try ledger.expireHolds(at: moment, limit: limit)
            model.expireHolds(at: now, limit: limit)
            #expect(done <= limit)
            return "expire holds"
        case 85..<90:
            let limit = Int(pick(1...4))
            let done = try ledger.expireLots(at: moment, limit: limit)
            model.expireLots(at: now, limit: limit)
            #expect(done <= limit)
            return "expire lots"
        case 90..<98:
            now += pick(1...40_000)
            return "time forward"
        default:
            now -= pick(1...20_000)
            return "time back"
        }
    }

    private mutating func grant() throws -> String {
        let place = Int(pick(0...2))
        let amount = pick(1...1_000)
        let expiresAt = pick(0...2) == 0 ? nil : now + pick(-1_000...60_000)
        let isRepeated = grants > 0 && pick(0...9) == 0
        if !isRepeated { grants += 1 }
        let isGift = pick(0...1) == 0
        let done = try ledger.grant(
            Credits(micro: amount), to: accounts[place], kind: .adjustment,
            from: isGift ? .promotion : .issued, key: "grant:\(grants)", origin: .adjustment,
            order: nil, reference: "", expiresAt: expiresAt.map { Timestamp(milliseconds: $0) },
            at: moment)
        #expect(done != isRepeated)
        guard !isRepeated else { return "grant again" }
        model.grant(
            amount, to: place, expiresAt: expiresAt, from: isGift ? .promotion : .issued)
        return "grant"
    }

    private mutating func hold() throws -> String {
        let place = Int(pick(0...2))
        let source: Hold.Source = [.credits, .credits, .credits, .trial, .promotion][
            Int(pick(0...4))]
        let amount = pick(0...1_500)
        let expiresAt = now + pick(0...30_000)
        let day = ShanghaiDay(moment)
        let isModelled = model.hold(
            LedgerModel.HoldModel(
                account: place, source: source, amount: amount, day: day.number,
                expiresAt: expiresAt, parts: []),
            trialLimit: 4, at: now)
        keys += 1
        let before = books.writes
        do {
            let hold = try ledger.hold(
                HoldRequest(
                    account: accounts[place], requestID: IdempotencyKey(rawValue: "r\(keys)"),
                    requestHash: [UInt8](repeating: 1, count: 32), source: source,
                    amount: Credits(micro: amount), trialDay: source == .trial ? day : nil,
                    trialLimit: 4, expiresAt: Timestamp(milliseconds: expiresAt)),
                at: moment)
            #expect(isModelled, "held what the model refuses")
            holdIDs.append(hold.id)
            return "hold"
        } catch let failure as Failure {
            #expect(!isModelled && failure.code == .quotaExhausted && books.writes == before)
            return "hold refused"
        }
    }

    private mutating func settle() throws -> String {
        guard let place = holdIDs.indices.randomElement(using: &numbers) else { return "nothing" }
        let amount = model.holds[place].amount
        let price = [0, pick(0...max(0, amount)), amount, amount + pick(1...500)][
            Int(pick(0...3))]
        let state = model.holds[place].state
        let charged = model.settle(place, price: price, at: now)
        let outcome = try ledger.settle(holdIDs[place], price: Credits(micro: price), at: moment)
        #expect(outcome.wasOpen == (state == .held))
        if outcome.wasOpen { #expect(outcome.charged == Credits(micro: charged)) }
        try expectBalance(outcome, of: place)
        return state == .held
            ? "settle" : state == .expired ? "settle after expiry" : "settle again"
    }

    private mutating func release() throws -> String {
        guard let place = holdIDs.indices.randomElement(using: &numbers) else { return "nothing" }
        let isOpen = model.holds[place].state == .held
        let state: Hold.State = pick(0...1) == 0 ? .released : .expired
        model.release(place, as: state, at: now)
        let outcome = try ledger.release(holdIDs[place], as: state, at: moment)
        #expect(outcome.wasOpen == isOpen)
        try expectBalance(outcome, of: place)
        return isOpen ? "release" : "release again"
    }

    private func expectBalance(_ outcome: HoldOutcome, of place: Int) throws {
        let account = model.holds[place].account
        #expect(outcome.balance.micro == model.posted(account) - model.held(account))
        #expect(outcome.state == model.holds[place].state)
    }

    /// What is wrong with the books now; nil if nothing is.
    mutating func problem() throws -> String? {
        for row in books.transfers[readTransfers...] {
            let transfer = row.transfer
            guard transfer.unit == .microCredits else { return "a transfer in another unit" }
            readded[transfer.from, default: 0] -= transfer.amount
            readded[transfer.to, default: 0] += transfer.amount
        }
        readTransfers = books.transfers.count
        guard readded.values.reduce(0, +) == 0 else { return "the transfers do not add up to zero" }
        for account in SystemAccount.allCases
        where readded[.system(account), default: 0] != model.system[account, default: 0] {
            return "\(account) has \(readded[.system(account), default: 0]), the model "
                + "\(model.system[account, default: 0])"
        }
        for place in accounts.indices {
            if let problem = problem(ofAccount: place) { return problem }
        }
        return problemOfHolds()
    }

    private func problem(ofAccount place: Int) -> String? {
        let account = accounts[place]
        guard let ledger = books.ledgers[account] else { return "no ledger" }
        let lots = books.lots.values.filter { $0.account == account }
        let open = books.holds.values.filter { $0.account == account && $0.state == .held }
        let credits = open.filter { $0.source == .credits }
        let reserved = credits.flatMap { books.holdReservations[$0.id] ?? [] }
        let heldInLots = lots.reduce(0) { $0 + $1.held }
        let posted = ledger.posted
        if posted != lots.reduce(0, { $0 + $1.remaining }) { return "posted is not the lots' sum" }
        if posted != readded[.customer(account), default: 0] { return "posted is not re-added" }
        if ledger.held != heldInLots { return "held is not the lots' sum" }
        if ledger.held != credits.reduce(0, { $0 + $1.amount.micro }) {
            return "held is not the open holds' sum"
        }
        if ledger.held != reserved.reduce(0, { $0 + $1.amount }) {
            return "held is not the reservations' sum"
        }
        if ledger.held < 0 || posted < ledger.held { return "a negative balance" }
        if posted != model.posted(place) { return "posted \(posted), model \(model.posted(place))" }
        if ledger.held != model.held(place) {
            return "held \(ledger.held), model \(model.held(place))"
        }
        for (key, used) in model.trialUsed where key[0] == Int64(place) {
            let day = ShanghaiDay(number: key[1])
            if books.trialDay(of: account, on: day).used != used { return "trial of \(day)" }
        }
        return nil
    }

    private mutating func problemOfHolds() -> String? {
        for (place, id) in holdIDs.enumerated() {
            guard let hold = books.holds[id] else { return "a hold vanished" }
            if hold.state != model.holds[place].state { return "hold \(place) is \(hold.state)" }
            if hold.state == .held { continue }
            if let first = ended[id], first != hold { return "hold \(place) ended twice" }
            if hold.settled > hold.amount { return "hold \(place) settled above its amount" }
            ended[id] = hold
        }
        return nil
    }

    /// Whether every customer's transfers are one unbroken chain that ends at its balance row.
    func chainsAreWhole() throws -> Bool {
        for account in accounts {
            var previous = LedgerChain.origin
            var sequence: Int64 = 0
            for entry in books.entries(of: account, before: nil, limit: .max).reversed() {
                sequence += 1
                let hash = try LedgerChain.hash(
                    previous: previous, transfer: entry.transfer, sequence: sequence,
                    postedAfter: entry.link.postedAfter)
                guard entry.link.hash == hash, entry.link.sequence == sequence else { return false }
                previous = hash
            }
            guard let ledger = books.ledgers[account], ledger.chainHash == previous,
                ledger.sequence == sequence
            else { return false }
        }
        return true
    }
}
