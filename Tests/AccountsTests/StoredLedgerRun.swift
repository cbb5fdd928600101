import Accounts
import Application
import Operations
import TestSupport
import TollgateKernel

/// One history over a store, between two transactions: what the next one goes on from.
///
/// A value: a transaction that the store runs again begins with the same.
struct StoredLedgerRun: Sendable {
    private let number: Int
    private let accounts: [AccountID]
    private(set) var model = LedgerModel()
    /// How often each kind of operation came.
    private(set) var seen: [String: Int] = [:]
    private var holdIDs: [HoldID] = []
    private var now: Int64 = 1_700_000_000_000
    private var lastGrant: (place: Int, amount: Int64, lifetime: Int64?, isGift: Bool)?
    private var grants = 0
    private var keys = 0
    private var lastID: Int64

    init(number: Int) {
        self.number = number
        lastID = Int64(number + 1) * 1_000_000_000
        accounts = (1...3).map { AccountID(rawValue: Int64(number * 3 + $0)) }
    }

    private var moment: Timestamp { Timestamp(milliseconds: now) }

    private func check(_ condition: Bool, _ sentence: @autoclosure () -> String) throws {
        guard condition else { throw Disagreement(description: sentence()) }
    }

    /// The same with its accounts made.
    func opened(_ tx: any Transaction) throws -> StoredLedgerRun {
        for account in accounts {
            var digest = [UInt8](repeating: 0, count: 32)
            for byte in 0..<8 {
                digest[byte] = UInt8(truncatingIfNeeded: account.rawValue >> Int64(8 * byte))
            }
            try tx.accounts.insert(
                Account(
                    id: account, openIDDigest: digest, status: .active, isWhiteListed: false,
                    openedAt: moment), openID: "o\(account)")
        }
        return self
    }

    /// The same after some operations, each compared with the model.
    func after(
        _ operations: ArraySlice<LedgerOperation>, _ tx: any Transaction
    ) throws -> StoredLedgerRun {
        var next = self
        let identifiers = Numbers(next.lastID)
        let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
        for operation in operations {
            let name = try next.apply(operation, ledger, tx)
            if name == "grant" { try tx.adminLog.insert(next.actOfLastGrant(identifiers.next())) }
            next.seen[name, default: 0] += 1
            do {
                try next.compare(tx)
            } catch {
                throw Disagreement(description: "\(name) (\(operation)): \(error)")
            }
        }
        next.lastID = identifiers.last
        return next
    }

    /// The same after everything has expired that can, so that no later history's sweep meets it.
    func closed(_ tx: any Transaction) throws -> StoredLedgerRun {
        var next = self
        next.now += 1_000_000_000
        let identifiers = Numbers(next.lastID)
        let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
        _ = try ledger.sweepHolds(in: tx.ledger, at: next.moment, limit: Limits.rowsInOneAnswer)
        next.model.expireHolds(at: next.now, limit: Limits.rowsInOneAnswer)
        _ = try ledger.sweepLots(in: tx.ledger, at: next.moment, limit: Limits.rowsInOneAnswer)
        next.model.expireLots(at: next.now, limit: Limits.rowsInOneAnswer)
        try next.compare(tx)
        return next
    }

    private final class Numbers: IdentifierGenerator, @unchecked Sendable {
        // Unchecked: one transaction's thread has it.
        private(set) var last: Int64
        init(_ last: Int64) { self.last = last }
        func next() -> Int64 {
            last += 1
            return last
        }
    }
}

extension StoredLedgerRun {
    private mutating func apply(
        _ operation: LedgerOperation, _ ledger: Ledger, _ tx: any Transaction
    ) throws -> String {
        switch operation {
        case .grant(let account, let amount, let lifetime, let isGift):
            grants += 1
            lastGrant = (account, amount, lifetime, isGift)
            try check(try grant(ledger), "a new grant was not made")
            model.grant(
                amount, to: account, expiresAt: lifetime.map { now + $0 },
                from: isGift ? .promotion : .issued)
            return "grant"
        case .grantAgain:
            guard lastGrant != nil else { return "nothing" }
            try check(try !grant(ledger), "a grant was made twice")
            return "grant again"
        case .hold(let account, let source, let amount, let lifetime):
            return try hold(account, source, amount, lifetime, ledger)
        case .settle(let hold, let price): return try settle(hold, price, ledger)
        case .release(let hold, let state): return try release(hold, state, ledger)
        case .expireHolds(let limit):
            _ = try ledger.sweepHolds(in: tx.ledger, at: moment, limit: limit)
            model.expireHolds(at: now, limit: limit)
            return "expire holds"
        case .expireLots(let limit):
            _ = try ledger.sweepLots(in: tx.ledger, at: moment, limit: limit)
            model.expireLots(at: now, limit: limit)
            return "expire lots"
        case .forfeit(let account, let limit):
            let modelled = model.forfeit(account, limit: limit)
            do {
                let done = try ledger.forfeit(from: accounts[account], limit: limit, at: moment)
                try check(done == modelled, "forfeited \(done) lots")
                return "forfeit"
            } catch let failure as Failure {
                try check(modelled == nil, "refused what the model forfeits: \(failure)")
                return "forfeit refused"
            }
        case .time(let step):
            now += step
            return step > 0 ? "time forward" : "time back"
        }
    }

