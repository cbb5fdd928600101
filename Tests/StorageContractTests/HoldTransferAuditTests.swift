import Accounts
import Application
import Testing
import TollgateKernel

@testable import Storage

/// The walk over holds and transfers finds what one plain query finds, whatever was done to them,
/// and what is added up agrees only where it finds nothing.
@Suite struct HoldTransferAuditTests {
    /// Holds of each source and end.
    private static let holds = 40

    /// What the walk says, as one look-up a hold by the key that its end writes.
    private static let plain = SQL(
        """
        SELECT 'hold ' || holds.id || ' is ' || holds.state || ', settled ' || holds.settled
            || '; its transfer: ' || COALESCE(transfers.kind || ' ' || transfers.amount, 'none')
        FROM holds LEFT JOIN transfers
            ON transfers.transfer_key = 'settle:' || \(AuditText.crockford("holds.id"))
        WHERE CASE
            WHEN holds.state = 'settled' AND holds.settled > 0 THEN
                transfers.id IS NULL OR transfers.amount <> holds.settled
                OR transfers.kind <> CASE WHEN holds.source = 'credits' THEN 'usage'
                    ELSE 'promotion' END
                OR holds.source = 'credits' AND transfers.customer IS NOT holds.account
            WHEN holds.state = 'expired' THEN
                transfers.id IS NOT NULL AND transfers.kind <> 'overrun'
            ELSE transfers.id IS NOT NULL END
        ORDER BY holds.id
        """)

    /// What is done to one hold or to one transfer that an end wrote; `#` is its place.
    private static let tamperings = [
        "UPDATE holds SET settled = settled + 1",
        "UPDATE holds SET settled = 0",
        "UPDATE holds SET state = 'settled'",
        "UPDATE holds SET state = 'released'",
        "UPDATE holds SET state = 'expired'",
        "UPDATE holds SET state = 'held'",
        "UPDATE holds SET source = 'trial'",
        "UPDATE holds SET source = 'credits'",
        "UPDATE transfers SET amount = amount + 1",
        "UPDATE transfers SET kind = 'overrun'",
        "UPDATE transfers SET kind = 'usage'",
        "UPDATE transfers SET kind = 'promotion'",
        "UPDATE transfers SET customer = NULL",
        "UPDATE transfers SET customer = 77",
        "UPDATE transfers SET transfer_key = LOWER(transfer_key)",
        "UPDATE transfers SET transfer_key = transfer_key || '0'",
        "UPDATE transfers SET transfer_key = SUBSTR(transfer_key, 2)",
        "DELETE FROM transfers",
        "DELETE FROM holds",
    ]

    /// Makes holds that ended in turn by a charge, for nothing, by being released, not at all; some
    /// cost more than they reserved, and some are told of after they had expired.
    private static func live(in store: any Store) async throws {
        let identifiers = CountingIdentifiers()
        try await store.write { tx in
            try tx.accounts.insert(account(), openID: "openid-1")
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
            _ = try ledger.grant(
                Credits(micro: 100_000), to: account().id, kind: .welcome, from: .promotion,
                key: "welcome", origin: .welcome, order: nil, reference: "", expiresAt: nil,
                at: start)
            for number in 0..<Self.holds {
                let request = HoldRequest(
                    account: account().id, requestID: IdempotencyKey(rawValue: "r\(number)"),
                    requestHash: digest(1), source: number % 3 == 0 ? .promotion : .credits,
                    amount: Credits(micro: 100), trialDay: nil, trialLimit: 0,
                    expiresAt: .after(50))
                let hold = try ledger.hold(request, at: start).id
                switch number % 5 {
                case 0 where number % 2 == 0:
                    _ = try ledger.release(hold, as: .released, at: .after(1))
                case 0:
                    _ = try ledger.release(hold, as: .expired, at: .after(1))
                    _ = try ledger.settle(hold, price: Credits(micro: 30), at: .after(2))
                case 1: continue
                case 3 where number % 2 == 0:
                    _ = try ledger.settle(hold, price: Credits(micro: 150), at: .after(1))
                case 2: _ = try ledger.settle(hold, price: .zero, at: .after(1))
                default:
                    _ = try ledger.settle(
                        hold, price: Credits(micro: Int64(1 + number)), at: .after(1))
                }
            }
        }
    }

    /// What was found, and whether it is what was added up.
    private struct Told {
        var walk: [String] = []
        var plain: [String] = []
        var addsUp = false
    }

    private static func complaints(_ store: any Store, sliceRows: Int) async throws -> Told {
        try await store.read { tx in
            let books = try connection(tx)
            var told = Told()
            let audit = HoldTransferAudit(connection: books, sliceRows: sliceRows)
            let totals = try audit.forEachViolation { told.walk.append($0) }
            try books.forEach(Self.plain) { row in told.plain.append(row.text(0)) }
            let transfers = try TransferAudit(connection: books, sliceRows: sliceRows).verdict()
            if let added = try audit.totals(of: transfers.charges) {
                told.addsUp = true
                #expect(sentences(added) == sentences(totals))
            }
            return told
        }
    }

