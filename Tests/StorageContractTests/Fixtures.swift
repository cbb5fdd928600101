import Accounts
import Application
import Orders
import Testing
import TollgateKernel

@testable import Storage

/// The moment tests start at.
let start = Timestamp(milliseconds: 1_700_000_000_000)

extension Timestamp {
    /// So many milliseconds after the tests' start.
    static func after(_ milliseconds: Int64) -> Timestamp {
        start.adding(milliseconds: milliseconds)
    }
}

/// Thirty-two equal bytes: a digest.
func digest(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

/// Identifiers that count up from one, or from another number.
final class CountingIdentifiers: IdentifierGenerator {
    private let tally = Tally()
    private let before: Int64

    init(after before: Int64 = 0) { self.before = before }

    func next() -> Int64 { before + Int64(tally.next()) }
}

func account(_ number: Int64 = 1) -> Account {
    Account(
        id: AccountID(rawValue: number), openIDDigest: digest(UInt8(number % 251)),
        status: .active, isWhiteListed: false, openedAt: start)
}

func lot(
    _ number: Int64, of owner: Int64 = 1, granted: Int64 = 100, remaining: Int64 = 100,
    held: Int64 = 0, expiresAt: Timestamp? = nil
) -> Lot {
    Lot(
        id: LotID(rawValue: number), account: AccountID(rawValue: owner), origin: .welcome,
        order: nil, granted: granted, remaining: remaining, held: held, expiresAt: expiresAt)
}

func hold(
    _ number: Int64, of owner: Int64 = 1, amount: Int64 = 10, request: String? = nil,
    expiresAt: Timestamp = .after(1_000)
) -> Hold {
    Hold(
        id: HoldID(rawValue: number), account: AccountID(rawValue: owner),
        requestID: IdempotencyKey(rawValue: request ?? "request-\(number)"),
        requestHash: digest(9), source: .credits, amount: Credits(micro: amount), state: .held,
        settled: .zero, trialDay: nil, createdAt: start, expiresAt: expiresAt, endedAt: nil)
}

func order(
    _ number: Int64, of owner: Int64 = 1, key: String? = nil, state: OrderState = .created,
    expiresAt: Timestamp = .after(10_000), nextQueryAt: Timestamp = .after(1_000)
) -> Order {
    Order(
        id: OrderID(rawValue: number), account: AccountID(rawValue: owner),
        idempotencyKey: IdempotencyKey(rawValue: key ?? "key-\(number)"),
        outTradeNumber: "trade-\(number)", product: ProductKey(rawValue: "starter"),
        productName: "Starter", total: Money(fen: 990), credits: Credits(whole: 20),
        lifetimeDays: 30,
        models: [ModelName(rawValue: "demo-chat"), ModelName(rawValue: "odd%0A\nname")],
        state: state, codeURL: nil, createdAt: start, expiresAt: expiresAt, paidAt: nil,
        transactionID: nil, queryCount: 0, nextQueryAt: nextQueryAt)
}

/// What a store refuses, by kind: the texts are the engine's.
enum RefusalKind: Hashable {
    case constraint
    case conflict
    case fenced
    case corrupt
    case engine
}
