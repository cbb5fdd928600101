import Accounts
import TestSupport
import TollgateKernel

/// One operation of a history: it names what it is about by numbers that fit any history, so that
/// it still means something when others before it are left out.
enum LedgerOperation: Hashable, Sendable {
    /// What a settlement costs, beside what the hold reserved.
    enum Price: Hashable, Sendable {
        case nothing
        case part(permille: Int64)
        case all
        case more(Int64)
    }

    case grant(account: Int, amount: Int64, lifetime: Int64?, isGift: Bool)
    case grantAgain
    case hold(account: Int, source: Hold.Source, amount: Int64, lifetime: Int64)
    case settle(hold: Int, price: Price)
    case release(hold: Int, state: Hold.State)
    case expireHolds(limit: Int)
    case expireLots(limit: Int)
    case forfeit(account: Int, limit: Int)
    case time(Int64)

    /// Draws one.
    ///
    /// - Parameter leaving: whether people leave. Histories in which they do tangle less: what they
    ///   had is gone.
    static func random(_ numbers: inout SeededNumbers, leaving: Bool) -> LedgerOperation {
        func pick(_ range: ClosedRange<Int64>) -> Int64 {
            Int64.random(in: range, using: &numbers)
        }
        let account = Int(pick(0...2))
        switch pick(0...99) {
        case 0..<2: return .grantAgain
        case 2..<15:
            return .grant(
                account: account, amount: pick(1...1_000),
                lifetime: pick(0...2) == 0 ? nil : pick(-1_000...60_000), isGift: pick(0...1) == 0)
        case 15..<45:
            let sources: [Hold.Source] = [.credits, .credits, .credits, .trial, .promotion]
            return .hold(
                account: account, source: sources[Int(pick(0...4))], amount: pick(0...1_500),
                lifetime: pick(0...30_000))
        case 45..<70:
            let prices: [Price] = [
                .nothing, .part(permille: pick(0...1_000)), .all, .more(pick(1...500)),
            ]
            return .settle(hold: Int(pick(0...9_999)), price: prices[Int(pick(0...3))])
        case 70..<80:
            return .release(
                hold: Int(pick(0...9_999)), state: pick(0...1) == 0 ? .released : .expired)
        case 80..<85: return .expireHolds(limit: Int(pick(1...4)))
        case 85 where leaving: return .forfeit(account: account, limit: Int(pick(1...4)))
        case 85..<90: return .expireLots(limit: Int(pick(1...4)))
        case 90..<98: return .time(pick(1...40_000))
        default: return .time(-pick(1...20_000))
        }
    }

    /// The same with smaller numbers, the smallest first.
    var smaller: [LedgerOperation] {
        switch self {
        case .grant(let account, let amount, let lifetime, let isGift):
            smallerNumbers(than: amount, downTo: 1).map {
                .grant(account: account, amount: $0, lifetime: lifetime, isGift: isGift)
            }
                + smallerNumbers(than: lifetime ?? 0, downTo: 0).map {
                    .grant(account: account, amount: amount, lifetime: $0, isGift: isGift)
                }
                + (account > 0
                    ? [.grant(account: 0, amount: amount, lifetime: lifetime, isGift: isGift)] : [])
        case .hold(let account, let source, let amount, let lifetime):
            smallerNumbers(than: amount, downTo: 0).map {
                .hold(account: account, source: source, amount: $0, lifetime: lifetime)
            }
                + smallerNumbers(than: lifetime, downTo: 0).map {
                    .hold(account: account, source: source, amount: amount, lifetime: $0)
                }
                + (account > 0
                    ? [.hold(account: 0, source: source, amount: amount, lifetime: lifetime)] : [])
        case .settle(let hold, let price):
            smallerNumbers(than: Int64(hold), downTo: 0).map {
                .settle(hold: Int($0), price: price)
            } + (price == .nothing ? [] : [.settle(hold: hold, price: .nothing)])
        case .release(let hold, let state):
            smallerNumbers(than: Int64(hold), downTo: 0).map {
                .release(hold: Int($0), state: state)
            }
        case .time(let step):
            smallerNumbers(than: step, downTo: 1).map { .time($0) }
        case .forfeit(let account, let limit):
            account > 0 ? [.forfeit(account: 0, limit: limit)] : []
        case .grantAgain, .expireHolds, .expireLots: []
        }
    }
}

