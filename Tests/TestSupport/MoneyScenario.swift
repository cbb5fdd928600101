import Accounts
package import Application
import Auth
import Operations
import Orders
import Synchronization
package import TollgateKernel

/// A fixed history of one person's money, step by step: what is granted, held, settled, released,
/// expired, paid and asked again.
///
/// Each step is one write and can be played again: what is there already stays as it is. Accounts
/// do not touch each other's rows, so several histories can be played at once, and each has the
/// same rows in the end as when it is played alone.
package struct MoneyScenario: Sendable {
    /// How many histories there are.
    package static let lanes = 3
    /// How many steps each has.
    package static let count = steps.count
    /// The ids of one history are those that give its account when divided by this.
    package static let identifiers: Int64 = 1_000_000

    private typealias Step = @Sendable (MoneyScenario, any Store, StepNumbers) async throws -> Void

    /// Which history, from 0.
    package let lane: Int

    /// Takes a history.
    package init(lane: Int) { self.lane = lane }

    /// Whose money it is.
    package var account: AccountID { AccountID(rawValue: Int64(lane + 1)) }

    /// Plays one step, from 0, and returns when it is durable.
    package func play(_ step: Int, in store: any Store) async throws {
        let first = account.rawValue * Self.identifiers + Int64(step) * 1_000
        let numbers = StepNumbers(first: first)
        try await Self.steps[step](self, RewoundStore(store, numbers), numbers)
    }

    // Later histories live in later years: what the first one lets expire is not theirs.
    private func moment(_ seconds: Int64) -> Timestamp {
        Timestamp(seconds: 1_700_000_000 + Int64(lane) * 40_000_000 + seconds)
    }

    private var day: ShanghaiDay { ShanghaiDay(moment(0)) }

    private static let steps: [Step] = [
        { try await $0.open($1, $2) },
        { try await $0.adjust("gift", by: 50, expiresAfter: 10, at: $0.moment(0), $1, $2) },
        { try await $0.hold("one", 70, $1, $2) },
        { try await $0.hold("one", 70, $1, $2) },
        { try await $0.settle("one", 40, after: 2, $1, $2) },
        { try await $0.settle("one", 40, after: 3, $1, $2) },
        { try await $0.hold("two", 30, $1, $2) },
        { try await $0.release("two", $1, $2) },
        { try await $0.hold("late", 20, $1, $2) },
        { try await $0.expireHolds($1, $2) },
        { try await $0.settle("late", 10, after: 7, $1, $2) },
        { try await $0.expireLots($1, $2) },
        { try await $0.hold("free", 5, isTrial: true, $1, $2) },
        { try await $0.settle("free", 9, after: 8, $1, $2) },
        { try await $0.order($1, $2) },
        { try await $0.pay("first", $1, $2) },
        { try await $0.pay("first", $1, $2) },
        { try await $0.pay("second", $1, $2) },
        { try await $0.adjust("back", by: -5, expiresAfter: nil, at: $0.moment(50), $1, $2) },
    ]
}

extension MoneyScenario {
    private func write(
        _ store: any Store, _ numbers: StepNumbers,
        _ body: @escaping @Sendable (any Transaction, Ledger) throws -> Void
    ) async throws {
        try await store.write { tx in
            try body(tx, Ledger(tx.ledger, accounts: tx.accounts, identifiers: numbers))
        }
    }

    private func open(_ store: any Store, _ numbers: StepNumbers) async throws {
        try await write(store, numbers) { tx, ledger in
            if try tx.accounts.account(account) == nil {
                let digest = [UInt8](repeating: UInt8(account.rawValue), count: 32)
                try tx.accounts.insert(
                    Account(
                        id: account, openIDDigest: digest, status: .active, isWhiteListed: false,
                        openedAt: moment(0)), openID: "openid-\(account)")
            }
            _ = try ledger.grant(
                Credits(micro: 100), to: account, kind: .welcome, from: .promotion,
                key: "welcome:\(account)", origin: .welcome, order: nil, reference: "",
                expiresAt: nil, at: moment(0))
        }
    }

    /// What an operator gives or takes back, with the act that says why.
    private func adjust(
        _ key: String, by amount: Int64, expiresAfter seconds: Int64?, at moment: Timestamp,
        _ store: any Store, _ numbers: StepNumbers
    ) async throws {
        _ = try await Administration(ports(store, numbers, at: moment)).adjust(
            account, by: Credits(micro: amount), requestID: IdempotencyKey(rawValue: key),
            expiresAt: seconds.map { moment.adding(milliseconds: $0 * 1_000) },
            ActedBy(credential: "tests", person: "Ann", reason: "a gift", correlationID: 1))
    }

    private func ports(
        _ store: any Store, _ numbers: StepNumbers, at moment: Timestamp
    ) throws -> Ports {
        guard let key = IdentityKey([UInt8](repeating: 7, count: 32)) else {
            throw Failure(.internalError, "bad key")
        }
        return Ports(
            store: store, clock: TestClock(moment), random: SystemRandom(), identifiers: numbers,
            identityKey: key, policy: ServicePolicy())
    }

