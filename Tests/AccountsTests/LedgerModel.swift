import Accounts
import TollgateKernel

/// What the books should say, worked out without transfers, rows or keys: lots have free parts,
/// open holds have parts of lots, and five numbers count what left or came.
struct LedgerModel {
    struct LotModel {
        var account: Int
        var free: Int64
        var expiresAt: Int64?
    }

    struct HoldModel {
        var account: Int
        var source: Hold.Source
        var amount: Int64
        var day: Int64
        var expiresAt: Int64
        /// Reserved of which lot, by its place.
        var parts: [(lot: Int, amount: Int64)]
        var state = Hold.State.held
        var isLateSettled = false
    }

    /// A mistake that a test of the tests puts into the model.
    enum Plant: Hashable, Sendable {
        case expiredPartsComeBack
        case overrunIsForgotten
        case trialsHaveNoLimit
    }

    var plant: Plant?
    var lots: [LotModel] = []
    var holds: [HoldModel] = []
    var trialUsed: [[Int64]: Int64] = [:]
    var system: [SystemAccount: Int64] = [:]

    func posted(_ account: Int) -> Int64 {
        held(account) + lots.reduce(0) { $0 + ($1.account == account ? $1.free : 0) }
    }

    func held(_ account: Int) -> Int64 {
        holds.reduce(0) { sum, hold in
            guard hold.account == account, hold.state == .held else { return sum }
            return sum + hold.parts.reduce(0) { $0 + $1.amount }
        }
    }

    private func isExpired(_ lot: Int, at now: Int64) -> Bool {
        lots[lot].expiresAt.map { $0 <= now } ?? false
    }

    /// Places of lots by expiry, then age.
    private func sorted(_ places: some Sequence<Int>) -> [Int] {
        places.sorted { left, right in
            let leftEnd = lots[left].expiresAt ?? .max
            let rightEnd = lots[right].expiresAt ?? .max
            return leftEnd == rightEnd ? left < right : leftEnd < rightEnd
        }
    }

    mutating func grant(_ amount: Int64, to account: Int, expiresAt: Int64?, from: SystemAccount) {
        lots.append(LotModel(account: account, free: amount, expiresAt: expiresAt))
        system[from, default: 0] -= amount
    }

    /// Adds the hold and says true, or says false if it has to be refused.
    mutating func hold(_ hold: HoldModel, trialLimit: Int64, at now: Int64) -> Bool {
        var hold = hold
        switch hold.source {
        case .promotion, .ownKey: break
        case .trial:
            let key = [Int64(hold.account), hold.day]
            guard trialUsed[key, default: 0] < trialLimit || plant == .trialsHaveNoLimit else {
                return false
            }
            trialUsed[key, default: 0] += 1
        case .credits:
            let usable = sorted(
                lots.indices.filter {
                    lots[$0].account == hold.account && lots[$0].free > 0
                        && !isExpired($0, at: now)
                }
            ).prefix(Limits.lotsOfOneHold)
            guard usable.reduce(0, { $0 + lots[$1].free }) >= hold.amount else { return false }
            var missing = hold.amount
            for lot in usable where missing > 0 {
                let part = min(missing, lots[lot].free)
                lots[lot].free -= part
                missing -= part
                hold.parts.append((lot: lot, amount: part))
            }
        }
        holds.append(hold)
        return true
    }

    /// What the customer pays.
    mutating func settle(_ place: Int, price: Int64, at now: Int64) -> Int64 {
        let hold = holds[place]
        guard hold.state == .held else {
            if hold.state == .expired, price > 0, !hold.isLateSettled {
                holds[place].isLateSettled = true
                system[.writtenOff, default: 0] -= price
                system[.revenue, default: 0] += price
            }
            return 0
        }
        let covered = min(price, hold.amount)
        system[.revenue, default: 0] += price
        if plant != .overrunIsForgotten { system[.writtenOff, default: 0] -= price - covered }
        if hold.source != .credits { system[.promotion, default: 0] -= covered }
        giveBack(place, paying: hold.source == .credits ? covered : 0, at: now)
        holds[place].state = .settled
        return hold.source == .credits ? covered : 0
    }

    mutating func release(_ place: Int, as state: Hold.State, at now: Int64) {
        guard holds[place].state == .held else { return }
        if holds[place].source == .trial {
            trialUsed[[Int64(holds[place].account), holds[place].day], default: 0] -= 1
        }
        giveBack(place, paying: 0, at: now)
        holds[place].state = state
    }

    private mutating func giveBack(_ place: Int, paying: Int64, at now: Int64) {
        var unpaid = paying
        for part in holds[place].parts {
            let taken = min(unpaid, part.amount)
            unpaid -= taken
            if isExpired(part.lot, at: now), plant != .expiredPartsComeBack {
                system[.expired, default: 0] += part.amount - taken
            } else {
                lots[part.lot].free += part.amount - taken
            }
        }
    }

    /// How many lots are emptied, or nil while a call of the account is under way.
    mutating func forfeit(_ account: Int, limit: Int) -> Int? {
        guard !holds.contains(where: { $0.account == account && $0.state == .held }) else {
            return nil
        }
        let left = sorted(
            lots.indices.filter { lots[$0].account == account && lots[$0].free > 0 }
        ).prefix(limit)
        for lot in left {
            system[.expired, default: 0] += lots[lot].free
            lots[lot].free = 0
        }
        return left.count
    }

    mutating func expireHolds(at now: Int64, limit: Int) {
        let due = holds.indices.filter { holds[$0].state == .held && holds[$0].expiresAt <= now }
        let sorted = due.sorted { (holds[$0].expiresAt, $0) < (holds[$1].expiresAt, $1) }
        for place in sorted.prefix(limit) { release(place, as: .expired, at: now) }
    }

    mutating func expireLots(at now: Int64, limit: Int) {
        let due = sorted(lots.indices.filter { lots[$0].free > 0 && isExpired($0, at: now) })
        for lot in due.prefix(limit) {
            system[.expired, default: 0] += lots[lot].free
            lots[lot].free = 0
        }
    }
}