    /// The last grant, under its own key.
    private func grant(_ ledger: Ledger) throws -> Bool {
        guard let lastGrant else { return false }
        return try ledger.grant(
            Credits(micro: lastGrant.amount), to: accounts[lastGrant.place], kind: .adjustment,
            from: lastGrant.isGift ? .promotion : .issued, key: keyOfLastGrant,
            origin: .adjustment, order: nil, reference: "",
            expiresAt: lastGrant.lifetime.map { Timestamp(milliseconds: now + $0) }, at: moment)
    }

    private var keyOfLastGrant: String { "grant:\(number):\(grants)" }

    /// The grants are adjustments, and none of these is without an operator's act.
    private func actOfLastGrant(_ number: Int64) -> AdminAct {
        AdminAct(
            id: AdminActID(rawValue: number), key: keyOfLastGrant, kind: .creditsAdjusted,
            by: ActedBy(
                credential: "admin", person: "ann", reason: "a test", correlationID: number),
            object: "", before: "", after: "", at: moment)
    }

    private mutating func hold(
        _ place: Int, _ source: Hold.Source, _ amount: Int64, _ lifetime: Int64, _ ledger: Ledger
    ) throws -> String {
        let expiresAt = now + lifetime
        let day = ShanghaiDay(moment)
        let isModelled = model.hold(
            LedgerModel.HoldModel(
                account: place, source: source, amount: amount, day: day.number,
                expiresAt: expiresAt, parts: []),
            trialLimit: 4, at: now)
        keys += 1
        do {
            let hold = try ledger.hold(
                HoldRequest(
                    account: accounts[place],
                    requestID: IdempotencyKey(rawValue: "r\(number)-\(keys)"),
                    requestHash: [UInt8](repeating: 1, count: 32), source: source,
                    amount: Credits(micro: amount), trialDay: source == .trial ? day : nil,
                    trialLimit: 4, expiresAt: Timestamp(milliseconds: expiresAt)),
                at: moment)
            try check(isModelled, "held what the model refuses")
            holdIDs.append(hold.id)
            return "hold"
        } catch let failure as Failure {
            try check(!isModelled, "refused what the model holds: \(failure)")
            try check(failure.code == .quotaExhausted, "refused for another reason: \(failure)")
            return "hold refused"
        }
    }

    private mutating func settle(
        _ number: Int, _ price: LedgerOperation.Price, _ ledger: Ledger
    ) throws -> String {
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
        try check(
            !outcome.wasOpen || outcome.charged == Credits(micro: charged),
            "charged \(outcome.charged.micro), the model \(charged)")
        return state == .held
            ? "settle" : state == .expired ? "settle after expiry" : "settle again"
    }

    private mutating func release(
        _ number: Int, _ state: Hold.State, _ ledger: Ledger
    ) throws -> String {
        guard !holdIDs.isEmpty else { return "nothing" }
        let place = number % holdIDs.count
        let isOpen = model.holds[place].state == .held
        model.release(place, as: state, at: now)
        let outcome = try ledger.release(holdIDs[place], as: state, at: moment)
        try check(outcome.wasOpen == isOpen, "a release found its hold open or not")
        return isOpen ? "release" : "release again"
    }

    /// Throws what is wrong with the rows of this history's accounts.
    private func compare(_ tx: any Transaction) throws {
        for (place, account) in accounts.enumerated() {
            guard let row = try tx.ledger.customerLedger(account) else {
                throw Disagreement(description: "no ledger")
            }
            let lots = try tx.ledger.openLots(of: account, limit: Limits.rowsInOneAnswer)
            let heldInLots = lots.reduce(0) { $0 + $1.held }
            let remaining = lots.reduce(0) { $0 + $1.remaining }
            try check(row.posted == model.posted(place), "posted \(row.posted)")
            try check(row.held == model.held(place), "held \(row.held)")
            try check(row.posted == remaining, "posted is not the lots' sum")
            try check(row.held == heldInLots, "held is not the lots' sum")
            for (key, used) in model.trialUsed where key[0] == Int64(place) {
                let day = ShanghaiDay(number: key[1])
                let stored = try tx.accounts.trialDay(of: account, on: day).used
                try check(stored == used, "trial of \(day)")
            }
        }
        // The few newest: what ended stays ended, as every tenth comparison proves of all.
        let first = keys.isMultiple(of: 10) ? 0 : max(0, holdIDs.count - 5)
        for place in first..<holdIDs.count {
            let hold = try tx.ledger.hold(holdIDs[place])
            try check(
                hold?.state == model.holds[place].state,
                "hold \(place): \(String(describing: hold))")
        }
    }
}
