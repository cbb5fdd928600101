import Accounts
import Application
import Auth
import GRDB
import Operations
import Orders
import Testing
import TollgateKernel

@testable import Storage

extension TemporaryFolder {
    /// Changes the file behind the store's back, past every check the schema makes.
    func tamper(_ sql: String) async throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: database, configuration: configuration)
        try await queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            let triggers = try GRDB.Row.fetchAll(
                database, sql: "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            for trigger in triggers {
                let name: String = trigger["name"]
                try database.execute(sql: "DROP TRIGGER \(name)")
            }
            try database.execute(sql: sql)
            #expect(database.changesCount > 0, "the tampering touches nothing")
            // A schema without its guards would be told of by itself.
            for trigger in triggers { try database.execute(sql: trigger["sql"]) }
        }
        try queue.close()
    }
}

/// The use cases' ports over a store.
func ports(_ store: any Store) throws -> Ports {
    Ports(
        store: store, clock: FixedClock(milliseconds: start.milliseconds), random: SystemRandom(),
        identifiers: CountingIdentifiers(), identityKey: try #require(IdentityKey(digest(7))),
        policy: ServicePolicy())
}

/// Sells: two paid orders, one payment of a wrong amount, one open order.
func sell(in store: any Store) async throws {
    try await store.write { tx in
        try tx.accounts.insert(account(), openID: "openid-1")
        for number in 1...4 as ClosedRange<Int64> { try tx.orders.insert(order(number)) }
    }
    let booking = BookPayment(try ports(store))
    for number in 1...3 as ClosedRange<Int64> {
        _ = try await booking.book(queried: trade(number, fen: number == 3 ? 1 : 990))
    }
}

/// Sells more, to another account: an order whose payment came before it was known, and that is
/// paid twice; a payment whose order never comes.
func sellLate(in store: any Store) async throws {
    var other = try ports(store)
    other.identifiers = CountingIdentifiers(after: 1_000)
    let booking = BookPayment(other)
    for number in 5...6 as ClosedRange<Int64> {
        #expect(try await booking.book(queried: trade(number)) == .unknownOrder)
    }
    try await store.write { tx in
        try tx.accounts.insert(account(2), openID: "openid-2")
        try tx.orders.insert(order(5, of: 2))
    }
    #expect(try await booking.book(queried: trade(5)) == .delivered(OrderID(rawValue: 5)))
    var second = trade(5)
    second.transactionID = "t7"
    #expect(try await booking.book(queried: second) == .incident("duplicate_payment"))
}

private func trade(_ number: Int64, fen: Int64 = 990) -> RemoteTrade {
    RemoteTrade(
        appID: "wx", merchantID: "mch", outTradeNumber: "trade-\(number)",
        transactionID: "t\(number)", state: .success, total: Money(fen: fen), currency: "CNY",
        paidAt: start)
}

@Suite struct BookAuditTests {
    static let tamperings = [
        Tampering("DELETE FROM payments WHERE transaction_id = 't1'", "C7"),
        Tampering("UPDATE payments SET total_fen = 1 WHERE transaction_id = 't1'", "C7"),
        Tampering("UPDATE payments SET order_id = 4 WHERE transaction_id = 't1'", "C7"),
        Tampering(
            "UPDATE transfers SET transfer_key = 'payment:x' WHERE transfer_key = 'payment:t1'",
            "C7"),
        Tampering("UPDATE transfers SET amount = 2 WHERE transfer_key = 'payment:t3'", "C7"),
        Tampering("UPDATE orders SET credits = credits + 1 WHERE id = 1", "C7"),
        Tampering(
            "UPDATE orders SET state = 'paid', transaction_id = 'x' WHERE id = 4", "C7", "C8"),
        Tampering("UPDATE orders SET state = 'closed' WHERE id = 4", "C8"),
        Tampering("DELETE FROM order_events WHERE to_state = 'paid'", "C8"),
        Tampering("UPDATE order_events SET to_state = 'refunded' WHERE to_state = 'paid'", "C8"),
        Tampering("UPDATE transfers SET reference = 'x' WHERE kind = 'purchase'", "C9"),
        Tampering("UPDATE transfers SET occurred_at = 1 WHERE customer IS NOT NULL", "C9"),
        Tampering("UPDATE transfers SET chain_hash = zeroblob(32) WHERE sequence = 2", "C9"),
        Tampering("UPDATE transfers SET posted_after = posted_after + 1 WHERE sequence = 1", "C9"),
        Tampering("UPDATE customer_ledgers SET chain_hash = zeroblob(32)", "C9"),
        Tampering("UPDATE transfers SET sequence = 3 WHERE sequence = 2", "C9"),
    ]

