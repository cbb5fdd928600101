import Accounts
import Application
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// The one pass over transfers finds what plain queries and a plain walk find, whatever was done
/// to them and in whatever order they lie.
@Suite struct TransferAuditTests {
    private static let owners: Int64 = 3

    /// The plain queries, one for each thing that the pass adds up.
    private enum Plain {
        static let mixedUnits = SQL(
            """
            SELECT 'transfer ' || id || ' moves ' || unit || ' from ' || from_account || ' to '
                || to_account
            FROM transfers
            WHERE (unit = 'fen') <> (from_account IN ('wechat_clearing', 'sales', 'refunds'))
                OR (unit = 'fen') <> (to_account IN ('wechat_clearing', 'sales', 'refunds'))
                OR unit NOT IN ('fen', 'micro_credits') OR amount <= 0
            ORDER BY id
            """)
        static let sums = SQL(
            """
            WITH parts AS (
                SELECT unit, CASE WHEN to_account = 'customer' THEN 0 ELSE amount END
                    - CASE WHEN from_account = 'customer' THEN 0 ELSE amount END AS part
                FROM transfers)
            SELECT COALESCE((SELECT SUM(part) FROM parts WHERE unit = 'fen'), 0),
                COALESCE((SELECT SUM(part) FROM parts WHERE unit = 'micro_credits'), 0)
                    + (SELECT COALESCE(SUM(posted), 0) FROM customer_ledgers),
                (SELECT COALESCE(SUM(amount), 0) FROM transfers WHERE kind = 'usage')
            """)
        static let balances = SQL(
            """
            WITH journal AS (
                SELECT customer, COUNT(*) AS entries,
                    SUM(CASE WHEN to_account = 'customer' THEN amount ELSE -amount END) AS posted
                FROM transfers WHERE customer IS NOT NULL GROUP BY customer)
            SELECT books.account, COALESCE(journal.posted, 0), COALESCE(entries, 0)
            FROM customer_ledgers AS books LEFT JOIN journal ON journal.customer = books.account
            WHERE books.posted <> COALESCE(journal.posted, 0)
                OR books.posted <> (SELECT COALESCE(SUM(remaining), 0) FROM lots
                    WHERE lots.account = books.account)
                OR books.sequence <> COALESCE(entries, 0)
            ORDER BY books.account
            """)
    }

    /// What is done to one transfer or to one customer's row; `OFFSET` chooses which.
    private static let tamperings = [
        "UPDATE transfers SET amount = amount + 1",
        "UPDATE transfers SET amount = 0",
        "UPDATE transfers SET amount = -5",
        "UPDATE transfers SET unit = 'fen'",
        "UPDATE transfers SET kind = 'usage'",
        "UPDATE transfers SET kind = 'welcome'",
        "UPDATE transfers SET customer = 2",
        "UPDATE transfers SET customer = 77",
        "UPDATE transfers SET customer = NULL",
        "UPDATE transfers SET sequence = sequence + 100",
        "UPDATE transfers SET chain_hash = zeroblob(32)",
        "UPDATE transfers SET posted_after = posted_after + 1",
        "UPDATE transfers SET occurred_at = occurred_at + 1",
        "UPDATE transfers SET reference = reference || 'x'",
        "UPDATE transfers SET transfer_key = transfer_key || 'x'",
        "UPDATE transfers SET id = id + 500",
        "DELETE FROM transfers",
        "UPDATE customer_ledgers SET posted = posted + 1",
        "UPDATE customer_ledgers SET sequence = sequence - 1",
        "UPDATE customer_ledgers SET chain_hash = zeroblob(32)",
        "DELETE FROM customer_ledgers",
    ]