/// Books and model do not agree, or a rule was broken.
struct Disagreement: Error, CustomStringConvertible {
    let description: String
}

/// One history: books and model side by side.
struct LedgerRun {
    static let operations = [
        "grant", "grant again", "hold", "hold refused", "settle", "settle again",
        "settle after expiry", "release", "release again", "expire holds", "expire lots",
        "forfeit", "forfeit refused", "time forward", "time back",
    ]

    /// What is wrong with a history, after how many of its operations; nil if nothing is.
    static func fault(
        of operations: [LedgerOperation], model: LedgerModel = LedgerModel(),
        seen: inout [String: Int]
    ) -> (step: Int, problem: String)? {
        var step = 0
        do {
            var run = try LedgerRun(model: model)
            for operation in operations {
                let name = try run.apply(operation)
                seen[name, default: 0] += 1
                if let problem = try run.problem() {
                    return (step, "\(name): \(problem)")
                }
                step += 1
            }
            return try run.chainsAreWhole() ? nil : (step, "a chain is broken")
        } catch {
            return (step, "\(error)")
        }
    }

    private let books = InMemoryBooks()
    private let ledger: Ledger
    private var model: LedgerModel
    private let accounts = (1...3).map { AccountID(rawValue: Int64($0) * 1_000_000) }
    private var holdIDs: [HoldID] = []
    private var now: Int64 = 1_700_000_000_000
    private var lastGrant: (place: Int, amount: Int64, lifetime: Int64?, isGift: Bool)?
    private var grants = 0
    private var keys = 0
    private var ended: [HoldID: Hold] = [:]
    private var readTransfers = 0
    private var readded: [LedgerAccount: Int64] = [:]

    private init(model: LedgerModel) throws {
        self.model = model
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

    private func check(_ condition: Bool, _ sentence: String) throws(Disagreement) {
        guard condition else { throw Disagreement(description: sentence) }
    }

    /// Makes one operation on both sides; returns what it came to.
    private mutating func apply(_ operation: LedgerOperation) throws -> String {
        switch operation {
        case .grant(let account, let amount, let lifetime, let isGift):
            grants += 1
            lastGrant = (account, amount, lifetime, isGift)
            try check(grant(), "a new grant was not made")
            model.grant(
                amount, to: account, expiresAt: lifetime.map { now + $0 },
                from: isGift ? .promotion : .issued)
            return "grant"
        case .grantAgain:
            guard lastGrant != nil else { return "nothing" }
            try check(try !grant(), "a grant was made twice")
            return "grant again"
        case .hold(let account, let source, let amount, let lifetime):
            return try hold(account, source, amount, lifetime)
        case .settle(let hold, let price): return try settle(hold, price)
        case .release(let hold, let state): return try release(hold, state)
        case .expireHolds(let limit):
            let done = try ledger.sweepHolds(in: books, at: moment, limit: limit)
            model.expireHolds(at: now, limit: limit)
            try check(done <= limit, "more holds than the limit")
            return "expire holds"
        case .expireLots(let limit):
            let done = try ledger.sweepLots(in: books, at: moment, limit: limit)
            model.expireLots(at: now, limit: limit)
            try check(done <= limit, "more lots than the limit")
            return "expire lots"
        case .forfeit(let account, let limit): return try forfeit(account, limit)
        case .time(let step):
            now += step
            return step > 0 ? "time forward" : "time back"
        }
    }

    /// The last grant, under its own key.
    private func grant() throws -> Bool {
        guard let lastGrant else { return false }
        return try ledger.grant(
            Credits(micro: lastGrant.amount), to: accounts[lastGrant.place], kind: .adjustment,
            from: lastGrant.isGift ? .promotion : .issued, key: "grant:\(grants)",
            origin: .adjustment, order: nil, reference: "",
            expiresAt: lastGrant.lifetime.map { Timestamp(milliseconds: now + $0) }, at: moment)
    }

    private mutating func hold(
        _ place: Int, _ source: Hold.Source, _ amount: Int64, _ lifetime: Int64
    ) throws -> String {
        let expiresAt = now + lifetime
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
            try check(isModelled, "held what the model refuses")
            holdIDs.append(hold.id)
            return "hold"
        } catch let failure as Failure {
            try check(!isModelled, "refused what the model holds: \(failure)")
            try check(failure.code == .quotaExhausted, "a refusal for another reason: \(failure)")
            try check(books.writes == before, "a refusal has written something")
            return "hold refused"
        }
    }