    /// What somebody does to the money of payments that came early, twice or for nothing.
    static let movedMoney = [
        "DELETE FROM transfers WHERE transfer_key = 'accepted:t5'",
        "UPDATE transfers SET amount = 991 WHERE transfer_key = 'accepted:t5'",
        "UPDATE transfers SET transfer_key = 'accepted:t3' WHERE transfer_key = 'accepted:t5'",
        "UPDATE transfers SET transfer_key = 'accepted:t6' WHERE transfer_key = 'accepted:t5'",
        "UPDATE transfers SET transfer_key = 'x' WHERE transfer_key = 'accepted:t5'",
        "UPDATE transfers SET to_account = 'sales' WHERE transfer_key = 'payment:t3'",
        "UPDATE transfers SET to_account = 'sales' WHERE transfer_key = 'payment:t5'",
        "UPDATE transfers SET to_account = 'sales' WHERE transfer_key = 'payment:t6'",
        "UPDATE transfers SET to_account = 'sales' WHERE transfer_key = 'payment:t7'",
        "UPDATE transfers SET to_account = 'refunds' WHERE transfer_key = 'payment:t1'",
        "UPDATE transfers SET transfer_key = 'PAYMENT:t1' WHERE transfer_key = 'payment:t1'",
        "UPDATE transfers SET reference = 'x' WHERE transfer_key = 'payment:t6'",
    ]

    private func complaints(_ folder: TemporaryFolder) async throws -> [String] {
        let store = try await folder.open()
        let findings = try await OperatorQueries(try ports(store)).audit()
        await store.close()
        #expect(findings.map(\.check) == ["C1", "C2", "C3", "C6", "C7", "C8", "C9", "C13", "C14"])
        return findings.filter { $0.violationCount > 0 }.map(\.check)
    }

    @Test func `Honest sales are clean`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await sell(in: store)
        await store.close()
        #expect(try await complaints(folder) == [])
    }

    @Test(arguments: Engine.all)
    func `Payments that came early, twice or for nothing are clean`(engine: Engine) async throws {
        try await withStore(on: engine) { store in
            try await sell(in: store)
            try await sellLate(in: store)
            let findings = try await OperatorQueries(try ports(store)).audit()
            #expect(findings.flatMap(\.violations) == [])
        }
    }

    @Test(arguments: movedMoney)
    func `Money that moved between our own accounts is seen`(sql: String) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await sell(in: store)
        try await sellLate(in: store)
        await store.close()
        try await folder.tamper(sql)
        #expect(try await complaints(folder) == ["C7"])
    }

    @Test(arguments: tamperings)
    func `A changed sale, move or link is seen`(tampering: Tampering) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await sell(in: store)
        await store.close()
        try await folder.tamper(tampering.sql)
        let seen = try await complaints(folder)
        // SQLite's integrity check also complains about rows that break a CHECK.
        #expect(seen.filter { $0 != "C13" } == tampering.checks)
    }

    @Test func `An audit sees one moment, while history grows`() async throws {
        try await withStore { store, _ in
            let identifiers = CountingIdentifiers()
            try await store.write { tx in
                for owner in 1...3 as ClosedRange<Int64> {
                    try tx.accounts.insert(account(owner), openID: "o\(owner)")
                }
            }
            let queries = OperatorQueries(try ports(store))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for number in 0..<200 {
                        try await store.write { tx in
                            let ledger = Ledger(
                                tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                            _ = try ledger.grant(
                                Credits(micro: 5),
                                to: AccountID(rawValue: Int64(1 + number % 3)), kind: .welcome,
                                from: .promotion, key: "\(number)", origin: .welcome, order: nil,
                                reference: "", expiresAt: nil, at: start)
                        }
                    }
                }
                for _ in 0..<10 {
                    let findings = try await queries.audit()
                    #expect(findings.flatMap(\.violations) == [])
                }
                try await group.waitForAll()
            }
            let chains = try await queries.audit().first { $0.check == "C9" }
            #expect(chains?.rows == 200)
        }
    }

    @Test func `Only one audit runs at a time`() async throws {
        try await withStore { store, _ in
            let queries = OperatorQueries(try ports(HeldReads(store)))
            try await withThrowingTaskGroup(of: Ending.self) { group in
                for _ in 0..<4 {
                    group.addTask { await Ending { _ = try await queries.audit() } }
                }
                let endings = try await group.reduce(into: [Ending: Int]()) {
                    $0[$1, default: 0] += 1
                }
                #expect(endings[.failure(.conflict), default: 0] + endings[.value, default: 0] == 4)
                #expect(endings[.value, default: 0] >= 1)
                #expect(endings[.failure(.conflict), default: 0] >= 1)
            }
            #expect(await Ending { _ = try await queries.audit() } == .value)
        }
    }
}

/// A store whose reads take a while.
private struct HeldReads: Store {
    let base: any Store

    init(_ base: any Store) { self.base = base }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await base.write(body) }

    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> { try await base.begin(body) }

    func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await Task.sleep(for: .milliseconds(50))
        return try await base.read(freshness, body)
    }
}