    /// Grants and charges of several people, and a sale, under identifiers in no order.
    private static func live(
        in store: any Store, _ identifiers: any IdentifierGenerator
    ) async throws {
        try await store.write { tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
            for owner in 1...owners {
                try tx.accounts.insert(account(owner), openID: "openid-\(owner)")
            }
            for number in 0..<24 as Range<Int64> {
                let owner = AccountID(rawValue: 1 + number % owners)
                _ = try ledger.grant(
                    Credits(micro: 100), to: owner, kind: .welcome, from: .promotion,
                    key: "welcome:\(number)", origin: .welcome, order: nil, reference: "r",
                    expiresAt: nil, at: .after(number))
                let hold = try ledger.hold(
                    HoldRequest(
                        account: owner, requestID: IdempotencyKey(rawValue: "r\(number)"),
                        requestHash: digest(1), source: .credits, amount: Credits(micro: 50),
                        trialDay: nil, trialLimit: 0, expiresAt: .after(500)),
                    at: .after(number))
                _ = try ledger.settle(hold, price: Credits(micro: 1 + number), at: .after(number))
            }
            _ = try ledger.recordPayment(
                Money(fen: 990), as: .sale, key: "payment", reference: "", at: start)
        }
    }

    private struct Told: Equatable {
        var units: [String]
        var balances: [String]
        var chains: Set<String>
        var used: Int128
    }

    private static func walk(
        _ store: any Store, sliceRows: Int, customersAtOnce: Int
    ) async throws -> Told {
        try await store.read { tx in
            let verdict = try TransferAudit(
                connection: connection(tx), sliceRows: sliceRows, customersAtOnce: customersAtOnce
            ).verdict()
            // Lots are told in the same sentence; here it is the accounts that matter.
            let balances = verdict.balances.told.map { sentence in
                String(sentence.prefix { $0 != ":" })
            }
            #expect(verdict.chains.count == Int64(verdict.chains.told.count))
            return Told(
                units: verdict.units.told, balances: balances, chains: Set(verdict.chains.told),
                used: verdict.used)
        }
    }

    private static func plainly(_ store: any Store) async throws -> Told {
        try await store.read { tx in
            let books = try connection(tx)
            var chain = ChainAudit()
            while try chain.step(tx.ledger, limit: 5) {}
            var units: [String] = []
            let sums = try books.all(Plain.sums) { [$0.integer(0), $0.integer(1), $0.integer(2)] }
            if sums[0][0] != 0 { units.append("accounts in fen add up to \(sums[0][0])") }
            if sums[0][1] != 0 { units.append("accounts in micro_credits add up to \(sums[0][1])") }
            units += try books.all(Plain.mixedUnits) { $0.text(0) }
            return Told(
                units: units,
                balances: try books.all(Plain.balances) { "account \($0.integer(0))" },
                chains: Set(chain.violations), used: Int128(sums[0][2]))
        }
    }

    @Test func `The pass finds what plain queries find, in slices and parts of any size`()
        async throws
    {
        let seed = testSeed()
        print("the pass over transfers: TOLLGATE_TEST_SEED=\(seed)")
        var chance = SplitMix(state: seed)
        var found = 0
        for _ in 0..<12 {
            let folder = try TemporaryFolder()
            var store = try await folder.open()
            try await Self.live(in: store, ScatteredIdentifiers(seed: chance.next()))
            let clean = Told(
                units: [], balances: [], chains: [], used: try await Self.plainly(store).used)
            #expect(clean.used == 300)
            for rows in [1, 2, 7, 49, 5_000] {
                let told = try await Self.walk(store, sliceRows: rows, customersAtOnce: 2)
                #expect(told == clean, "seed \(seed), slices of \(rows)")
            }
            await store.close()
            var done: [String] = []
            for _ in 0..<Int.random(in: 1...3, using: &chance) {
                let tampering = try #require(Self.tamperings.randomElement(using: &chance))
                let isOfTransfers = tampering.contains(" transfers")
                let places = isOfTransfers ? 40 : Int(Self.owners) - 1
                let (table, key) =
                    isOfTransfers ? ("transfers", "id") : ("customer_ledgers", "account")
                let place = Int.random(in: 0..<places, using: &chance)
                done.append(
                    """
                    \(tampering) WHERE \(key) = (SELECT \(key) FROM \(table)
                        \(isOfTransfers ? "WHERE customer IS NOT NULL" : "")
                        ORDER BY \(key) LIMIT 1 OFFSET \(place))
                    """)
                try? await folder.tamper(done[done.count - 1])
            }
            store = try await folder.open()
            let plain = try await Self.plainly(store)
            for (rows, customers) in [(1, 1), (3, 2), (48, 3), (5_000, 500_000)] {
                let told = try await Self.walk(store, sliceRows: rows, customersAtOnce: customers)
                #expect(told == plain, "seed \(seed), slices of \(rows): \(done)")
            }
            found += plain.units.count + plain.balances.count + plain.chains.count
            await store.close()
        }
        #expect(found > 0, "seed \(seed): no tampering was one that either finds")
    }

