import Accounts
import Synchronization
import TollgateKernel

/// Both repositories in memory, with the schema's CHECKs, unique keys and guards: what a rule may
/// not do against a real store, it may not do here.
final class InMemoryBooks: LedgerRepository, AccountRepository {
    private(set) var ledgers: [AccountID: CustomerLedger] = [:]
    private(set) var lots: [LotID: Lot] = [:]
    private(set) var holds: [HoldID: Hold] = [:]
    private(set) var holdReservations: [HoldID: [LotReservation]] = [:]
    private(set) var transfers: [(transfer: Transfer, link: ChainLink?)] = []
    private(set) var trialDays: [TrialKey: Int64] = [:]
    private var transferKeys: Set<String> = []
    private var requests: [RequestKey: HoldID] = [:]
    private var accountRows: [AccountID: Account] = [:]
    private var openIDs: [AccountID: String] = [:]
    private var permitted: [AccountID: Set<ModelName>] = [:]
    private(set) var keySpending: [APIKeyID: KeySpending] = [:]
    /// Spend caps of API keys, set by tests.
    var keyCaps: [APIKeyID: Int64] = [:]
    /// Rows written so far.
    private(set) var writes = 0
    /// Repository calls so far.
    private(set) var calls = 0

    struct TrialKey: Hashable {
        var account: AccountID
        var day: ShanghaiDay
    }

    struct KeySpending: Hashable {
        var held: Int64 = 0
        var spent: Int64 = 0
    }

    private struct RequestKey: Hashable {
        var account: AccountID
        var requestID: IdempotencyKey
    }

    private func check(_ holds: Bool, _ constraint: String) throws(StoreError) {
        guard holds else { throw .constraint(constraint) }
        writes += 1
    }

    // MARK: Accounts

    func account(_ id: AccountID) -> Account? { accountRows[id] }

    func account(openIDDigest: [UInt8]) -> Account? {
        accountRows.values.first { $0.openIDDigest == openIDDigest }
    }

    func insert(_ account: Account, openID: String) throws(StoreError) {
        try check(accountRows[account.id] == nil, "account.id")
        accountRows[account.id] = account
        openIDs[account.id] = openID
        ledgers[account.id] = CustomerLedger(
            account: account.id, posted: 0, held: 0, sequence: 0, chainHash: LedgerChain.origin)
    }

    func openID(of account: AccountID) -> String? { openIDs[account] }

    func update(_ account: Account) throws(StoreError) {
        guard accountRows[account.id] != nil else { throw .conflict("account") }
        accountRows[account.id] = account
    }

    func isPermitted(_ model: ModelName, for account: AccountID) -> Bool {
        permitted[account, default: []].contains(model)
    }

    func permit(_ models: [ModelName], for account: AccountID) {
        permitted[account, default: []].formUnion(models)
    }

    func trialDay(of account: AccountID, on day: ShanghaiDay) -> TrialDay {
        calls += 1
        let used = trialDays[TrialKey(account: account, day: day), default: 0]
        return TrialDay(account: account, day: day, used: used)
    }

    func trialDays(of account: AccountID, after day: ShanghaiDay?, limit: Int) -> [TrialDay] {
        let days = trialDays.filter {
            $0.key.account == account && $0.key.day.number > day?.number ?? .min
        }
        return Array(
            days.map { TrialDay(account: account, day: $0.key.day, used: $0.value) }
                .sorted { $0.day.number < $1.day.number }.prefix(limit))
    }

    func trialCalls(
        of account: AccountID, from first: ShanghaiDay, until end: ShanghaiDay
    ) -> Int64 {
        trialDays.filter { $0.key.account == account && (first..<end).contains($0.key.day) }
            .values.reduce(0, +)
    }

    func save(_ trialDay: TrialDay) throws(StoreError) {
        calls += 1
        try check(accountRows[trialDay.account] != nil, "trial_day.account")
        try check(trialDay.used >= 0, "trial_day.used >= 0")
        trialDays[TrialKey(account: trialDay.account, day: trialDay.day)] = trialDay.used
    }

    // MARK: Balances and lots

    func customerLedger(_ account: AccountID) -> CustomerLedger? {
        calls += 1
        return ledgers[account]
    }

    func standing(
        of account: AccountID, on day: ShanghaiDay, requestID: IdempotencyKey
    ) -> Standing? {
        calls += 1
        guard let row = accountRows[account], let ledger = ledgers[account] else { return nil }
        let earlier = requests[RequestKey(account: account, requestID: requestID)]
            .flatMap { holds[$0] }
        return Standing(
            account: row, ledger: ledger,
            trialUsed: trialDays[TrialKey(account: account, day: day), default: 0],
            earlier: earlier.map {
                EarlierHold(requestHash: $0.requestHash, state: $0.state)
            })
    }