    /// In two moments, as a chat does it.
    private func hold(
        _ name: String, _ amount: Int64, isTrial: Bool = false, _ store: any Store,
        _ numbers: StepNumbers
    ) async throws {
        let request = HoldRequest(
            account: account, requestID: IdempotencyKey(rawValue: name),
            requestHash: [UInt8](repeating: 1, count: 32), source: isTrial ? .trial : .credits,
            amount: Credits(micro: amount), trialDay: isTrial ? day : nil, trialLimit: 3,
            expiresAt: moment(name == "late" ? 5 : 600))
        do {
            let applied = try await store.begin { tx in
                _ = try Ledger(tx.ledger, accounts: tx.accounts, identifiers: numbers)
                    .hold(request, at: moment(1))
            }
            try await applied.durable()
        } catch let failure as Failure
            where failure.code == .inProgress || failure.code == .alreadyAnswered
        {
            // Asked again: the answer is that it was asked before.
        }
    }

    private func known(_ name: String, _ tx: any Transaction) throws -> HoldID {
        let hold = try tx.ledger.hold(of: account, requestID: IdempotencyKey(rawValue: name))
        guard let hold else { throw Failure(.notFound, "The hold \(name) is not there.") }
        return hold.id
    }

    private func settle(
        _ name: String, _ price: Int64, after seconds: Int64, _ store: any Store,
        _ numbers: StepNumbers
    ) async throws {
        try await write(store, numbers) { tx, ledger in
            _ = try ledger.settle(
                known(name, tx), price: Credits(micro: price), tokens: 7, at: moment(seconds))
        }
    }

    private func release(
        _ name: String, _ store: any Store, _ numbers: StepNumbers
    ) async throws {
        try await write(store, numbers) { tx, ledger in
            _ = try ledger.release(known(name, tx), as: .released, at: moment(4))
        }
    }

    /// The sweep, in the first history; in the others it would reach what is not theirs.
    private func expireHolds(_ store: any Store, _ numbers: StepNumbers) async throws {
        try await write(store, numbers) { tx, ledger in
            if lane == 0 {
                _ = try ledger.sweepHolds(in: tx.ledger, at: moment(6), limit: 10)
            } else {
                _ = try ledger.release(known("late", tx), as: .expired, at: moment(6))
            }
        }
    }

    private func expireLots(_ store: any Store, _ numbers: StepNumbers) async throws {
        try await write(store, numbers) { tx, ledger in
            if lane == 0 { _ = try ledger.sweepLots(in: tx.ledger, at: moment(20), limit: 10) }
        }
    }

    private func order(_ store: any Store, _ numbers: StepNumbers) async throws {
        try await write(store, numbers) { tx, _ in
            let key = IdempotencyKey(rawValue: "buy")
            guard try tx.orders.order(of: account, idempotencyKey: key) == nil else { return }
            try tx.orders.insert(
                Order(
                    id: OrderID(rawValue: numbers.next()), account: account, idempotencyKey: key,
                    outTradeNumber: "trade-\(account)", product: ProductKey(rawValue: "starter"),
                    productName: "Starter", total: Money(fen: 990), credits: Credits(micro: 20),
                    lifetimeDays: 30, models: [ModelName(rawValue: "pro")], state: .created,
                    codeURL: nil, createdAt: moment(30), expiresAt: moment(900), paidAt: nil,
                    transactionID: nil, queryCount: 0, nextQueryAt: moment(60)))
        }
    }

    private func pay(
        _ payment: String, _ store: any Store, _ numbers: StepNumbers
    ) async throws {
        let verdict = try await BookPayment(ports(store, numbers, at: moment(40))).book(
            queried: RemoteTrade(
                appID: "wx", merchantID: "mch", outTradeNumber: "trade-\(account)",
                transactionID: "\(payment)-\(account)", state: .success, total: Money(fen: 990),
                currency: "CNY", paidAt: moment(39)))
        switch verdict {
        case .delivered, .alreadyBooked, .incident("duplicate_payment"): return
        default: throw Failure(.internalError, "The \(payment) payment came to \(verdict).")
        }
    }
}

/// The ids of one step: the same ones each time its closure runs.
package final class StepNumbers: IdentifierGenerator {
    private let first: Int64
    private let last: Mutex<Int64>

    init(first: Int64) {
        self.first = first
        last = Mutex(first)
    }

    package func next() -> Int64 {
        last.withLock { last in
            last += 1
            return last
        }
    }

    func rewind() { last.withLock { $0 = first } }
}

/// A store whose closures begin with the same ids when they run again.
private struct RewoundStore: Store {
    private let base: any Store
    private let numbers: StepNumbers

    init(_ base: any Store, _ numbers: StepNumbers) {
        self.base = base
        self.numbers = numbers
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await base.write { [numbers] tx in
            numbers.rewind()
            return try body(tx)
        }
    }

    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        try await base.begin { [numbers] tx in
            numbers.rewind()
            return try body(tx)
        }
    }

    func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await base.read(freshness, body)
    }
}