    /// Each slice asks for its own, and parts of the customers after the first ask for none again.
    @Test func `What nothing explains is told of once, in slices and parts of any size`()
        async throws
    {
        let folder = try TemporaryFolder()
        var store = try await folder.open()
        try await Self.live(in: store, ScatteredIdentifiers(seed: 7))
        await store.close()
        for (kind, places) in [("adjustment", [3, 9, 17]), ("forfeit", [1, 9, 15])] {
            for place in places {
                try await folder.tamper(
                    """
                    UPDATE transfers SET kind = '\(kind)' WHERE id = (SELECT id FROM transfers
                        WHERE kind = 'welcome' ORDER BY id LIMIT 1 OFFSET \(place))
                    """)
            }
        }
        store = try await folder.open()
        for (rows, customers) in [(1, 1), (2, 3), (7, 2), (5_000, 500_000)] {
            let verdict = try await store.read { tx in
                try TransferAudit(
                    connection: connection(tx), sliceRows: rows, customersAtOnce: customers
                ).verdict()
            }
            #expect(verdict.unexplainedCredits.count == 6, "slices of \(rows)")
            #expect(Set(verdict.unexplainedCredits.told).count == 6, "slices of \(rows)")
            #expect(
                verdict.strayMoney.told.count { $0.contains("has no payment") } == 1,
                "slices of \(rows)")
        }
        await store.close()
    }

    /// A plain walk stops at such a row, or goes past it and tells of its neighbour.
    @Test(arguments: [
        ("unit = 'pounds'", 3), ("kind = 'gift'", 3), ("to_account = 'revenue'", 3),
        ("to_account = 'nobody'", 3), ("from_account = 'refunds'", 4), ("from_account = 'x'", 4),
        ("sequence = -sequence", 4), ("sequence = NULL", 4), ("sequence = 0", 16),
        ("chain_hash = x'00'", 4), ("chain_hash = NULL", 16), ("amount = 1 << 63", 3),
        ("posted_after = NULL", 3), ("to_account = 'revenue'", 15), ("from_account = 'x'", 16),
    ])
    func `A row that nobody can read is a break of its chain`(
        change: String, place: Int
    ) async throws {
        let folder = try TemporaryFolder()
        var store = try await folder.open()
        try await Self.live(in: store, ScatteredIdentifiers(seed: 7))
        await store.close()
        try await folder.tamper(
            "UPDATE transfers SET \(change) WHERE customer = 2 AND sequence = \(place)")
        store = try await folder.open()
        for (rows, customers) in [(1, 1), (5_000, 500_000)] {
            let told = try await Self.walk(store, sliceRows: rows, customersAtOnce: customers)
            let name = "account \(AccountID(rawValue: 2)):"
            #expect(told.chains.allSatisfy { $0.hasPrefix(name) }, "\(told.chains)")
            #expect(told.chains.contains { $0.contains("the chain breaks") }, "\(told.chains)")
        }
        await store.close()
    }

    @Test func `Who has no transfer stands at the chain's beginning`() async throws {
        let folder = try TemporaryFolder()
        var store = try await folder.open()
        try await store.write { tx in try tx.accounts.insert(account(), openID: "openid-1") }
        #expect(
            try await Self.walk(store, sliceRows: 5, customersAtOnce: 5)
                == Told(units: [], balances: [], chains: [], used: 0))
        await store.close()
        try await folder.tamper("UPDATE customer_ledgers SET chain_hash = randomblob(32)")
        store = try await folder.open()
        let told = try await Self.walk(store, sliceRows: 5, customersAtOnce: 5)
        #expect(told.chains.count == 1)
        await store.close()
    }
}

/// Identifiers in no order: as of several processes whose clocks differ.
private final class ScatteredIdentifiers: IdentifierGenerator {
    private let chance: Mutex<SplitMix>

    init(seed: UInt64) { chance = Mutex(SplitMix(state: seed)) }

    func next() -> Int64 { chance.withLock { Int64(1 + $0.next() % 1_000_000_000) } }
}