    func save(_ new: CustomerLedger, replacing old: CustomerLedger) throws(StoreError) {
        calls += 1
        guard ledgers[old.account] == old, new.account == old.account else {
            throw .conflict("ledger")
        }
        try check(new.held >= 0 && new.posted >= new.held, "ledger held >= 0, posted >= held")
        try check(new.activity.openCalls >= 0, "ledger open_calls >= 0")
        ledgers[new.account] = new
    }

    func spendableLots(of account: AccountID, at now: Timestamp, limit: Int) -> [Lot] {
        calls += 1
        let spendable = lots.values.filter {
            $0.account == account && $0.remaining > $0.held
                && ($0.expiresAt.map { $0 > now } ?? true)
        }
        return Array(spendable.sorted(by: Self.earlier).prefix(limit))
    }

    func openLots(of account: AccountID, limit: Int) -> [Lot] {
        calls += 1
        let open = lots.values.filter { $0.account == account && $0.remaining > 0 }
        return Array(open.sorted(by: Self.earlier).prefix(limit))
    }

    func expiredLots(at now: Timestamp, limit: Int) -> [Lot] {
        calls += 1
        let expired = lots.values.filter { lot in
            lot.remaining > lot.held && (lot.expiresAt.map { $0 <= now } ?? false)
        }
        return Array(expired.sorted(by: Self.earlier).prefix(limit))
    }

    private static func earlier(_ left: Lot, _ right: Lot) -> Bool {
        let leftEnd = left.expiresAt?.milliseconds ?? .max
        let rightEnd = right.expiresAt?.milliseconds ?? .max
        return leftEnd == rightEnd ? left.id < right.id : leftEnd < rightEnd
    }

    func lot(_ id: LotID) -> Lot? {
        calls += 1
        return lots[id]
    }

    func insert(_ lot: Lot) throws(StoreError) {
        calls += 1
        try check(lots[lot.id] == nil, "lot.id")
        try check(ledgers[lot.account] != nil, "lot.account")
        try checkAmounts(of: lot)
        lots[lot.id] = lot
    }

    func save(_ new: Lot, replacing old: Lot) throws(StoreError) {
        calls += 1
        guard var row = lots[old.id], row.remaining == old.remaining, row.held == old.held else {
            throw .conflict("lot")
        }
        try checkAmounts(of: new)
        row.remaining = new.remaining
        row.held = new.held
        lots[old.id] = row
    }

    private func checkAmounts(of lot: Lot) throws(StoreError) {
        try check(
            0 <= lot.held && lot.held <= lot.remaining && lot.remaining <= lot.granted,
            "lot 0 <= held <= remaining <= granted")
    }

    // MARK: Holds

    func hold(_ id: HoldID) -> Hold? {
        calls += 1
        return holds[id]
    }

    func hold(of account: AccountID, requestID: IdempotencyKey) -> Hold? {
        calls += 1
        return requests[RequestKey(account: account, requestID: requestID)].flatMap { holds[$0] }
    }

    func holds(of account: AccountID, after request: IdempotencyKey?, limit: Int) -> [Hold] {
        let after = holds.values.filter {
            $0.account == account && $0.requestID.rawValue > request?.rawValue ?? ""
        }
        return Array(after.sorted { $0.requestID.rawValue < $1.requestID.rawValue }.prefix(limit))
    }

    func expiredHolds(at now: Timestamp, after hold: Hold?, limit: Int) -> [Hold] {
        calls += 1
        let expired = holds.values.filter { other in
            guard other.state == .held, other.expiresAt <= now else { return false }
            guard let hold else { return true }
            return (other.expiresAt, other.id.rawValue) > (hold.expiresAt, hold.id.rawValue)
        }
        let sorted = expired.sorted {
            ($0.expiresAt, $0.id.rawValue) < ($1.expiresAt, $1.id.rawValue)
        }
        return Array(sorted.prefix(limit))
    }

    func insert(_ hold: Hold, reservations: [LotReservation]) throws(StoreError) {
        calls += 1
        let request = RequestKey(account: hold.account, requestID: hold.requestID)
        try check(holds[hold.id] == nil && requests[request] == nil, "hold.id, hold.request")
        try check(ledgers[hold.account] != nil, "hold.account")
        try check(
            hold.requestHash.count == 32 && hold.amount >= .zero && hold.settled == .zero,
            "hold amounts")
        try check(
            Set(reservations.map(\.lot)).count == reservations.count
                && reservations.allSatisfy { $0.amount > 0 && lots[$0.lot] != nil },
            "reservation")
        holds[hold.id] = hold
        requests[request] = hold.id
        holdReservations[hold.id] = reservations
    }

    func reservations(of hold: HoldID) -> [ReservedLot] {
        calls += 1
        return (holdReservations[hold] ?? []).compactMap { reservation in
            lots[reservation.lot].map { ReservedLot(lot: $0, amount: reservation.amount) }
        }
    }

