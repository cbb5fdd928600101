import Accounts
import TestSupport
import Testing
import TollgateKernel

/// One account (and more on demand) with its books and rules, and what tests ask of them.
final class Bench {
    let books = InMemoryBooks()
    let ledger: Ledger
    let account: AccountID
    private let identifiers = CountingIdentifiers()
    private var requests = 0

    init() throws {
        ledger = Ledger(books, accounts: books, identifiers: identifiers)
        account = AccountID(rawValue: 1_000)
        try open(account)
    }

    /// Opens a further account.
    func open(_ account: AccountID) throws {
        try books.insert(
            Account(
                id: account, openIDDigest: [UInt8](repeating: 0, count: 24) + bytes(account),
                status: .active, isWhiteListed: false, openedAt: at(0)),
            openID: "o\(account)")
    }

    private func bytes(_ account: AccountID) -> [UInt8] {
        withUnsafeBytes(of: account.rawValue.bigEndian) { Array($0) }
    }

    /// So many seconds after the tests' beginning.
    func at(_ seconds: Int64) -> Timestamp { Timestamp(seconds: 1_700_000_000 + seconds) }

    /// Buys micro-credits.
    @discardableResult
    func buy(_ micro: Int64, expiresAt: Timestamp? = nil, key: String? = nil) throws -> Bool {
        requests += 1
        return try ledger.grant(
            Credits(micro: micro), to: account, kind: .purchase, from: .issued,
            key: key ?? "order:\(requests)", origin: .order,
            order: OrderID(rawValue: Int64(requests)), reference: "order:\(requests)",
            expiresAt: expiresAt, at: at(0))
    }

    /// Ends holds whose time is out so many seconds after the beginning; tells how many.
    func sweepHolds(at seconds: Int64, limit: Int) throws -> Int {
        try ledger.sweepHolds(in: books, at: at(seconds), limit: limit)
    }

    /// A request with a fresh id, unless one is given.
    func request(
        _ micro: Int64, source: Hold.Source = .credits, id: String? = nil, content: UInt8 = 7,
        expiresAt: Int64 = 600, trialLimit: Int64 = 1
    ) -> HoldRequest {
        requests += 1
        return HoldRequest(
            account: account, requestID: IdempotencyKey(rawValue: id ?? "request-\(requests)"),
            requestHash: [UInt8](repeating: content, count: 32), source: source,
            amount: Credits(micro: micro),
            trialDay: source == .trial ? ShanghaiDay(at(0)) : nil, trialLimit: trialLimit,
            expiresAt: at(expiresAt))
    }

    /// Posted, held.
    var balance: [Int64] {
        books.ledgers[account].map { [$0.posted, $0.held] } ?? []
    }

    /// Lots' (remaining, held) in order of making.
    var lots: [[Int64]] {
        books.lots.values.sorted { $0.id < $1.id }.map { [$0.remaining, $0.held] }
    }

    /// Free calls used today.
    var trialUsed: Int64 {
        books.trialDay(of: account, on: ShanghaiDay(at(0))).used
    }

    /// What transfers of a kind moved in all.
    func moved(_ kind: Transfer.Kind) -> Int64 {
        books.transfers.filter { $0.transfer.kind == kind }.reduce(0) { $0 + $1.transfer.amount }
    }

    /// The code of the failure a refused rule throws, provided that it wrote nothing.
    func refusal<Value>(_ rule: () throws -> Value) -> Failure.Code? {
        let before = books.writes
        do {
            _ = try rule()
            return nil
        } catch let failure as Failure {
            #expect(books.writes == before, "a refusal writes nothing")
            return failure.code
        } catch {
            Issue.record("not a failure: \(error)")
            return nil
        }
    }
}

/// Numbers that follow from a printed seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