    private mutating func settle(_ number: Int, _ price: LedgerOperation.Price) throws -> String {
        guard !holdIDs.isEmpty else { return "nothing" }
        let place = number % holdIDs.count
        let amount = model.holds[place].amount
        let micro =
            switch price {
            case .nothing: Int64(0)
            case .part(let permille): amount * permille / 1_000
            case .all: amount
            case .more(let more): amount + more
            }
        let state = model.holds[place].state
        let charged = model.settle(place, price: micro, at: now)
        let outcome = try ledger.settle(holdIDs[place], price: Credits(micro: micro), at: moment)
        try check(outcome.wasOpen == (state == .held), "a settlement of \(state) was open or not")
        if outcome.wasOpen {
            try check(
                outcome.charged == Credits(micro: charged),
                "charged \(outcome.charged.micro), the model \(charged)")
        }
        try checkBalance(outcome, of: place)
        return state == .held
            ? "settle" : state == .expired ? "settle after expiry" : "settle again"
    }

    private mutating func forfeit(_ place: Int, _ limit: Int) throws -> String {
        let modelled = model.forfeit(place, limit: limit)
        let before = books.writes
        do {
            let done = try ledger.forfeit(from: accounts[place], limit: limit, at: moment)
            try check(done == modelled, "forfeited \(done) lots, the model \(modelled ?? -1)")
            return "forfeit"
        } catch let failure as Failure {
            try check(modelled == nil, "refused what the model forfeits: \(failure)")
            try check(books.writes == before, "a refusal has written something")
            return "forfeit refused"
        }
    }

    private mutating func release(_ number: Int, _ state: Hold.State) throws -> String {
        guard !holdIDs.isEmpty else { return "nothing" }
        let place = number % holdIDs.count
        let isOpen = model.holds[place].state == .held
        model.release(place, as: state, at: now)
        let outcome = try ledger.release(holdIDs[place], as: state, at: moment)
        try check(outcome.wasOpen == isOpen, "a release found its hold open or not")
        try checkBalance(outcome, of: place)
        return isOpen ? "release" : "release again"
    }

    private func checkBalance(_ outcome: HoldOutcome, of place: Int) throws {
        let account = model.holds[place].account
        let balance = model.posted(account) - model.held(account)
        try check(
            outcome.balance.micro == balance,
            "the balance told is \(outcome.balance.micro), the model's \(balance)")
        try check(
            outcome.state == model.holds[place].state,
            "the state told is \(outcome.state), the model's \(model.holds[place].state)")
    }

    /// What is wrong with the books now; nil if nothing is.
    private mutating func problem() throws -> String? {
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
    private func chainsAreWhole() throws -> Bool {
        for account in accounts {
            var previous = LedgerChain.origin
            var sequence: Int64 = 0
            for entry in books.entries(of: account, after: 0, before: nil, limit: .max).reversed() {
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