    func end(_ hold: Hold) throws(StoreError) -> Bool {
        calls += 1
        guard var row = holds[hold.id], row.state == .held, row.account == hold.account,
            row.source == hold.source, row.amount == hold.amount
        else { return false }
        try check(hold.state != .held && hold.endedAt != nil, "hold ends")
        try check(.zero <= hold.settled && hold.settled <= row.amount, "hold settled <= amount")
        row.state = hold.state
        row.settled = hold.settled
        row.endedAt = hold.endedAt
        holds[hold.id] = row
        return true
    }

    func changeSpending(
        of key: APIKeyID, heldBy held: Int64, spentBy spent: Int64
    ) throws(StoreError) {
        calls += 1
        var spending = keySpending[key, default: KeySpending()]
        spending.held += held
        spending.spent += spent
        try check(spending.held >= 0 && spending.spent >= 0, "api_key held, spent >= 0")
        try check(
            keyCaps[key].map { spending.held + spending.spent <= $0 } ?? true,
            "api_key never above its cap")
        keySpending[key] = spending
    }

    // MARK: Transfers

    func transferExists(key: String) -> Bool {
        calls += 1
        return transferKeys.contains(key)
    }

    func transferAmount(key: String) -> Int64? {
        calls += 1
        return transfers.first { $0.transfer.key == key }?.transfer.amount
    }

    func systemBalances(in unit: LedgerUnit) -> [SystemAccount: Int64] {
        calls += 1
        var balances: [SystemAccount: Int64] = [:]
        for transfer in transfers.map(\.transfer) where transfer.unit == unit {
            if case .system(let from) = transfer.from {
                balances[from, default: 0] -= transfer.amount
            }
            if case .system(let to) = transfer.to { balances[to, default: 0] += transfer.amount }
        }
        return balances
    }

    func insert(_ transfer: Transfer, link: ChainLink?) throws(StoreError) {
        calls += 1
        try check(transfer.amount > 0, "transfer.amount > 0")
        try check(transfer.from != transfer.to, "transfer sides differ")
        try check(transferKeys.insert(transfer.key).inserted, "transfer.key")
        let customer = Self.customer(of: transfer)
        try check((customer == nil) == (link == nil), "transfer link")
        if let customer, let link {
            try check(link.hash.count == 32 && ledgers[customer] != nil, "link")
        }
        transfers.append((transfer: transfer, link: link))
    }

    /// A customer's history, oldest first.
    private func history(of account: AccountID) -> [LedgerEntry] {
        let entries = transfers.compactMap { row -> LedgerEntry? in
            guard Self.customer(of: row.transfer) == account, let link = row.link else {
                return nil
            }
            return LedgerEntry(transfer: row.transfer, link: link)
        }
        return entries.sorted { $0.link.sequence < $1.link.sequence }
    }

    func entries(
        of account: AccountID, after low: Int64, before high: Int64?, limit: Int
    ) -> [LedgerEntry] {
        let between = history(of: account).filter {
            $0.link.sequence > low && $0.link.sequence < high ?? .max
        }
        return Array(between.reversed().prefix(limit))
    }

    func place(_ sequence: Int64, of account: AccountID) -> HistoryPlace? {
        calls += 1
        let until = history(of: account).filter { $0.link.sequence <= sequence }
        guard let last = until.last, last.link.sequence == sequence,
            let reachedAt = until.map(\.transfer.at).max()
        else { return nil }
        return HistoryPlace(reachedAt: reachedAt, postedAfter: last.link.postedAfter)
    }

    func totals(of account: AccountID, in places: Range<Int64>) -> [MovementTotal] {
        calls += 1
        var totals: [Transfer.Kind: MovementTotal] = [:]
        for entry in history(of: account) where places.contains(entry.link.sequence) {
            let kind = entry.transfer.kind
            var total =
                totals[kind] ?? MovementTotal(kind: kind, count: 0, credited: 0, debited: 0)
            total.count += 1
            if entry.transfer.to == .customer(account) {
                total.credited += entry.transfer.amount
            } else {
                total.debited += entry.transfer.amount
            }
            totals[kind] = total
        }
        return Array(totals.values)
    }

    func history(after account: AccountID?, sequence: Int64, limit: Int) -> [LedgerEntry] {
        let entries = transfers.compactMap { row -> LedgerEntry? in
            row.link.map { LedgerEntry(transfer: row.transfer, link: $0) }
        }
        let place = { (entry: LedgerEntry) in
            (entry.transfer.customer?.rawValue ?? 0, entry.link.sequence)
        }
        let rest = entries.filter { place($0) > (account?.rawValue ?? .min, sequence) }
        return Array(rest.sorted { place($0) < place($1) }.prefix(limit))
    }

    static func customer(of transfer: Transfer) -> AccountID? { transfer.customer }
}

/// Counts up from one.
final class CountingIdentifiers: IdentifierGenerator, Sendable {
    private let last = Mutex<Int64>(0)

    func next() -> Int64 {
        last.withLock { last in
            last += 1
            return last
        }
    }
}