    private static func sentences(_ totals: HoldTransferAudit.Totals) -> [String] {
        let sums = [totals.settledCredits, totals.settledPromotion, totals.writtenOff]
        return ["\(totals.rows) holds: \(sums)"] + totals.states.told
    }

    @Test(arguments: [
        """
        UPDATE transfers SET transfer_key = 'settle:0000000000ZZZ'
        WHERE id = (SELECT MIN(id) FROM transfers WHERE kind = 'usage')
        """,
        "UPDATE holds SET settled = settled + 1 WHERE settled = 5",
        "UPDATE transfers SET customer = 77 WHERE kind = 'usage'",
        "UPDATE transfers SET kind = 'refund' WHERE kind = 'usage'",
        "UPDATE holds SET state = 'released', settled = 0 WHERE state = 'settled' AND settled > 0",
        "UPDATE holds SET state = 'released' WHERE state = 'expired'",
        "UPDATE holds SET state = 'held', ended_at = NULL WHERE state = 'expired'",
        "UPDATE holds SET id = id + 500 WHERE state = 'expired'",
    ])
    func `What belongs to another call does not add up`(sql: String) async throws {
        let folder = try TemporaryFolder()
        var store = try await folder.open()
        try await Self.live(in: store)
        await store.close()
        try await folder.tamper(sql)
        store = try await folder.open()
        let told = try await Self.complaints(store, sliceRows: 7)
        #expect(!told.addsUp)
        await store.close()
    }

    /// A late write-off, as the pass over the transfers meets it.
    private static func writeOff(_ hold: Int64, in charges: inout CallCharges) {
        Array("overrun".utf8).withUnsafeBytes { kind in
            Array("settle:\(CrockfordBase32.encode(hold))".utf8).withUnsafeBytes { key in
                charges.take(LentText(key), LentText(kind), amount: 1, customer: nil)
            }
        }
    }

    @Test func `So many late write-offs are kept, and more are looked at one by one`() {
        var charges = CallCharges()
        let kept = Int64(Limits.auditLateChargesKept)
        for hold in 1...kept { Self.writeOff(hold, in: &charges) }
        #expect(charges.late.count == Int(kept))
        #expect(!charges.isLateLeftOut)
        Self.writeOff(kept + 1, in: &charges)
        #expect(charges.late.count == Int(kept))
        #expect(charges.isLateLeftOut)
    }

    @Test func `Two late write-offs of one hold do not add up`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await Self.live(in: store)
        try await store.read { tx in
            let books = try connection(tx)
            var charges = try TransferAudit(connection: books).verdict().charges
            let audit = HoldTransferAudit(connection: books)
            #expect(try audit.totals(of: charges) != nil)
            Self.writeOff(try #require(charges.late.keys.first), in: &charges)
            #expect(try audit.totals(of: charges) == nil)
        }
        await store.close()
    }

    @Test func `The walk finds what one look-up a hold finds, in slices of any size`() async throws
    {
        let seed = testSeed()
        print("the walk over holds: TOLLGATE_TEST_SEED=\(seed)")
        var chance = SplitMix(state: seed)
        var found = 0
        for _ in 0..<8 {
            let folder = try TemporaryFolder()
            var store = try await folder.open()
            try await Self.live(in: store)
            let before = try await Self.complaints(store, sliceRows: 7)
            await store.close()
            #expect(before.walk == [], "seed \(seed)")
            #expect(before.plain == [], "seed \(seed)")
            #expect(before.addsUp, "seed \(seed)")
            var done: [String] = []
            for _ in 0..<Int.random(in: 1...4, using: &chance) {
                let tampering = try #require(Self.tamperings.randomElement(using: &chance))
                let table = tampering.contains("transfers") ? "transfers" : "holds"
                let sql = """
                    \(tampering) WHERE id = (SELECT id FROM \(table)
                        \(table == "holds" ? "" : "WHERE transfer_key LIKE 'settle:%'")
                        ORDER BY id LIMIT 1 OFFSET \(Int.random(in: 0..<12, using: &chance)))
                    """
                try await folder.tamper(sql)
                done.append(sql)
            }
            store = try await folder.open()
            for sliceRows in [1, 2, 7, Self.holds - 1, Self.holds, 5_000] {
                let told = try await Self.complaints(store, sliceRows: sliceRows)
                #expect(told.walk == told.plain, "seed \(seed), slices of \(sliceRows): \(done)")
                #expect(told.walk == [] || !told.addsUp, "seed \(seed): \(done)")
                found += told.walk.count
            }
            await store.close()
        }
        #expect(found > 0, "seed \(seed): no tampering was one that either finds")
    }
}
